import { type Actor, type Domid, PARK } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import { type EventQueue, type Transacted, type WatchEvent, Xs } from '../xenstore/index.ts';
import {
  type DomainWatcher,
  LIST_NS,
  type Listed,
  list,
  listDomains,
  type MonitorPlace,
  readDown,
  readText,
  type Session,
  watchDomains,
} from './domain-watcher.ts';
import { Mutex } from './mutex.ts';

/** What it watches of each domain, in this order. Source: xen-api, xenops_server_xen.ml, interesting_paths_for_domain. */
export function domainPaths(domid: Domid, uuid: string): string[] {
  const home = `/local/domain/${domid}`;
  return [
    `${home}/attr`,
    `${home}/data/ts`,
    `${home}/data/service`,
    `${home}/data/pvs_target`,
    `${home}/memory/target`,
    `${home}/memory/uncooperative`,
    `${home}/console/vnc-port`,
    `${home}/console/tc-port`,
    `${home}/qemu-pid-signal`,
    `${home}/control`,
    `${home}/device`,
    `${home}/rrd`,
    `${home}/vm-data`,
    `${home}/feature`,
    `/vm/${uuid}/rtc/timeoffset`,
    `${home}/xenserver/attr`,
  ];
}

/** Of each device of a domain. Source: watches_of_device. */
export const DEVICE_KEYS = [
  'kthread-pid',
  'tapdisk-pid',
  'shutdown-done',
  'hotplug-status',
  'params',
  'state',
] as const;

/** Nodes that one look at the state of a VM reads, at most. */
const STATE_MAX = 16;
/** Subtrees of a guest's home that a look at its state reads. */
const GUEST_AREAS = ['drivers', 'attr', 'data', 'control', 'feature', 'xenserver/attr'] as const;

interface Watched {
  readonly uuid: string;
  /** Backend directories whose keys are watched. */
  devices: readonly string[];
}

/**
 * xenopsd: a thread that watches everything of every domain and notes what may have changed, and one that looks at those VMs.
 * All device transactions of the process are one after the other (MT-2).
 * Source: xen-api, ocaml/xenopsd/xc/xenops_server_xen.ml, ocaml/libs/ezxenstore/watch/ez_xenstore_watch.ml.
 */
export class Xenopsd implements DomainWatcher {
  readonly program = 'xenopsd';
  readonly specialToken = '';
  readonly #place: MonitorPlace;
  #domains = new Map<Domid, Listed>();
  #watched = new Map<Domid, Watched>();
  /** VMs to look at: events of one that is in it already add nothing. */
  readonly #updates = new Set<Domid>();
  #updater: Thread | undefined;
  readonly #deviceLock = new Mutex();
  /** Lists of all domains so far. */
  lists = 0;
  /** Looks at a VM's state so far. */
  looks = 0;

  constructor(place: MonitorPlace) {
    this.#place = place;
  }

