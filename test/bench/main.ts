import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Bench } from 'tinybench';
import { liveUpdateMidTraffic } from '../../scenarios/catalogue/live-update-mid-traffic.ts';
import { type Actor, loneMachine, type Machine, PARK } from '../../sim/index.ts';
import { besideDaemon } from './beside-daemon.ts';
import { childTimes } from './children.ts';
import { alone, judgedHeadline, startSeconds } from './judging.ts';
import type { ManyDomains } from './many.ts';
import { millionNodes } from './million.ts';
import { realDaemonRates } from './real-daemon.ts';
import { requestsOnHosts, ringRequests } from './ring.ts';
import { streamedOctets } from './stream.ts';
import { updatePause } from './update.ts';

/** One line of the table: what was done in one round, how often a second. */
interface Line {
  readonly name: string;
  readonly unit: string;
  readonly perRound: number;
  /** Called before each round, and not measured. */
  readonly prepare?: () => void;
  readonly round: () => void;
}

const STEPS = 1_000_000;

function schedulerSteps(): void {
  const machine = loneMachine({ seed: '1', jitter: { stepNs: 64, absentOneIn: 1024, absentNsMax: 200_000 } });
  for (let i = 0; i < 16; i++)
    machine.start(
      `a${i}`,
      undefined,
      (function* (): Actor {
        for (let n = 0; n < STEPS / 16; n++) yield 20;
      })(),
    );
  machine.scheduler.run(Number.MAX_SAFE_INTEGER);
}

/** Two domains that are about to work, beside `idle` ones of which each has a task that sleeps. */
function beside(idle: number): Machine {
  const machine = loneMachine({ seed: '1', jitter: { stepNs: 64, absentOneIn: 1024, absentNsMax: 200_000 } });
  const sleeper = function* (): Actor {
    for (;;) yield PARK;
  };
  const worker = function* (): Actor {
    for (let n = 0; n < STEPS / 2; n++) yield 20;
  };
  for (let domid = 1; domid <= idle + 2; domid++) {
    const domain = machine.createDomain(domid, `d${domid}`);
    machine.unpause(domain);
    machine.start(`d${domid}`, domain, domid <= idle ? sleeper() : worker());
  }
  machine.scheduler.run(0); // they fall asleep
  return machine;
}

/** The host of the round to come: making it is no part of the round. */
let prepared = beside(0);

const REQUESTS = 50_000;
let headlineRequests = 0;

const lines: readonly Line[] = [
  { name: 'scheduler, 16 actors', unit: 'steps/s', perRound: STEPS, round: schedulerSteps },
  ...[0, 1_000].map((idle) => ({
    name: `scheduler, 2 domains beside ${idle.toLocaleString('en')} idle ones`,
    unit: 'steps/s',
    perRound: STEPS,
    prepare: () => {
      prepared = beside(idle);
    },
    round: () => void prepared.scheduler.run(Number.MAX_SAFE_INTEGER),
  })),
  {
    name: 'READ through rings, 1 guest, 16 in flight',
    unit: 'requests/s',
    perRound: REQUESTS,
    round: () => ringRequests({ guests: 1, requests: REQUESTS, kind: 'read' }),
  },
  {
    name: 'READ and WRITE through rings, 12 guests',
    unit: 'requests/s',
    perRound: REQUESTS,
    round: () => ringRequests({ guests: 12, requests: REQUESTS, kind: 'mixed' }),
  },
  ...[1, 2].map((hosts) => ({
    name: `READ and WRITE, 6 guests on each of ${hosts} ${hosts === 1 ? 'host' : 'hosts'}`,
    unit: 'requests/s',
    perRound: REQUESTS,
    round: () => requestsOnHosts(hosts, { guests: 6, requests: REQUESTS / hosts, kind: 'mixed' }),
  })),
  {
    name: 'live migration, V to W over a link',
    unit: 'octets/s',
    perRound: streamedOctets(),
    round: () => void streamedOctets(),
  },
  {
    name: 'headline scenario, nobody watching',
    unit: 'requests/s',
    perRound: 20_000,
    round: () => {
      liveUpdateMidTraffic.run({ seed: '1', format: 'v2', settings: { requests: 20_000 }, checks: false });
    },
  },
  {
    name: 'headline scenario, recorded and judged',
    unit: 'requests/s',
    perRound: 20_000,
    round: () => {
      headlineRequests = liveUpdateMidTraffic.run({
        seed: '1',
        format: 'v2',
        settings: { requests: 20_000 },
        checks: true,
      }).requests;
    },
  },
];

const bench = new Bench({ iterations: 5, time: 0, warmupIterations: 1, warmupTime: 0 });
for (const { name, round, prepare } of lines)
  bench.add(name, round, prepare === undefined ? {} : { beforeEach: prepare });
await bench.run();

process.stdout.write(`node ${process.version}\n`);
for (const { name, unit, perRound } of lines) {
  const result = bench.getTask(name)?.result;
  const ms = result !== undefined && 'latency' in result ? result.latency.p50 : Number.NaN;
  process.stdout.write(
    `${name.padEnd(46)} ${Math.round((perRound / ms) * 1000)
      .toLocaleString('en')
      .padStart(12)} ${unit}\n`,
  );
}
const real = realDaemonRates();
if (typeof real === 'string') process.stdout.write(`a real daemon in lock-step: skipped: ${real}\n`);
else
  for (const [guests, perSecond] of real)
    process.stdout.write(
      `${`READ on a real daemon in lock-step, ${guests} guests`.padEnd(46)} ${perSecond.toLocaleString('en').padStart(12)} requests/s\n`,
    );
