import { strings } from '../../guests/index.ts';
import { type Machine, NO_JITTER, Universe } from '../../sim/index.ts';
import type { StateFormat } from '../../store/format/model/index.ts';
import type { CompatName, StorePolicy } from '../../store/index.ts';
import { type LabGuest, LabHost } from './lab-host.ts';

/** The two sides of a move. */
export type Side = 'from' | 'to';

export interface PairOptions {
  readonly format: StateFormat;
  readonly compat?: Readonly<Record<Side, CompatName>>;
  /** What the stores do about open transactions at a live update; left out: they carry them. */
  readonly policy?: StorePolicy;
}

/** Where the image lies between both stores. */
const IMAGE = '/tmp/xenstore-image';
/** So often is looked whether a guest is quiet. */
const QUIET_TRIES = 3;

/**
 * Two hosts on one timeline, each with its store, between which domains move without their help: what the
 * toolstacks and hypervisors do is done here by hand, step by step, so that a step can be left out or exchanged.
 */
export class MovePair {
  readonly from: LabHost;
  readonly to: LabHost;
  readonly #format: StateFormat;
  readonly #universe = new Universe({ seed: '1', jitter: NO_JITTER });

  constructor({ format, compat, policy = 'carry' }: PairOptions) {
    this.#format = format;
    const side = (name: Side) =>
      new LabHost({ format, policy, machine: this.#universe.add(name), compat: compat?.[name] ?? '4.22' });
    this.from = side('from');
    this.to = side('to');
  }

  /** Both hosts come to rest. */
  settle(forNs = 0): void {
    this.from.settle(forNs);
    this.to.settle();
    this.from.settle();
  }

  /** One of the words of CONTROL `migrate`; the answer. */
  order(side: Side, ...words: readonly string[]): string {
    return this[side].tool('CONTROL', strings('migrate', ...words));
  }

  /** NF1: a new domain of the same id, paused. False: the id is not to be had. */
  create(guest: LabGuest): boolean {
    const { domid, memory, vcpus } = guest.domain;
    const { dom0 } = this.to.host;
    const made = dom0.os.hyper.createDomain(domid, guest.domain.name, { type: memory.translated ? 'hvm' : 'pv' });
    if (!made.ok) return false;
    made.value.vcpus = vcpus;
    return true;
  }

  /** NF5: neither read nor written from here on. Before the park, so that the guest is not told of that. */
  freeze({ domain }: LabGuest): string {
    return this.order('from', 'freeze', String(domain.domid));
  }

  /** NF2: every vCPU stops where it is. */
  park({ domain }: LabGuest): void {
    this.from.host.machine.shutdown(domain, 'suspend');
    this.settle();
  }

  /** NF6 with NF5. @returns the answer of the store. */
  dump(guest: LabGuest, ...choices: readonly string[]): string {
    return this.order('from', 'dump', String(guest.domain.domid), IMAGE, ...choices);
  }

  /** The image as it lies there. */
  get image(): Uint8Array {
    return this.from.host.files.read(IMAGE) ?? new Uint8Array(0);
  }

  /** NF7, NF8: pages, grants and ports. */
  sendMemory({ domain: source }: LabGuest): void {
    const { domid } = source;
    const heir = this.#machine('to').domain(domid);
    if (heir === undefined) throw new Error(`assertion: domain ${domid} was not created`);
    for (const page of source.memory.frames)
      if (!page.isSpecial) (heir.memory.populate(page.gfn) ?? heir.memory.frame(page.gfn))?.bytes.set(page.bytes);
    const [was, is] = [this.from.host.dom0.os.hyper.domctl, this.to.host.dom0.os.hyper.domctl];
    const [grants, ports] = [was.getGrants(domid), was.getPorts(domid)];
    if (!grants.ok || !ports.ok) throw new Error('assertion: a parked domain tells what it has');
    for (const put of [is.setGrants(domid, grants.value), is.setPorts(domid, ports.value)])
      if (!put.ok) throw new Error(`assertion: domain ${domid} takes no ${put.errno}`);
  }

  /** The other store takes in the image, which may be another one by now. @returns its answer. */
  restore(guest: LabGuest, image = this.image, ...choices: readonly string[]): string {
    this.to.host.files.write(IMAGE, image);
    return this.order('to', 'restore', IMAGE, `${guest.domain.domid}=${guest.port}`, ...choices);
  }

  /** NF9: *go* has been given. The guest goes on there, and the source is destroyed. */
  handOver(...guests: readonly LabGuest[]): void {
    for (const guest of guests) {
      const { domid } = guest.domain;
      const heir = this.#machine('to').domain(domid);
      if (heir === undefined) throw new Error(`assertion: domain ${domid} was not created`);
      const source = guest.domain;
      this.#machine('to').carryOver(source, heir);
      this.from.leave(guest);
      this.to.enter(guest, heir);
    }
    const [first] = guests;
    if (first !== undefined) this.order('to', 'thaw', String(first.domain.domid));
    for (const { domain } of guests) this.#machine('to').unpause(domain);
    for (const { domain } of guests) {
      const source = this.#machine('from').domain(domain.domid);
      if (source !== undefined) this.#machine('from').destroy(source);
    }
    this.settle();
  }

  /** NF10: it stays where it is, and nothing has been lost. */
  stay(guest: LabGuest): void {
    const { domid } = guest.domain;
    this.order('from', 'thaw', String(domid));
    this.#machine('from').resume(guest.domain);
    this.from.tool('RESUME', strings(String(domid)));
    const heir = this.#machine('to').domain(domid);
    if (heir !== undefined) this.#machine('to').destroy(heir);
    this.settle();
  }

  /**
   * Before anything is done: what could not be held now is finished first, as far as the guest goes on with it (NC-24).
   * @returns why it is not quiet in the end; then it is served on.
   */
  finishFirst(guest: LabGuest, ...choices: readonly string[]): string | undefined {
    const domid = String(guest.domain.domid);
    if (this.order('from', 'check', domid, ...choices).startsWith('OK')) return undefined;
    this.order('from', 'thaw', domid);
    guest.isHeld = false;
    let answer = '';
    for (let tries = 0; tries < QUIET_TRIES; tries++) {
      answer = this.order('from', 'quiesce', domid);
      if (answer === 'OK') return undefined;
      this.settle();
    }
    this.order('from', 'thaw', domid);
    return answer;
  }

  /** All of it. @returns `moved`, or why it stayed. */
  move(guest: LabGuest, ...choices: readonly string[]): string {
    if (!this.create(guest)) return 'the id is taken';
    this.freeze(guest);
    this.park(guest);
    const dumped = this.dump(guest, ...choices);
    if (!dumped.startsWith('OK')) {
      this.stay(guest);
      return dumped;
    }
    this.sendMemory(guest);
    const restored = this.restore(guest, this.image, ...choices);
    if (!restored.startsWith('OK')) {
      this.stay(guest);
      return restored;
    }
    this.handOver(guest);
    return 'moved';
  }

  #machine(side: Side): Machine {
    return this[side].host.machine;
  }

  get format(): StateFormat {
    return this.#format;
  }
}
