import { type Actor, DOMID_ANY, DOMID_FIRST_RESERVED, type Domain } from '../../sim/index.ts';
import { textOf as text } from '../../store/protocol/octets.ts';
import { XS } from '../../store/protocol/wire.ts';
import { strings } from '../xenstore/index.ts';
import { allocPorts, type BuiltDomain, type BuiltPorts, type Daemons, seedRings } from './build.ts';
import type { Call } from './call.ts';
import { domainDestroy, untilFree } from './destroy.ts';
import { consoleAdd, deviceAdd, deviceCame, domainType } from './device-add.ts';
import { console0, consoleN, type Device } from './device-kinds.ts';
import type { DomainPlan } from './domain-config.ts';
import { writeBuilt, writeTree } from './domain-tree.ts';
import { Parts } from './parts.ts';
import { INIT_TIMEOUT_NS, type Rc } from './process.ts';

/** Parts of the creation of a domain, as guests.md 3.2 numbers them. */
export type Phase = 'C1' | 'C2' | 'C4' | 'C5' | 'C9' | 'C10' | 'C11' | 'C13' | 'C14' | 'C15';

export interface CreateHooks {
  /** Asked between two operations, with the part that is done: whether the process dies here (TS-8). */
  readonly dies?: (done: Phase) => boolean;
  readonly beforeIntroduce?: (built: BuiltDomain) => void;
  /** Load the guest's kernel: it is complete and still paused. Not called of a domain that the store did not take. */
  readonly boot?: (built: BuiltDomain) => void;
  /** It stays paused. */
  readonly staysPaused?: boolean;
  /** It is there already, and was soft reset: it gets a new tree, new ports and its old pages. */
  readonly softReset?: BuiltDomain;
  /** It is not built but restored: memory and vCPUs come out of a stream (DE7 to DE9). */
  readonly restore?: Restoring;
}

/** What a restore does otherwise than a creation. */
export interface Restoring {
  /** What the domain is called in traces: the name in the store is a passing one. */
  readonly label: string;
  /** Its pages, ring page and console page among them, and its context. `undefined`: the stream was no good. 'died': the process is no
   *  more. */
  readonly memory: (domain: Domain, ports: BuiltPorts, daemons: Daemons) => Actor<BuiltDomain | 'died' | undefined>;
  /** Called when the domain exists, before anything else is made for it. */
  readonly made?: (domain: Domain) => void;
  /** A store that does not take the domain ends it; left out: nobody looks (DST-8). */
  readonly checksIntroduce?: boolean;
  /**
   * [sim] Migration without the guest's help: ports come with the memory, the store takes the domain in as it was. @returns why it
   * does not; `undefined`: it does.
   */
  readonly takeIn?: (built: BuiltDomain) => Actor<string | undefined>;
  /** [sim] So do backends: they find its rings as they were (NC-31). @returns why they cannot. */
  readonly attach?: (built: BuiltDomain) => Actor<string | undefined>;
}

export interface Created {
  /** 'died': the process is no more, and everything stays as it was (TS-8). */
  readonly rc: Rc | 'died';
  /** Where it failed; the domain is destroyed then (TS-7). */
  readonly failedIn: Phase | undefined;
  /** What has come to exist; with an rc beside 0 it does not any more. */
  readonly built: BuiltDomain | undefined;
  /** The answer to INTRODUCE, which libxl does not look at: 'OK' or an errno name. `undefined`: it was not asked. */
  readonly introduced: string | undefined;
  readonly uuid: string | undefined;
}

interface Progress {
  phase: Phase;
  domain: Domain | undefined;
  built: BuiltDomain | undefined;
  introduced: string | undefined;
  uuid: string | undefined;
}

/**
 * Create a domain: C1 to C15 in order; what fails ends in its destruction (TS-7). The caller has the lock.
 * Source: tools/libs/light/libxl_create.c from initiate_domain_create on.
 */
export function* domainCreate(call: Call, plan: DomainPlan, hooks: CreateHooks = {}): Actor<Created> {
  const progress: Progress = {
    phase: 'C1',
    domain: undefined,
    built: undefined,
    introduced: undefined,
    uuid: undefined,
  };
  const isBuilt = hooks.softReset === undefined ? yield* call.xl.shared.beginToBuild() : () => {};
  let rc: Rc | 'died';
  try {
    rc = yield* phases(call, plan, hooks, progress, isBuilt);
  } finally {
    isBuilt();
  }
  const { phase, domain, built, introduced, uuid } = progress;
  if (rc !== 0 && domain !== undefined) {
    const { domid } = domain;
    if (rc === 'died') call.xl.observer?.note({ what: 'abandoned', domid });
    else yield* domainDestroy(call, domid);
  }
  return { rc, failedIn: rc === 0 ? undefined : phase, built, introduced, uuid };
}

