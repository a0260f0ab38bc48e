import { describe, expect, it } from 'vitest';
import { buildDomain, GuestOs, strings, XS } from '../../../guests/index.ts';
import {
  type Domain,
  ERROR,
  EVTCHN_PORT,
  GNTTAB_RESERVED_XENSTORE,
  Listener,
  loneMachine,
  type StoreNews,
  type UnixSocket,
} from '../../../sim/index.ts';
import type { Connection } from '../../../store/daemon/connection.ts';
import { Daemon } from '../../../store/daemon/daemon.ts';
import { makeInitialStore } from '../../../store/daemon/initial-store.ts';
import { MemoryFiles } from '../../../store/daemon/memory-files.ts';
import { processMessage } from '../../../store/daemon/operations/process-message.ts';
import { DEFAULT_OPTIONS, type StorePolicy } from '../../../store/daemon/options.ts';
import type { Stream } from '../../../store/daemon/platform.ts';
import { SimPlatform } from '../../../store/daemon/sim-platform.ts';
import { DaemonState } from '../../../store/daemon/state.ts';
import { NOBODY } from '../../../store/daemon/wakes.ts';
import { decodeImage, v1, v2 } from '../../../store/format/index.ts';
import { formatOf, type StateFormat } from '../../../store/format/model/index.ts';
import { type Cargo, type Carrier, sizeOf } from '../../../store/live-update/carrier.ts';
import {
  advance,
  isOver,
  type LiveUpdate,
  type Order,
  type Pending,
  type UpdateSite,
} from '../../../store/live-update/update.ts';

const IMAGE: Carrier = { kind: 'image', dialect: v2 };

function format(name: string): StateFormat {
  const found = formatOf(name);
  if (found === undefined) throw new Error(`assertion: no format ${name}`);
  return found;
}

const through = (name: string): Carrier => ({ kind: 'files', format: format(name) });

/** A store in dom0 that serves nobody, with domain 5 on a ring and a client on a socket, about to be updated. */
class Stage {
  readonly machine = loneMachine({ seed: '1' });
  readonly listener = new Listener(9, this.machine.trace);
  readonly news: string[] = [];
  readonly dom0: Domain;
  readonly platform: SimPlatform;
  readonly site: UpdateSite;
  readonly old: Daemon;
  readonly client: UnixSocket;
  readonly order: Order;
  readonly guest: Domain;

  constructor(
    carrier: Carrier,
    given: Pick<UpdateSite, 'passImage' | 'execFails'> & { readonly policy?: StorePolicy } = {},
  ) {
    const { machine, listener } = this;
    const { policy = 'carry', ...hooks } = given;
    this.dom0 = machine.createDomain(0, 'dom0');
    machine.unpause(this.dom0);
    const os = new GuestOs(machine, this.dom0);
    const ring = this.dom0.memory.alloc();
    machine.seedGrant(this.dom0, GNTTAB_RESERVED_XENSTORE, 0, ring);
    const port = machine.events.allocUnbound(this.dom0, this.dom0, 0);
    this.platform = new SimPlatform(machine, this.dom0, new MemoryFiles(new Map()));
    this.platform.bindDomainException();
    const options = { ...DEFAULT_OPTIONS, policy };
    this.old = new Daemon(new DaemonState(options), this.platform, NOBODY);
    this.old.records.make(0);
    makeInitialStore(this.old);
    this.old.introductions.connectPrivileged(port);
    this.client = listener.connect('operator');
    const conn = this.old.connections.addSocket(listener.accept() as Stream);
    const built = buildDomain(os, 5, 'd5', 0);
    if (built === undefined) throw new Error('assertion: domain 5 is built');
    this.guest = built.domain;
    machine.unpause(this.guest);
    this.#ask(conn, XS.INTRODUCE, '5', '1', String(built.port));
    this.site = { machine, platform: this.platform, options, listener, dom0Port: port, ...hooks };
    const message = { type: XS.CONTROL, reqId: 77, txId: 0, payload: strings('live-update', '-s') };
    const sockets = new Map(
      [...this.old.state.connections].flatMap(({ link }) =>
        link.kind === 'socket' ? [[link.stream.fd, link.stream]] : [],
      ),
    );
    this.order = { n: 1, carrier, old: this.old, requester: { conn, message }, sockets };
    machine.trace.observe((event) => {
      if (event.kind === 'store') this.news.push(told(event));
    });
  }

