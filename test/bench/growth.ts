import { LINUX_HABITS, octets, type Pending, strings, type Thread, XS, type XsClient } from '../../guests/index.ts';
import { liveUpdateMidTraffic } from '../../scenarios/catalogue/live-update-mid-traffic.ts';
import type { Host } from '../../scenarios/engine/host.ts';
import { type Actor, PARK } from '../../sim/index.ts';
import { testHost } from '../support/host.ts';
import { userSeconds } from './user-time.ts';

// How the cost of a request grows with what there is beside it: `npm run bench:growth`, some minutes. User time, best of three.

const SIZES = [10, 100, 1_000, 10_000];
const REQUESTS = 20_000;
const ACTIVE = 2;
const IN_FLIGHT = 16;
const ROUNDS = 3;
const HABITS = { ...LINUX_HABITS, tornOneIn: 0, tornNsMax: 0, maxInFlight: IN_FLIGHT } as const;

/** What there is `n` of, besides two guests that read and write nodes that nobody else looks at. */
const BESIDES: Readonly<Record<string, (host: Host, me: Thread, n: number) => Actor>> = {
  *'idle domains'(host, me, n) {
    for (let domid = 10; domid < 10 + n; domid++) yield* introduce(host, me, domid);
  },
  *'nodes, 100 in a directory'({ dom0 }, me, n) {
    const write = (i: number) => octets(`/data/d${Math.floor(i / 100)}/n${i}\0`, `value ${i}`);
    yield* each(dom0.client, me, n, (i) => [XS.WRITE, write(i)]);
  },
  *'watches on other nodes'({ dom0 }, me, n) {
    yield* each(dom0.client, me, n, (i) => [XS.WATCH, strings(`/data/w${i}`, `token ${i}`)]);
  },
  *'open transactions'({ dom0 }, me, n) {
    yield* each(dom0.client, me, n, () => [XS.TRANSACTION_START, octets('\0')]);
  },
};

function* introduce(host: Host, me: Thread, domid: number): Actor<ReturnType<Host['build']>> {
  const built = host.build(domid, `domU${domid}`);
  yield* host.dom0.client.request(me, XS.INTRODUCE, strings(String(domid), '1', String(built.port)));
  return built;
}

function* each(client: XsClient, me: Thread, n: number, of: (i: number) => readonly [number, Uint8Array]): Actor {
  const flight: Pending[] = [];
  for (let i = 0; i < n; i++) {
    flight.push(client.submit(me, ...of(i)));
    if (flight.length === IN_FLIGHT || i === n - 1)
      for (const pending of flight.splice(0)) {
        while (pending.reply === undefined) yield PARK;
        if (pending.reply.error !== undefined) throw new Error(`request ${i} was refused: ${pending.reply.error}`);
      }
  }
}

/** User microseconds of a request with `n` of something beside it. */
function besides(make: (host: Host, me: Thread, n: number) => Actor, n: number): number {
  const host = testHost({ policy: 'carry', limitsWrites: false });
  const { dom0, machine } = host;
  const guests: ReturnType<Host['boot']>[] = [];
  let waiting = 0;
  const settle = () => {
    const came = machine.scheduler.runUntil(() => waiting === 0, Number.MAX_SAFE_INTEGER, 1_000_000_000);
    if (came !== 'met') throw new Error(`${waiting} are stuck`);
  };
  waiting++;
  dom0.os.start('toolstack', function* (me): Actor {
    for (let domid = 1; domid <= ACTIVE; domid++) {
      const built = yield* introduce(host, me, domid);
      yield* dom0.client.request(me, XS.WRITE, octets(`/local/domain/${domid}/data/value\0`, 'first'));
      yield* dom0.client.request(me, XS.SET_PERMS, strings(`/local/domain/${domid}/data/value`, `n${domid}`));
      guests.push(host.boot(built, HABITS));
      machine.unpause(built.domain);
    }
    yield* make(host, me, n);
    waiting--;
  });
  settle();
  const load = () => {
    for (const { os, client } of guests) {
      waiting++;
      os.start('load', function* (me): Actor {
        yield* each(client, me, REQUESTS / ACTIVE, (i) =>
          i % 2 === 0 ? [XS.READ, strings('data/value')] : [XS.WRITE, octets('data/value\0', 'another')],
        );
        waiting--;
      });
    }
    settle();
  };
  load();
  return (Math.min(...Array.from({ length: ROUNDS }, () => userSeconds(load))) / REQUESTS) * 1e6;
}

/** User microseconds of a request in a run of `n` times 10 requests of the headline, judged or not. */
function ofLength(checks: boolean, n: number): number {
  let requests = 0;
  const run = () => {
    const settings = { domains: 4, updates: 1, requests: n * 10 };
    ({ requests } = liveUpdateMidTraffic.run({ seed: '1', format: 'v2', settings, checks }));
  };
  run();
  return (Math.min(...Array.from({ length: ROUNDS }, () => userSeconds(run))) / requests) * 1e6;
}

/** Costs at all sizes, and the power of the size that they grow with between the last two. */
function row(name: string, cost: (n: number) => number): void {
  const costs = SIZES.map(cost);
  const [before = 1, last = 1] = costs.slice(-2);
  const power = Math.log10(last / before);
  const cells = costs.map((us) => us.toFixed(1).padStart(9));
  process.stdout.write(`${name.padEnd(36)}${cells.join('')} ${power.toFixed(2).padStart(8)}\n`);
}

process.stdout.write(
  `${'user us of a request beside'.padEnd(36)}${SIZES.map((n) => n.toLocaleString('en').padStart(9)).join('')} exponent\n`,
);
for (const [name, make] of Object.entries(BESIDES)) row(name, (n) => besides(make, n));
row('length of a run, tens of requests', (n) => ofLength(false, n));
row('the same, recorded and judged', (n) => ofLength(true, n));