/** They come with the guest, who has them already. */
const NO_PORTS = { ok: true, value: { store: 0, console: 0 } } as const;

/** `isBuilt`: to be called once the store has been told of the domain. */
function* phases(
  call: Call,
  plan: DomainPlan,
  hooks: CreateHooks,
  progress: Progress,
  isBuilt: () => void,
): Actor<Rc | 'died'> {
  const { xl } = call;
  const { hyper } = xl.os;
  const dies = () => hooks.dies?.(progress.phase) === true || xl.mishaps?.toolstackDies() === true;

  const { softReset } = hooks;
  const created =
    softReset === undefined
      ? yield* newDomain(call, plan, hooks.restore?.label)
      : { domain: softReset.domain, isRecent: false };
  if (created === undefined) return 'ERROR_FAIL';
  const { domain } = created;
  const { domid } = domain;
  progress.domain = domain;
  if (created.isRecent) return 'ERROR_FAIL';
  hooks.restore?.made?.(domain);
  if (plan.uuid !== undefined) xl.shared.setHandle(domain, plan.uuid);
  const uuid = xl.shared.handleOf(domain);
  progress.uuid = uuid;
  if (dies()) return 'died';

  progress.phase = 'C2';
  const written = yield* writeTree(call, domid, uuid, plan);
  if (written !== 0) return written;
  yield* dmVersion(call, domid); // C3
  if (dies()) return 'died';

  progress.phase = 'C4';
  if (!hyper.domctl.maxVcpus(domid, plan.vcpus ?? 1).ok) return 'ERROR_FAIL';
  const storeDomid = Number((yield* call.read('/tool/xenstored/domid')) ?? 0);
  const consoleDomid = Number((yield* call.read('/tool/xenconsoled/domid')) ?? 0);
  const daemons = { storeDomid, consoleDomid };
  const ports = hooks.restore?.takeIn === undefined ? allocPorts(xl.os, domid, daemons) : NO_PORTS;
  if (!ports.ok) return 'ERROR_FAIL';

  progress.phase = 'C5';
  const { restore } = hooks;
  const built =
    restore === undefined
      ? seedRings(xl.os, domain, ports.value, daemons, softReset)
      : yield* restore.memory(domain, ports.value, daemons);
  if (built === undefined) return 'ERROR_FAIL';
  if (built === 'died') return 'died';
  progress.built = built;
  const { ring, port } = built;
  yield* writeBuilt(call, { domain, gfn: ring.gfn, port }, plan); // C6
  if (!(yield* setFeatures(call, domid, plan))) return 'ERROR_FAIL'; // C7
  if (restore?.takeIn !== undefined) {
    const refused = yield* restore.takeIn(built);
    progress.introduced = refused ?? 'OK';
    if (refused !== undefined) return 'ERROR_FAIL';
    xl.shared.taken.add(domid);
    for (const device of [...(plan.disks ?? []), ...(plan.nics ?? [])])
      if ((yield* deviceCame(call, domid, device)) !== 0) return 'ERROR_FAIL';
    if ((yield* restore.attach?.(built) ?? []) !== undefined) return 'ERROR_FAIL';
    xl.shared.configs.set(domid, plan);
    progress.phase = 'C15';
    return 0;
  }
  hooks.beforeIntroduce?.(built);
  xl.mishaps?.beforeIntroduce(built);
  const introduced = yield* call.xs.call(
    XS.INTRODUCE,
    strings(String(domid), String(built.ring.gfn), String(built.port)),
  );
  progress.introduced = introduced.error ?? 'OK'; // C8: libxl does not look at it
  isBuilt();
  if (introduced.error === undefined) xl.shared.taken.add(domid);
  else if (restore?.checksIntroduce === true) return 'ERROR_FAIL';
  progress.phase = 'C9';
  for (const [name, value] of plan.quota ?? []) {
    const set = yield* call.xs.call(XS.SET_QUOTA, strings(String(domid), name, value));
    if (set.error !== undefined) return 'ERROR_FAIL';
  }
  if (dies()) return 'died';

  progress.phase = 'C10';
  yield* dmVersion(call, domid); // once more
  const disks = yield* addAll(call, domid, plan.disks ?? []);
  if (disks !== 0) return disks;
  if (dies()) return 'died';

  progress.phase = 'C11';
  for (const channel of plan.channels ?? []) yield* consoleAdd(call, domid, consoleN(channel)); // unchecked
  if (plan.console !== undefined && built.console !== undefined) {
    const { port, ring } = built.console;
    yield* consoleAdd(call, domid, console0(port, ring.gfn, { backendDomid: consoleDomid })); // unchecked
  }

  progress.phase = 'C13';
  const nics = yield* addAll(call, domid, plan.nics ?? []);
  if (nics !== 0) return nics;

  progress.phase = 'C14';
  if (plan.console === 'attended') {
    const home = yield* call.dompath(domid);
    const waited = yield* call.xswait(`${home}/console/tty`, INIT_TIMEOUT_NS, (value) =>
      value === undefined || value === '' ? undefined : true,
    );
    if (waited.rc !== 0) return waited.rc;
  }
  if (dies()) return 'died';

  xl.shared.configs.set(domid, plan);
  progress.phase = 'C15';
  if (progress.introduced === 'OK') hooks.boot?.(built);
  if (hooks.staysPaused === true) return 0;
  return yield* domainUnpause(call, domid);
}