  #ask(conn: Connection, type: number, ...args: readonly string[]): void {
    processMessage(this.old, conn, { type, reqId: 1, txId: 0, payload: strings(...args) });
    conn.out.length = 0;
  }

  /** Ask the store for something on behalf of the client. */
  ask(type: number, ...args: readonly string[]): void {
    this.#ask(this.order.requester?.conn as Connection, type, ...args);
  }

  /** One step. */
  step(update: Pending): LiveUpdate {
    const steps = advance(this.site, this.order, update);
    for (let next = steps.next(); ; next = steps.next()) if (next.done === true) return next.value;
  }

  /** Steps from the beginning until this one is reached. */
  reach<Step extends LiveUpdate['step']>(step: Step): Extract<LiveUpdate, { readonly step: Step }> {
    let update: LiveUpdate = { step: 'asked' };
    while (update.step !== step) {
      if (isOver(update)) throw new Error(`assertion: ended with ${JSON.stringify(update)}`);
      update = this.step(update);
    }
    return update as Extract<LiveUpdate, { readonly step: Step }>;
  }

  /** The domain is gone, with nobody left who refers to it. */
  remove(domain: Domain): void {
    this.machine.destroy(domain);
    this.machine.scheduler.run(this.machine.nowNs + 1_000_000_000);
    expect(this.machine.domain(domain.domid)).toBeUndefined();
  }

  /** Rings that the process has mapped, as Xen sees it. */
  get mapped(): number {
    return this.dom0.maptrack.handles().length;
  }

  /** What of the old instance is as it was: the VIRQ, ring ports, mappings, connections. */
  get standing() {
    const { platform, old } = this;
    return {
      virq: platform.hasDomainException,
      ports: platform.ports.length,
      mapped: this.mapped,
      connections: [...old.state.connections].length,
    };
  }
}

function told(event: StoreNews & { readonly instance: number }): string {
  return `${event.phase} by ${event.instance}`;
}

const UNTOUCHED = { virq: true, ports: 3, mapped: 2, connections: 3 };

function only({ files }: Cargo): Uint8Array {
  expect(files).toHaveLength(1);
  return files[0]?.octets as Uint8Array;
}

describe('asked', () => {
  it.each([
    ['an image', IMAGE],
    ['files', through('G4.1')],
  ])('is dumped: %s is written, its octets go into the digest, the machine is as it was', (_, carrier) => {
    const stage = new Stage(carrier);
    const before = stage.machine.trace.digest.hex();
    const { cargo } = stage.reach('dumped');
    expect(decodeImage(only(cargo)).ok).toBe(true);
    expect(stage.news).toEqual(['dump by 1']);
    expect(stage.standing).toEqual(UNTOUCHED);
    const other = new Stage(carrier, { passImage: (image) => image.map((octet, i) => (i === 40 ? octet ^ 1 : octet)) });
    other.reach('dumped');
    expect(
      new Set([before, stage, other].map((s) => (s instanceof Stage ? s.machine.trace.digest.hex() : s))).size,
    ).toBe(3);
  });

  it('is dumped in the version that was asked for, with the answer of the requester', () => {
    const image = decodeImage(only(new Stage({ kind: 'image', dialect: v1 }).reach('dumped').cargo));
    if (!image.ok) throw new Error('assertion: an image');
    expect(image.value.version).toBe(1);
    const outs = image.value.records.flatMap((r) =>
      r.kind === 'CONNECTION_DATA' ? [String.fromCharCode(...r.outData)] : [],
    );
    expect(outs.filter((out) => out.endsWith('OK\0'))).toHaveLength(1);
  });

  it('has failed where the format cannot say it: nothing is told of a dump', () => {
    const failure = { offset: 3, record: 1, name: 'X', path: 'y', reason: 'no room' };
    const stage = new Stage({ kind: 'files', format: { ...format('G4.1'), write: () => ({ ok: false, failure }) } });
    expect(stage.step({ step: 'asked' })).toEqual({
      step: 'failed',
      cargo: undefined,
      reason: expect.stringContaining('no room'),
    });
    expect([stage.news, stage.standing]).toEqual([[], UNTOUCHED]);
  });

  it('passes each file by what stands in the way of files', () => {
    const seen: number[] = [];
    const stage = new Stage(IMAGE, {
      passImage: (image, n) => {
        seen.push(n);
        return image.subarray(0, 9);
      },
    });
    expect([sizeOf(stage.reach('dumped').cargo), seen]).toEqual([9, [1]]);
  });
});

