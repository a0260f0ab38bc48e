import type { Actor, Domid } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';
import { type EventQueue, type WatchEvent, Xs } from '../xenstore/index.ts';
import {
  type DomainWatcher,
  LIST_NS,
  list,
  listDomains,
  type MonitorHost,
  readText,
  watchDomains,
} from './domain-watcher.ts';
import { firstBeat, paced, rest } from './pace.ts';

/** What squeezed watches of each domain. Source: xen-api, ocaml/squeezed/src/squeeze_xen.ml, interesting_paths. */
const SQUEEZED_KEYS = [
  'memory/initial-reservation',
  'memory/target',
  'control/feature-balloon',
  'data/updated',
  'memory/memory-offset',
  'memory/uncooperative',
  'memory/dynamic-min',
  'memory/dynamic-max',
] as const;
/** What the memory plug-in of the statistics daemon does. */
const RRDD_KEYS = ['memory/dynamic-max', 'memory/dynamic-min', 'memory/target', 'data/meminfo_free'] as const;

/** A program that mirrors a few keys of every domain that is not shut down: it reads each one when it fires. */
export class KeyMirror implements DomainWatcher {
  readonly program: string;
  readonly specialToken: string;
  readonly #host: MonitorHost;
  readonly #keys: readonly string[];
  #domids = new Set<Domid>();
  readonly values = new Map<string, string>();
  lists = 0;

  constructor(host: MonitorHost, name: string, keys: readonly string[]) {
    this.#host = host;
    this.program = name;
    this.specialToken = name;
    this.#keys = keys;
  }

  start(): Me {
    return this.#host.os.start(this.specialToken, (me) => watchDomains(me, this.#host, this));
  }