for (const nodes of [1_000, 100_000, 1_000_000]) {
  const { wallMs, virtualMs, imageBytes } = updatePause(nodes);
  process.stdout.write(
    `${`live update of ${nodes.toLocaleString('en')} nodes (v2)`.padEnd(46)} ${wallMs.toFixed(1).padStart(12)} ms wall, ${((wallMs * 1000) / nodes).toFixed(2)} us a node, ${virtualMs.toFixed(1)} ms virtual, ${imageBytes.toLocaleString('en')} octets\n`,
  );
}
for (const perDirectory of [100, 100_000]) {
  const { creationUs, removalUs } = childTimes({ perDirectory, children: 100_000 });
  process.stdout.write(
    `${`a child of ${perDirectory.toLocaleString('en')}`.padEnd(46)} ${creationUs.toFixed(1).padStart(12)} us to make, ${removalUs.toFixed(1)} us to remove\n`,
  );
}
const million = millionNodes();
for (const [name, rate, records] of [
  ['a million nodes to a file (v2), by pieces', million.writeMBs, million.writeRecords],
  ['a million nodes from a file, by pieces', million.readMBs, million.readRecords],
] as const)
  process.stdout.write(
    `${name.padEnd(46)} ${rate.toLocaleString('en').padStart(12)} MB/s, ${records.toLocaleString('en')} records/s, ${million.megabytes.toFixed(0)} MB\n`,
  );
process.stdout.write(
  `${'  memory that they took'.padEnd(46)} ${million.heldMiB.toFixed(0).padStart(12)} MiB at most\n`,
);

process.stdout.write('\nrecorded and judged, user time\n');
const { requests, unobservedSeconds, judgedSeconds } = judgedHeadline();
const share = (1 - unobservedSeconds / judgedSeconds) * 100;
for (const [name, value, unit] of [
  ['headline, 16 guests, 1 update, 1,000 requests', judgedSeconds, 'a second'],
  ['  the same, nobody watching', unobservedSeconds, `a second; recording and judging take ${share.toFixed(0)} %`],
] as const)
  process.stdout.write(`${name.padEnd(46)} ${(requests / 1_000 / value).toFixed(1).padStart(12)} ${unit}\n`);
for (const [name, call] of [
  ['boot-storm, 64 domains', 'judgedBootStorm()'],
  ['headline, 20,000 requests', 'judgedLongRun(20_000)'],
  ['headline, 200,000 requests', 'judgedLongRun(200_000)'],
] as const) {
  const { seconds, mebibytes } = alone(call);
  process.stdout.write(
    `${name.padEnd(46)} ${seconds.toFixed(1).padStart(12)} s, ${mebibytes.toFixed(0)} MiB at most\n`,
  );
}
const dist = join(import.meta.dirname, '../..');
const sweepOf = (jobs: number) =>
  [
    join(dist, 'bin/xenarium.js'),
    'sweep',
    '--seeds',
    '1..16',
    '--jobs',
    String(jobs),
    '--set',
    'requests=4000',
  ] as const;
const [bundled = 0, modules = 0, bare = 0] = startSeconds([
  [join(dist, 'bin/xenarium.js'), 'list'],
  [join(dist, 'scenarios/cli.js'), 'list'],
  ['-e', '0'],
]);
const [one = 0, two = 0] = startSeconds([sweepOf(1), sweepOf(2)], 2);
for (const [name, value] of [
  [
    'start of the program (xenarium list)',
    `${bundled.toFixed(2)} s; as modules ${modules.toFixed(2)}, node alone ${bare.toFixed(2)}`,
  ],
  ['sweep of 16 seeds, 2 jobs', `${two.toFixed(1)} s, ${(one / two).toFixed(2)} times as fast as one`],
] as const)
  process.stdout.write(`${name.padEnd(46)} ${value}\n`);

process.stdout.write('\ndomains with 50 nodes and 10 watches each, two of them working\n');
let amongFew = 0;
for (const domains of [2, 10_000]) {
  const program = `import('${join(import.meta.dirname, 'many.js')}').then((m) => console.log(JSON.stringify(m.manyDomains(${domains}))))`;
  const { stdout } = spawnSync(process.execPath, ['--expose-gc', '-e', program], { encoding: 'utf8' });
  const { requestsPerSecond, bytesPerNode, bytesPerWatch }: ManyDomains = JSON.parse(stdout);
  const memory =
    domains > 100
      ? `, ${(amongFew / requestsPerSecond).toFixed(2)} of the cost among few, ${bytesPerNode.toFixed(0)} octets a node, ${bytesPerWatch.toFixed(0)} a watch`
      : '';
  amongFew = requestsPerSecond;
  process.stdout.write(
    `${`${domains.toLocaleString('en')} domains`.padEnd(46)} ${Math.round(requestsPerSecond).toLocaleString('en').padStart(12)} requests/s${memory}\n`,
  );
}

process.stdout.write('\ntest-xenstore, us an operation: C daemon, ours, ratio\n');
const times = await besideDaemon(join(import.meta.dirname, '../../scenarios/cli.js'));
if (typeof times === 'string') process.stdout.write(`skipped: ${times}\n`);
else
  for (const { name, daemonUs, oursUs } of times)
    process.stdout.write(
      `${name.padEnd(46)} ${daemonUs.toFixed(0).padStart(6)} ${oursUs.toFixed(0).padStart(6)} ${(oursUs / daemonUs).toFixed(2).padStart(6)}\n`,
    );
if (headlineRequests < 20_000) process.exitCode = 1;
