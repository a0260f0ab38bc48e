import { LINUX_HABITS, octets, strings, XS } from '../../guests/index.ts';
import type { Host } from '../../scenarios/engine/host.ts';
import { openRuns } from '../../scenarios/engine/run.ts';
import { PARK } from '../../sim/index.ts';
import type { StartStore } from '../../store/index.ts';
import { testHost } from '../support/host.ts';

export interface RingLoad {
  readonly guests: number;
  readonly requests: number;
  readonly kind: 'read' | 'mixed';
  /** What serves; left out: the daemon of this package. */
  readonly startStore?: StartStore;
}

/** `requests` requests through real rings, 16 in flight for each guest; returns when the last reply was taken out. */
export function ringRequests(load: RingLoad): void {
  const host = testHost({ policy: 'daemon', startStore: load.startStore });
  const left = startLoad(host, load);
  run(host.machine.scheduler, left);
}

/** The same on so many hosts on one timeline, each with the load. */
export function requestsOnHosts(hosts: number, load: RingLoad): void {
  const names = Array.from({ length: hosts }, (_, i) => ({ name: `host${i}`, policy: 'daemon' as const }));
  const { runs, universe } = openRuns({ seed: '1', format: 'v2', settings: {}, checks: false }, names);
  const left = runs.map(({ host }) => startLoad(host, load));
  run(universe.timeline, () => left.reduce((sum, each) => sum + each(), 0));
}

function run(
  on: { runUntil(isSo: () => boolean, untilNs: number, sliceNs: number): string },
  left: () => number,
): void {
  const came = on.runUntil(() => left() === 0, Number.MAX_SAFE_INTEGER, 1_000_000_000);
  if (came !== 'met') throw new Error(`${left()} guests unanswered`);
}

/** @returns how many guests are not answered yet. */
function startLoad(host: Host, load: RingLoad): () => number {
  const { dom0, machine } = host;
  let open = load.guests;
  dom0.os.start('toolstack', function* (me) {
    for (let domid = 1; domid <= load.guests; domid++) {
      const built = host.build(domid, `domU${domid}`);
      yield* dom0.client.request(me, XS.INTRODUCE, strings(String(domid), '1', String(built.port)));
      yield* dom0.client.request(me, XS.WRITE, octets(`/local/domain/${domid}/data/value\0`, '0123456789012345'));
      yield* dom0.client.request(me, XS.SET_PERMS, strings(`/local/domain/${domid}/data/value`, `n${domid}`));
      const { os, client } = host.boot(built, {
        ...LINUX_HABITS,
        tornOneIn: 0,
        tornNsMax: 0,
        maxInFlight: 16,
      });
      machine.unpause(built.domain);
      os.start('load', function* (own) {
        const path = strings('data/value');
        const write = octets('data/value\0', 'abcdefghijklmnop');
        const each = Math.floor(load.requests / load.guests);
        const flight = [];
        for (let i = 0; i < each; i++) {
          flight.push(
            load.kind === 'mixed' && i % 2 === 1
              ? client.submit(own, XS.WRITE, write)
              : client.submit(own, XS.READ, path),
          );
          if (flight.length === 16) {
            for (const pending of flight) while (pending.reply === undefined) yield PARK;
            if (flight.some((p) => p.reply?.error !== undefined))
              throw new Error(`refused: ${flight.map((p) => p.reply?.error).join(' ')}`);
            flight.length = 0;
          }
        }
        for (const pending of flight) while (pending.reply === undefined) yield PARK;
        open--;
      });
    }
  });
  return () => open;
}