  get domids(): Domid[] {
    return [...this.#domids].sort((a, b) => a - b);
  }

  reset(): void {
    this.#domids = new Set();
  }

  *listChanged(xs: Xs, queue: EventQueue): Actor {
    const listed = listDomains(this.#host.os).filter((each) => !each.isShutDown);
    this.lists++;
    yield LIST_NS(listed.length);
    const now = new Set(listed.map((each) => each.domid));
    const before = this.#domids;
    this.#domids = now;
    for (const domid of now)
      if (!before.has(domid))
        for (const path of this.#paths(domid)) yield* xs.client.watch(queue, path, this.#token(domid));
    for (const domid of before)
      if (!now.has(domid))
        for (const path of this.#paths(domid)) {
          yield* xs.client.unwatch(xs.me, path, this.#token(domid));
          this.values.delete(path);
        }
  }

  *fired(xs: Xs, _queue: EventQueue, { path }: WatchEvent): Actor {
    const value = yield* readText(xs, path);
    if (value === undefined) this.values.delete(path);
    else this.values.set(path, value);
  }

  #paths(domid: Domid): string[] {
    return this.#keys.map((key) => `/local/domain/${domid}/${key}`);
  }

  #token(domid: Domid): string {
    return `${this.specialToken}:domain-${domid}`;
  }
}

/** Between two balances of squeezed. Source: squeezed.conf, balance-check-interval. */
const BALANCE_SECONDS = 10;

/** squeezed: mirrors what it needs to know, and sets the targets anew every ten seconds where memory is short. */
export function squeezed(host: MonitorHost): {
  readonly mirror: KeyMirror;
  readonly watching: Me;
  readonly balancing: Me;
} {
  const mirror = new KeyMirror(host, 'squeezed', SQUEEZED_KEYS);
  const watching = mirror.start();
  const balancing = host.os.start('squeezed/balance', function* (me): Actor {
    const { os, traffic, pace } = host;
    let session = host.connect('squeezed/balance');
    yield* firstBeat(os, me, traffic, pace, BALANCE_SECONDS);
    while (!traffic.stopping) {
      if (!session.isOpen()) session = host.connect('squeezed/balance');
      const xs = new Xs(session.link, me);
      for (const domid of mirror.domids) {
        const target = mirror.values.get(`/local/domain/${domid}/memory/target`);
        if (domid === 0 || target === undefined) continue;
        const next = Math.max(16_384, Number(target) + me.draws.between(-4_096, 4_096));
        yield* xs.write(`/local/domain/${domid}/memory/target`, String(next));
      }
      yield* rest(os, me, traffic, paced(pace, BALANCE_SECONDS));
    }
  });
  return { mirror, watching, balancing };
}

/** The memory plug-in of the statistics daemon. */
export function rrddMemory(host: MonitorHost): KeyMirror {
  const mirror = new KeyMirror(host, 'xcp-rrdd-squeezed', RRDD_KEYS);
  mirror.start();
  return mirror;
}

/** A sum of moves that is worth it, and a move of one domain below what it should have, in kB. Source: systemstate.py. */
const SIGNIFICANT_KB = 150 * 1024;

/**
 * Qubes' memory manager. It lists the store instead of the hypervisor, and reads the domid of each entry; a report of a
 * domain's use makes it look at all domains and move memory to where it is wanted.
 * Source: qubes-core-admin, qubes/tools/qmemmand.py, qubes/qmemman/systemstate.py.
 */
export class Qmemmand implements DomainWatcher {
  readonly program = 'qmemmand';
  readonly specialToken = 'domain_list_changed';
  readonly #host: MonitorHost;
  #targets = new Map<string, number>();
  readonly #used = new Map<string, number>();
  lists = 0;
  balances = 0;

  constructor(host: MonitorHost) {
    this.#host = host;
  }

  start(): Me {
    return this.#host.os.start('qmemmand', (me) => watchDomains(me, this.#host, this));
  }

  get domids(): string[] {
    return [...this.#targets.keys()];
  }

  reset(): void {
    this.#targets = new Map();
  }

  *listChanged(xs: Xs, queue: EventQueue): Actor {
    this.lists++;
    const now = new Set<string>();
    for (const id of yield* list(xs, '/local/domain'))
      if ((yield* readText(xs, `/local/domain/${id}/domid`)) !== undefined) now.add(id);
    for (const id of now) {
      if (this.#targets.has(id)) continue;
      this.#targets.set(id, 0);
      yield* xs.client.watch(queue, meminfoPath(id), `meminfo_changed ${id}`);
      this.#targets.set(id, Number((yield* readText(xs, `/local/domain/${id}/memory/target`)) ?? 0));
    }
    for (const id of [...this.#targets.keys()]) {
      if (now.has(id)) continue;
      yield* xs.client.unwatch(xs.me, meminfoPath(id), `meminfo_changed ${id}`);
      this.#targets.delete(id);
      this.#used.delete(id);
    }
    yield* this.#balance(xs);
  }

  *fired(xs: Xs, _queue: EventQueue, { path }: WatchEvent): Actor {
    const id = path.split('/')[3] ?? '';
    const meminfo = yield* readText(xs, path);
    if (meminfo === undefined || meminfo === '' || !this.#targets.has(id)) return;
    const [total, free] = [/^MemTotal: (\d+) kB/m, /^MemFree: (\d+) kB/m].map((line) =>
      Number(line.exec(meminfo)?.[1]),
    );
    if (total === undefined || free === undefined || Number.isNaN(total) || Number.isNaN(free)) return; // not to be trusted
    this.#used.set(id, total - free);
    yield* this.#balance(xs);
  }

  /** Look at what every domain may have, and give each a share by its use, if that moves enough memory. */
  *#balance(xs: Xs): Actor {
    this.balances++;
    const now = listDomains(this.#host.os);
    yield LIST_NS(now.length);
    const most = new Map<string, number>();
    for (const { domid } of now) {
      const id = String(domid);
      if (!this.#targets.has(id)) continue;
      const hotplugMax = yield* readText(xs, `/local/domain/${id}/memory/hotplug-max`);
      const staticMax = yield* readText(xs, `/local/domain/${id}/memory/static-max`);
      most.set(id, Number(hotplugMax ?? staticMax ?? Number.MAX_SAFE_INTEGER));
    }
    const moves: [id: string, target: number][] = [];
    let moved = 0;
    for (const [id, used] of this.#used) {
      const wanted = Math.min(Math.floor((used * 13) / 10), most.get(id) ?? 0);
      moved += Math.abs(wanted - (this.#targets.get(id) ?? 0));
      moves.push([id, wanted]);
    }
    if (moved < SIGNIFICANT_KB) return;
    for (const [id, target] of moves) {
      this.#targets.set(id, target);
      yield* xs.write(`/local/domain/${id}/memory/target`, String(target));
    }
  }
}

function meminfoPath(id: string): string {
  return `/local/domain/${id}/memory/meminfo`;
}