  /** Start both threads. */
  start(): Thread {
    const { os } = this.#place;
    this.#updater = os.start(`${this.program}/updates`, (me) => this.#update(me));
    return os.start(this.program, (me) => watchDomains(me, this.#place, this));
  }

  /** A transaction that makes or removes a device: one after the other in the process, side by side they only fail (MT-2). */
  *deviceTransaction<T>(xs: Xs, body: (txId: number) => Actor<T | undefined>): Actor<Transacted<T>> {
    return yield* this.#deviceLock.with(xs.me, () => xs.transaction(body, Number.POSITIVE_INFINITY));
  }

  /** Domids that are watched, ascending. */
  get domids(): Domid[] {
    return [...this.#watched.keys()].sort((a, b) => a - b);
  }

  reset(): void {
    this.#domains = new Map();
    this.#watched = new Map();
  }

  *listChanged(xs: Xs, queue: EventQueue): Actor {
    const now = new Map(listDomains(this.#place.os).map((each) => [each.domid, each]));
    this.lists++;
    yield LIST_NS(now.size);
    const before = this.#domains;
    this.#domains = now;
    for (const domid of [...new Set([...before.keys(), ...now.keys()])].sort((a, b) => a - b)) {
      const found = now.get(domid);
      if (before.get(domid)?.isShutDown === found?.isShutDown) continue;
      this.#note(domid);
      const isRunning = found?.isShutDown === false;
      const watched = this.#watched.get(domid);
      if (isRunning && watched === undefined) yield* this.#appear(xs, queue, domid);
      else if (!isRunning && watched !== undefined) yield* this.#disappear(xs, domid, watched);
    }
  }

  *fired(xs: Xs, queue: EventQueue, { path }: WatchEvent): Actor {
    const [first, second, third, fourth, , sixth] = path.split('/').slice(1);
    if (first === 'local' && fourth === 'backend') {
      this.#note(Number(sixth));
      // The frontend may have gone long before: then nothing else says that the device is gone, too.
      const isState = path.endsWith('/state');
      if (isState && (yield* readText(xs, path)) === undefined) yield* this.#devices(xs, queue, Number(sixth));
    } else if (first === 'local' && fourth === 'device') yield* this.#devices(xs, queue, Number(third));
    else if (first === 'local') this.#note(Number(third));
    else if (first === 'vm') {
      yield* xs.read(path);
      for (const [domid, { uuid }] of this.#watched) if (uuid === second) this.#note(domid);
    }
  }

  /** The uuid is the domain's handle; here, what the toolstack wrote of it. */
  *#appear(xs: Xs, queue: EventQueue, domid: Domid): Actor {
    const vm = yield* readText(xs, `/local/domain/${domid}/vm`);
    const watched: Watched = { uuid: vm?.replace('/vm/', '') ?? '', devices: [] };
    this.#watched.set(domid, watched);
    for (const path of domainPaths(domid, watched.uuid)) yield* xs.client.watch(queue, path, token(domid));
  }

  *#disappear(xs: Xs, domid: Domid, { uuid, devices }: Watched): Actor {
    this.#watched.delete(domid);
    for (const path of [...devices.flatMap(deviceKeys), ...domainPaths(domid, uuid)])
      yield* xs.client.unwatch(xs.me, path, token(domid));
  }

  /** Compare the devices that the toolstack's own tree has with those that are watched. */
  *#devices(xs: Xs, queue: EventQueue, domid: Domid): Actor {
    const watched = this.#watched.get(domid);
    if (watched === undefined) return;
    const found: string[] = [];
    const tree = `/libxl/${domid}/device`; // xenopsd's own copy is below /xenops/domain
    for (const kind of yield* list(xs, tree))
      for (const id of yield* list(xs, `${tree}/${kind}`)) {
        const backend = yield* readText(xs, `${tree}/${kind}/${id}/backend`);
        if (backend !== undefined) found.push(backend);
      }
    const [before, after] = [new Set(watched.devices), new Set(found)];
    watched.devices = found;
    for (const backend of found.filter((each) => !before.has(each)))
      for (const key of deviceKeys(backend)) yield* xs.client.watch(queue, key, token(domid));
    for (const backend of [...before].filter((each) => !after.has(each)))
      for (const key of deviceKeys(backend)) yield* xs.client.unwatch(xs.me, key, token(domid));
  }

  #note(domid: Domid): void {
    if (!this.#domains.has(domid)) return;
    this.#updates.add(domid);
    this.#updater?.wake();
  }

  /** The other thread: one VM at a time, over a connection of its own. */
  *#update(me: Thread): Actor {
    let session: Session | undefined;
    while (!this.#place.traffic.stopping) {
      const [domid] = this.#updates;
      if (domid === undefined) {
        yield PARK;
        continue;
      }
      this.#updates.delete(domid);
      if (session?.isOpen() !== true) session = this.#place.connect(`${this.program}/updates`);
      this.looks++;
      const xs = new Xs(session.link, me);
      const home = `/local/domain/${domid}`;
      for (const key of ['memory/target', 'memory/uncooperative', 'console/vnc-port', 'console/tc-port'])
        yield* xs.read(`${home}/${key}`);
      const budget = { left: STATE_MAX };
      for (const area of GUEST_AREAS) yield* readDown(xs, `${home}/${area}`, budget);
    }
  }
}

function token(domid: Domid): string {
  return `xenopsd-xc:domain-${domid}`;
}

function deviceKeys(backend: string): string[] {
  return DEVICE_KEYS.map((key) => `${backend}/${key}`);
}