describe('dumped', () => {
  it.each([
    ['an image: its state', IMAGE, 'image'],
    ['files: what they say', through('G4.1'), 'files'],
  ])('is verified: %s is there, and the machine as it was', (_, carrier, kind) => {
    const stage = new Stage(carrier);
    const { reading } = stage.reach('verified');
    expect(reading.kind).toBe(kind);
    expect([stage.news, stage.standing]).toEqual([['dump by 1'], UNTOUCHED]);
  });

  it.each([
    ['an image', IMAGE, /offset/],
    ['files', through('G4.1'), /offset/],
  ])('has failed where %s cannot be read', (_, carrier, reason) => {
    const stage = new Stage(carrier, { passImage: (image) => image.subarray(0, image.length - 9) });
    expect(stage.reach('failed').reason).toMatch(reason);
    expect([stage.news, stage.standing]).toEqual([['dump by 1'], UNTOUCHED]);
  });

  it('has failed where files can be read, but nothing be made of them', () => {
    const stage = new Stage(through('G4.1'));
    const brief = stage.machine.createDomain(6, 'd6');
    stage.ask(XS.WRITE, '/its', '');
    stage.ask(XS.SET_PERMS, '/its', 'n6');
    const dumped = stage.reach('dumped');
    stage.remove(brief);
    expect(stage.step(dumped)).toMatchObject({
      step: 'failed',
      reason: expect.stringContaining('domain 6 does not exist'),
    });
  });

  it('has failed where the program of somebody else has come back, for the reason that it gives', () => {
    const seen: Uint8Array[] = [];
    const execute = (image: Uint8Array) => {
      seen.push(image);
      return 'Error activating new binary.';
    };
    const stage = new Stage({ kind: 'program', dialect: v1, execute });
    expect(stage.reach('failed').reason).toBe('Error activating new binary.');
    expect(seen.map((image) => decodeImage(image).ok)).toEqual([true]);
    expect(stage.standing).toEqual(UNTOUCHED);
  });
});

describe('verified', () => {
  it('is executed: the VIRQ and the mappings are gone and the old instance empty, ports and sockets stay', () => {
    const stage = new Stage(IMAGE);
    stage.reach('executed');
    expect(stage.standing).toEqual({ virq: false, ports: 2, mapped: 0, connections: 0 });
    expect([stage.client.hungUp(), stage.platform.instance]).toEqual([false, 2]);
    expect(stage.news).toEqual(['dump by 1', 'unbound by 1']); // the VIRQ
  });

  it('is executed with files that know no ports and no listening socket: both are closed', () => {
    const stage = new Stage(through('G2'));
    const waiting = stage.listener.connect();
    stage.reach('executed');
    expect(stage.standing.ports).toBe(0);
    expect([waiting.hungUp(), stage.client.hungUp()]).toEqual([true, false]);
    expect(stage.news).toEqual(['dump by 1', 'unbound by 1', 'exec by 1', 'unbound by 1', 'unbound by 1']);
  });

  it.each([
    ['carry', true],
    ['daemon', false],
  ] as const)('has failed where exec(2) does; with policy %s the VIRQ is bound again: %s', (policy, virq) => {
    const stage = new Stage(IMAGE, { policy, execFails: (n) => n === 1 });
    expect(stage.reach('failed').reason).toBe('Error activating new binary.');
    expect(stage.standing).toEqual({ ...UNTOUCHED, virq, ports: virq ? 3 : 2 });
    expect(stage.platform.instance).toBe(1);
  });
});

