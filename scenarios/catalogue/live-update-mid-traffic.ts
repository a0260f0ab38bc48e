import {
  type ClientHabits,
  hotplug,
  LINUX_HABITS,
  type Me,
  monitor,
  operator,
  quiesce,
  readTree,
  type SeenNode,
  toolstack,
  worker,
} from '../../guests/index.ts';
import type { Actor } from '../../sim/index.ts';
import { extentOf } from '../../store/format/model/index.ts';
import { FAULTS_SETTING, FaultPlan } from '../faults/plan.ts';
import { checkHistory } from '../invariants/index.ts';
import type { RunRequest, RunResult, Scenario, UpdateReport } from '../scenario.ts';
import { LIFELIKE, STORE_BINARY, STORE_SETTING, World } from '../world.ts';

/** Virtual time after which a run that has not ended is stuck. */
const HORIZON_NS = 120_000_000_000;
/** The machine checks itself so often: a few dozen times in a run. */
const CHECK_EVERY_STEPS = 20_000;
/** How often the run is asked whether it has ended. */
const SLICE_NS = 1_000_000;

export const liveUpdateMidTraffic: Scenario = {
  name: 'live-update-mid-traffic',
  story:
    'A dozen domains hammer xenstored through their rings while it live-updates itself several times; nothing may be lost.',
  settings: {
    domains: { default: 12, meaning: 'guest domains that live at the same time' },
    requests: { default: 8_000, meaning: 'requests after which the agents stop' },
    updates: { default: 5, meaning: 'live updates, spread over the traffic' },
    policy: { default: 'carry', meaning: 'what happens to open transactions', words: ['carry', 'daemon'] },
    force: { default: 0, meaning: '1: updates are forced (-F) when transactions stay open; matters for policy daemon' },
    workers: { default: 2, meaning: 'agents in each guest' },
    limit: {
      default: 0,
      meaning: "1: the daemon's write rate limit is on; it makes guests that hammer wait for most of the time",
    },
    faults: FAULTS_SETTING,
    store: STORE_SETTING,
    churn: { default: 1, meaning: '1: every third domain is destroyed and made anew now and then' },
  },
  run,
};