/** Source: libxl_domain_unpause in tools/libs/light/libxl_domain.c. */
export function* domainUnpause(call: Call, domid: number): Actor<Rc> {
  yield* domainType(call, domid);
  return call.xl.os.hyper.unpause(domid).ok ? 0 : 'ERROR_FAIL';
}

/** Devices of one kind side by side (TS-1: their transactions are one after the other). */
function* addAll(call: Call, domid: number, devices: readonly Device[]): Actor<Rc> {
  const parts = new Parts(call, 'add');
  for (const device of devices) yield* parts.begin((part) => deviceAdd(part, domid, device, false));
  return yield* parts.finish();
}

/**
 * C1: a domain whose id was not in use of late (DOM-5); others are destroyed again. Source: libxl__domain_make.
 * @returns `undefined`: the hypervisor refused.
 */
function* newDomain(
  call: Call,
  plan: DomainPlan,
  label = plan.name,
): Actor<{ readonly domain: Domain; readonly isRecent: boolean } | undefined> {
  const { os, shared } = call.xl;
  let again = plan.domid === undefined ? yield* domidAgain(call) : undefined;
  for (;;) {
    let wanted = plan.domid ?? again?.domid ?? DOMID_ANY;
    if (wanted === 'random') {
      wanted = call.me.draws.below(DOMID_FIRST_RESERVED);
      if (wanted === 0) continue;
    }
    const created = os.hyper.createDomain(wanted, label, {
      type: (plan.type ?? 'pvh') === 'pv' ? 'pv' : 'hvm',
      maxVcpus: plan.vcpus ?? 1,
    });
    if (!created.ok) {
      const isAgain = again !== undefined;
      again = undefined; // somebody else was quicker
      if (created.errno === 'EEXIST' && (isAgain || plan.domid === 'random')) continue;
      return undefined;
    }
    const domain = created.value;
    const isRecent = shared.history.isRecent(domain.domid, call.nowNs);
    if (!isRecent && domain.domid === again?.domid) again.used(again.domid);
    again = undefined;
    if (!isRecent || typeof plan.domid === 'number') return { domain, isRecent };
    if (!os.hyper.destroyDomain(domain.domid).ok) return undefined;
  }
}

/** How long somebody who wants an id again waits for it, ns: a dead domain may stay a zombie for long (DOM-8). */
const REUSE_PATIENCE_NS = 100_000_000;

/** The id that went last, if this domain is to have it and it is free; somebody else may be quicker. */
function* domidAgain({
  xl,
}: Call): Actor<{ readonly domid: number; readonly used: (domid: number) => void } | undefined> {
  const domid = xl.shared.lastGone;
  const used = domid === undefined ? undefined : xl.mishaps?.reusesDomid();
  if (domid === undefined || used === undefined) return undefined;
  const isFree = yield* untilFree(xl.os, domid, REUSE_PATIENCE_NS);
  if (!isFree || xl.shared.lastGone !== domid) return undefined;
  // Once: whoever made it may still believe in it when a fault has taken it away.
  xl.shared.lastGone = undefined;
  return { domid, used };
}

/** Source: store_libxl_entry; also PV and PVH domains have it. */
function* dmVersion(call: Call, domid: number): Actor {
  yield* call.xs.write(`/libxl/${domid}/dm-version`, 'qemu_xen');
}

function* setFeatures(call: Call, domid: number, plan: DomainPlan): Actor<boolean> {
  if (plan.featureMask === undefined) return true;
  const got = yield* call.xs.call(XS.GET_FEATURE, new Uint8Array(0));
  if (got.error !== undefined) return true;
  const features = (Number.parseInt(text(got.payload), 10) & plan.featureMask) >>> 0;
  return (yield* call.xs.call(XS.SET_FEATURE, strings(String(domid), String(features)))).error === undefined;
}