describe('executed', () => {
  it('is started with the state that the image was found to hold', () => {
    const stage = new Stage(IMAGE);
    const executed = stage.reach('executed');
    const started = stage.step(executed);
    if (started.step !== 'started' || executed.reading.kind !== 'image') throw new Error(`assertion: ${started.step}`);
    expect(started.daemon.state).toBe(executed.reading.state);
    expect(started.handedOver).toBeUndefined();
  });

  it('is started with files that are read again: who has died meanwhile is not there', () => {
    const stage = new Stage(through('G4.1'));
    const executed = stage.reach('executed');
    const started = stage.step(executed);
    if (started.step !== 'started' || executed.reading.kind !== 'files') throw new Error(`assertion: ${started.step}`);
    expect(started.handedOver).toBe(executed.reading.neutral);
    expect(stage.news.slice(-2)).toEqual(['exec by 1', 'started by 2']);
    expect([...started.daemon.state.connections]).toHaveLength(3);
  });

  it('is lost where the second reading fails: the owner of a node without a connection has died since the first', () => {
    const stage = new Stage(through('G4.1'));
    const brief = stage.machine.createDomain(6, 'd6');
    stage.ask(XS.WRITE, '/its', '');
    stage.ask(XS.SET_PERMS, '/its', 'n6');
    const executed = stage.reach('executed');
    stage.remove(brief);
    const lost = stage.step(executed);
    expect(lost).toMatchObject({ step: 'lost', reason: expect.stringContaining('owner domain 6 does not exist') });
    expect(isOver(lost)).toBe(true);
  });
});

describe('started', () => {
  it.each([
    ['an image', IMAGE],
    ['files', through('G4.1')],
    ['files without ports, which are bound anew', through('G2')],
  ])('is up after %s: VIRQ, rings and ports are as they were', (_, carrier) => {
    const stage = new Stage(carrier);
    const ports = [...stage.platform.ports].sort((a, b) => a - b);
    const ring = stage.guest.grants.active(GNTTAB_RESERVED_XENSTORE)?.frame;
    ring?.store32(EVTCHN_PORT, stage.guest.ports.ports()[0] as number, true); // where Xen would tell the guest's end
    const started = stage.reach('started');
    const up = stage.step(started);
    expect(up).toMatchObject({ step: 'up', handedOver: started.handedOver });
    expect(stage.standing).toMatchObject({ virq: true, mapped: 2 });
    expect([...stage.platform.ports].sort((a, b) => a - b)).toEqual(ports); // the lowest that are free
    expect([0, 5].map((domid) => started.daemon.state.connections.ringOf(domid)?.isIgnored)).toEqual([false, false]);
    expect(stage.news.at(-1)).toBe('up by 2');
  });

  it('is up without the ring that cannot be mapped: its guest is told by the error word, its domain stays known', () => {
    const stage = new Stage(IMAGE);
    const started = stage.reach('started');
    const ring = stage.guest.grants.active(GNTTAB_RESERVED_XENSTORE)?.frame;
    stage.guest.grants.write(GNTTAB_RESERVED_XENSTORE, { flags: 0, domid: 0, gfn: 0 });
    expect(stage.step(started).step).toBe('up');
    expect(started.daemon.state.connections.ringOf(5)?.isIgnored).toBe(true);
    expect(started.daemon.state.records.get(5)).toBeDefined();
    expect([ring, stage.mapped]).toEqual([undefined, 1]);
  });

  it('is up with a ring whose port nobody tells ignored, and error word 1 in its page', () => {
    const stage = new Stage(through('G2'));
    const started = stage.reach('started');
    expect(stage.step(started).step).toBe('up');
    const conn = started.daemon.state.connections.ringOf(5);
    expect(conn?.isIgnored).toBe(true);
    const ring = [...stage.guest.memory.frames].find((frame) => frame.load32(ERROR) === 1);
    expect(ring).toBeDefined();
    expect(stage.news).toContain('error-word by 2');
  });
});