function run(request: RunRequest): RunResult {
  const { settings, seed, format } = request;
  const number = (name: string) => Number(settings[name]);
  const policy = settings.policy === 'daemon' ? 'daemon' : 'carry';
  const requestsMax = number('requests');
  const world = new World({
    seed,
    jitter: LIFELIKE,
    requestsMax,
    policy,
    compat: '4.22',
    storeIn: String(settings.store ?? 'dom0'),
    records: request.checks,
    ...(request.checks ? { checkEverySteps: CHECK_EVERY_STEPS } : {}),
    limitsWrites: number('limit') === 1,
    lab: request.lab,
    passImage: (image, n) => faults.passImage(request.passImage?.(image, n) ?? image),
    execFails: (n) => request.execFails?.(n) === true || faults.execFails(policy),
  });
  const { machine, traffic, dom0 } = world;
  if (request.traceLine !== undefined) world.traceTo(request.traceLine);

  const faults = new FaultPlan(machine, String(settings.faults ?? 'off'));
  if (faults.faults.length > 0) request.planned?.(faults.faults);
  faults.arm(world, () => traffic.stopping);
  world.store.movesInSteps = faults.storeMovesInSteps();

  const plan = machine.streams.for('scenario');
  const domains = number('domains');
  const slow = new Set<number>();
  for (let i = 0; i < domains; i++) if (plan.oneIn(3)) slow.add(i);
  const atRequests = faults.updates(updateMoments(number('updates'), requestsMax, plan));

  // Where the image does not carry the depth of a watch, as in version 1, nobody asks for one.
  const hasDepth =
    request.asksForDepth === true ||
    (request.lab === undefined ? format !== 'v1' : extentOf(request.lab.carriage, 'watchDepth') !== 'none');
  const deep = (path: string) => (hasDepth ? { path, depth: 1 } : { path });
  let created = 0;
  /** Those who change something: the run is at rest when they have ended. */
  const writers: Me[] = [];
  const xl = dom0.os.start('xl', function* (me): Actor {
    yield* world.initStore(me);
    yield* toolstack(me, dom0.os, dom0.client, traffic, {
      domains,
      lifeNsMin: 8_000_000,
      lifeNsMax: number('churn') === 1 ? 30_000_000 : 0,
      mishaps: faults,
      livesForEver: (slot) => slot % 3 !== 1,
      boot: (built, slot) => {
        created++;
        const habits: ClientHabits = {
          ...LINUX_HABITS,
          notify: slot % 4 === 3 ? 'always' : 'edge',
          // Many are caught between two octets of a request: that is what an update must survive.
          tornOneIn: 3,
          tornNsMax: 40_000,
          slowReadNsMax: slow.has(slot) ? 150_000 : 0,
          maxInFlight: 1 + (slot % 8) * 2,
        };
        const { os, client } = world.boot(built, faults.habits(habits));
        const { domid } = built.domain;
        for (let w = 0; w < number('workers'); w++)
          writers.push(
            os.start(`worker${w}`, (me) =>
              worker(me, client, traffic, {
                domid,
                sharedNodes: 3,
                thinkNsMax: 20_000,
                txThinkNsMax: 60_000,
                hasDepth,
                peers: peersOf(domid),
              }),
            ),
          );
        if (slot % 4 === 0)
          os.start('agent', (me) =>
            monitor(me, client, traffic, {
              watches: [{ path: 'data' }, { path: '/shared' }, deep('@releaseDomain')],
              readsEvents: true,
              perEventNsMax: 10_000,
            }),
          );
      },
    });
  });
  dom0.os.start('xenopsd', (me) =>
    monitor(me, world.connect('xenopsd'), traffic, {
      watches: [
        { path: '/local/domain' },
        { path: '@introduceDomain' },
        { path: '@releaseDomain' },
        deep('@releaseDomain'),
        deep('/shared'),
      ],
      readsEvents: true,
      perEventNsMax: 5_000,
    }),
  );
  const { stubdom } = world;
  if (stubdom !== undefined)
    writers.push(
      stubdom.os.start('worker', (me) =>
        worker(me, stubdom.client, traffic, {
          domid: world.storeDomid,
          sharedNodes: 3,
          thinkNsMax: 200_000,
          txThinkNsMax: 60_000,
          hasDepth,
          peers: peersOf(world.storeDomid),
        }),
      ),
    );
  const answers: string[] = [];
  writers.push(xl);
  const lu = dom0.os.start('operator', (me) =>
    operator(me, world.connect('operator'), traffic, {
      atRequests,
      file: STORE_BINARY,
      version: format === 'v1' ? 1 : 2,
      force: number('force') === 1,
      timeoutSeconds: 0,
      answered: (n, answer) => {
        answers[n - 1] = answer;
      },
    }),
  );

  writers.push(lu);
  writers.push(
    dom0.os.start('hotplug', (me) =>
      hotplug(me, traffic, { thinkNsMax: 300_000, connect: (program) => world.connect(program) }),
    ),
  );

  const nodes: SeenNode[] = [];
  let finished = false;
  dom0.os.start('verifier', (me) =>
    quiesce(
      me,
      () => writers.some(isWorking) || world.inFlight > 0,
      function* (own) {
        yield* readTree(own, dom0.client, nodes);
        finished = true;
      },
    ),
  );

  let horizon = SLICE_NS;
  while (!finished && horizon <= (request.horizonNs ?? HORIZON_NS) && machine.scheduler.run(horizon))
    horizon += SLICE_NS;
  if (finished) world.recorder?.snapshot(nodes);
  world.watch?.check();

  const history = world.recorder?.history();
  const verdicts = history === undefined ? [] : checkHistory(history);
  const violated = verdicts.some((v) => v.violations.length > 0);
  const updates = world.store.updates.map((u, i): UpdateReport => ({ ...u, answer: answers[i] ?? '' }));
  const reason = finished
    ? ''
    : `the run did not come to rest: ${world.inFlight} requests unanswered at ${machine.nowNs} ns`;
  return world.result({
    request,
    scenario: liveUpdateMidTraffic.name,
    outcome: violated ? 'violation' : finished ? 'pass' : 'unknown',
    reason,
    created,
    ...(faults.faults.length === 0 ? {} : { faults: faults.faults }),
    updates,
    verdicts,
    history,
  });
}

function isWorking({ task }: Me): boolean {
  return task !== undefined && task.state !== 'done' && task.domain?.dying === 'alive' && !task.domain.shutdown;
}

/** Domids of neighbours that may or may not exist. */
function peersOf(domid: number): number[] {
  return [domid - 1, domid + 1, domid + 2].map((d) => Math.max(0, d));
}

/** Moments in requests, spread over the traffic and drawn within each share of it. */
function updateMoments(
  updates: number,
  requests: number,
  plan: { between(min: number, max: number): number },
): number[] {
  const share = Math.floor((requests * 8) / 10 / Math.max(1, updates));
  const first = Math.floor(requests / 10);
  return Array.from({ length: updates }, (_, i) => first + i * share + plan.between(0, Math.max(0, share - 1)));
}
