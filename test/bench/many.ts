import { LINUX_HABITS, octets, strings, XS } from '../../guests/index.ts';
import type { Host } from '../../scenarios/engine/host.ts';
import { PARK } from '../../sim/index.ts';
import { testHost } from '../support/host.ts';

/** What many domains cost. Memory of a node or a watch is that of the whole process, divided. */
export interface ManyDomains {
  readonly domains: number;
  readonly requestsPerSecond: number;
  readonly bytesPerNode: number;
  readonly bytesPerWatch: number;
}

const NODES = 50;
const WATCHES = 10;
const REQUESTS = 50_000;
const ACTIVE = 2;
const IN_FLIGHT = 16;
const HABITS = { ...LINUX_HABITS, tornOneIn: 0, tornNsMax: 0, maxInFlight: IN_FLIGHT } as const;

/**
 * `domains` domains with 50 nodes and 10 watches each, of which two read and write; run with --expose-gc for the memory.
 * The two work below names that nobody watches, so that what the others have should not matter.
 */
export function manyDomains(domains: number): ManyDomains {
  const collect = globalThis.gc;
  const heap = () => {
    collect?.();
    return process.memoryUsage().heapUsed;
  };
  const host = testHost({ policy: 'daemon', limitsWrites: false });
  const { dom0, machine } = host;
  const guests: ReturnType<Host['boot']>[] = [];
  let waiting = 0;
  const settle = () => {
    const came = machine.scheduler.runUntil(() => waiting === 0, Number.MAX_SAFE_INTEGER, 1_000_000_000);
    if (came !== 'met') throw new Error(`${waiting} are stuck`);
  };
  const each = (
    some: readonly ReturnType<Host['boot']>[],
    name: string,
    work: (own: number) => Iterable<readonly [number, Uint8Array]>,
  ) => {
    for (const { os, client } of some) {
      waiting++;
      os.start(name, function* (me) {
        const flight = [];
        for (const [type, payload] of work(os.domain.domid)) {
          flight.push(client.submit(me, type, payload));
          if (flight.length < IN_FLIGHT) continue;
          for (const pending of flight) while (pending.reply === undefined) yield PARK;
          flight.length = 0;
        }
        for (const pending of flight) while (pending.reply === undefined) yield PARK;
        waiting--;
      });
    }
    settle();
  };
  waiting++;
  dom0.os.start('toolstack', function* (me) {
    for (let domid = 1; domid <= domains; domid++) {
      const built = host.build(domid, `domU${domid}`);
      yield* dom0.client.request(me, XS.INTRODUCE, strings(String(domid), '1', String(built.port)));
      yield* dom0.client.request(me, XS.WRITE, octets(`/local/domain/${domid}/data\0`, ''));
      yield* dom0.client.request(me, XS.SET_PERMS, strings(`/local/domain/${domid}/data`, `n${domid}`));
      guests.push(host.boot(built, HABITS));
      machine.unpause(built.domain);
    }
    waiting--;
  });
  settle();

  const empty = heap();
  each(guests, 'writer', function* () {
    for (let i = 0; i < NODES; i++) yield [XS.WRITE, octets(`data/node-${i}\0`, `value of node ${i}`)];
  });
  const withNodes = heap();
  each(guests, 'watcher', function* () {
    for (let i = 0; i < WATCHES; i++) yield [XS.WATCH, strings(`data/node-${i}`, `token-${i}`)];
  });
  const withWatches = heap();

  const active = guests.slice(0, ACTIVE);
  const load = function* () {
    for (let i = 0; i < REQUESTS / ACTIVE; i++)
      yield i % 2 === 0
        ? ([XS.READ, strings(`data/node-${20 + (i % 30)}`)] as const)
        : ([XS.WRITE, octets(`data/node-${20 + (i % 30)}\0`, 'another value')] as const);
  };
  each(active, 'warm-up', load);
  const from = process.cpuUsage().user;
  each(active, 'load', load);
  const seconds = (process.cpuUsage().user - from) / 1e6; // of this process: the wall clock also counts the neighbours
  return {
    domains,
    requestsPerSecond: REQUESTS / seconds,
    bytesPerNode: (withNodes - empty) / (domains * NODES),
    bytesPerWatch: (withWatches - withNodes) / (domains * WATCHES),
  };
}
