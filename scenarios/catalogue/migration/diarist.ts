import { LINUX_HABITS, type Thread, type Traffic, Xs, type XsClient } from '../../../guests/index.ts';
import { type BuiltDomain, type DomainPlan, vbd, vif } from '../../../guests/libxl/index.ts';
import type { Actor } from '../../../sim/index.ts';
import type { Guest, Host } from '../../engine/host.ts';
import type { Backends } from '../storms/backends.ts';
import { macOf } from '../storms/guest.ts';
import { type DeviceUse, DeviceUsers } from './device-users.ts';
import { San } from './san.ts';

/** Octets of a value at most: several fill a ring. */
const VALUE_MAX = 900;
/** Between two of a writer's doings, and within a transaction, ns. */
const THINK_NS = 60_000;
const TX_THINK_NS = 300_000;
/** How long it takes nothing out of its ring, ns. */
const HOLD_NS = [100_000, 3_000_000] as const;
const NAMES = 6;
const BURST_MAX = 6;

export interface DiaristPlan {
  readonly slot: number;
  readonly writers: number;
  readonly traffic: Traffic;
  /** Left out: it has none. */
  readonly devices?: { readonly backends: Backends; readonly use: DeviceUse };
}

/** A guest that keeps a diary in its home, whose every line can be checked: nobody else writes there (`data/own/…`). */
export class Diarist {
  readonly slot: number;
  readonly name: string;
  readonly uuid: string;
  readonly guest: Guest;
  readonly programs: Thread[] = [];
  readonly #users: DeviceUsers | undefined;

  constructor(host: Host, built: BuiltDomain, uuid: string, plan: DiaristPlan) {
    const { slot, writers, traffic, devices } = plan;
    this.slot = slot;
    this.uuid = uuid;
    this.name = Diarist.plan(slot, false).name;
    this.#users = devices === undefined ? undefined : new DeviceUsers(() => this.guest, devices.use, this.programs);
    this.guest = host.boot(built, {
      ...LINUX_HABITS,
      notify: slot % 3 === 2 ? 'always' : 'edge',
      tornOneIn: 3,
      tornNsMax: 30_000,
      maxInFlight: 8,
    });
    const { os, client } = this.guest;
    const users = this.#users;
    if (users !== undefined)
      devices?.backends.plug(this.guest, { disk: (disk) => users.disk(disk), nic: (nic) => users.nic(nic) });
    for (let w = 0; w < writers; w++)
      this.programs.push(os.start(`writer${w}`, (me) => writer(me, client, traffic, `data/own/w${w}`)));
    os.start('reader', (me) => reader(me, client));
    os.start('sleeper', (me) => sleeper(me, client, traffic));
  }

  static plan(slot: number, hasDevices: boolean): DomainPlan {
    return {
      name: `diarist${slot}`,
      type: slot % 2 === 0 ? 'pvh' : 'pv',
      vcpus: 1,
      ...(hasDevices ? { disks: [vbd({ params: San.path(slot) })], nics: [vif({ mac: macOf(slot) })] } : {}),
    };
  }

  /** Whether all its devices can be used. */
  get isOnline(): boolean {
    return this.#users === undefined || this.#users.online === 2;
  }

  /** Whether a program has something on its way to a device. */
  get isSending(): boolean {
    return this.#users?.isSending === true;
  }
}

/** Writes, reads, removes, one thing after the other or several at once; now and then in a transaction that stays open for long. */
function* writer(me: Thread, client: XsClient, traffic: Traffic, home: string): Actor {
  const xs = new Xs(client, me);
  const { draws } = me;
  const pick = () => `${home}/${draws.below(NAMES)}`;
  yield* xs.mkdir(home); // in no transaction: its parent has other writers
  let n = 0;
  const value = () => `${++n}:${'x'.repeat(draws.below(VALUE_MAX))}`;
  while (!traffic.stopping) {
    yield draws.below(THINK_NS);
    switch (draws.below(6)) {
      case 0:
      case 1:
        yield* xs.write(pick(), value());
        break;
      case 2:
        yield* xs.rm(pick());
        break;
      case 3: {
        const pending = Array.from({ length: 1 + draws.below(BURST_MAX) }, () => xs.submit(2, ofText(pick())));
        for (const one of pending) yield* client.answer(one);
        break;
      }
      case 4:
        yield* xs.read(pick());
        break;
      case 5: {
        const begun = yield* xs.begin();
        if ('error' in begun) break;
        const { txId } = begun;
        yield* xs.read(pick(), txId);
        if (draws.oneIn(2)) yield draws.below(TX_THINK_NS);
        yield* xs.write(pick(), value(), txId);
        if (draws.oneIn(3)) yield* xs.rm(pick(), txId);
        yield* xs.read(pick(), txId);
        yield* xs.end(txId, !draws.oneIn(4));
      }
    }
  }
}

function ofText(path: string): Uint8Array {
  return new Uint8Array([...path, '\0'].map((c) => c.charCodeAt(0)));
}

/** Watches all of it, twice, and takes one watch back now and then. */
function* reader(me: Thread, client: XsClient): Actor {
  const xs = new Xs(client, me);
  yield* xs.watch('data/own', 'all');
  yield* xs.watch('data/own/w0', 'first');
  for (;;) yield* xs.nextEvent();
}

/** Now and then nothing is taken out of the ring, so that it fills, and the store has to keep what comes. */
function* sleeper(me: Thread, client: XsClient, traffic: Traffic): Actor {
  while (!traffic.stopping) {
    yield me.draws.between(...HOLD_NS);
    client.held = true;
    yield me.draws.between(...HOLD_NS);
    client.release();
  }
}
