import { octets, strings, XS } from '../../guests/index.ts';
import { PARK } from '../../sim/index.ts';
import { testHost } from '../support/host.ts';

/** What one child costs in a directory of that many, us of wall time. */
export interface ChildTimes {
  readonly creationUs: number;
  readonly removalUs: number;
}

const IN_FLIGHT = 16;

/** Fill a directory with `perDirectory` children and remove it, again and again, until there were `children` in all. */
export function childTimes({ perDirectory, children }: { perDirectory: number; children: number }): ChildTimes {
  const { dom0, machine } = testHost({ policy: 'daemon' });
  const rounds = Math.ceil(children / perDirectory);
  let creationMs = 0;
  let removalMs = 0;
  let isDone = false;
  dom0.os.start('bench', function* (me) {
    for (let round = 0; round < rounds; round++) {
      const begin = performance.now();
      const flight = [];
      for (let i = 0; i < perDirectory; i++) {
        flight.push(dom0.client.submit(me, XS.WRITE, octets(`/big/child-${i}\0`, 'value')));
        if (flight.length < IN_FLIGHT && i + 1 < perDirectory) continue;
        for (const pending of flight) while (pending.reply === undefined) yield PARK;
        flight.length = 0;
      }
      const filled = performance.now();
      yield* dom0.client.request(me, XS.RM, strings('/big'));
      creationMs += filled - begin;
      removalMs += performance.now() - filled;
    }
    isDone = true;
  });
  const came = machine.scheduler.runUntil(() => isDone, Number.MAX_SAFE_INTEGER, 1_000_000_000);
  if (came !== 'met') throw new Error(`it did not come to its end: ${came}`);
  const count = rounds * perDirectory;
  return { creationUs: (creationMs * 1000) / count, removalUs: (removalMs * 1000) / count };
}
