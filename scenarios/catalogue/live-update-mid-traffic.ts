import {
  type ClientHabits,
  careless,
  LINUX_HABITS,
  monitor,
  type Thread,
  worker,
  xenstoreScripts,
} from '../../guests/index.ts';
import type { Actor } from '../../sim/index.ts';
import { keepsDepth, keepsStanding, mayGoOn, moments, openRun, runAndJudge, startOperator } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, flag, type SettingsOf, STORE_SETTING, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';

const SETTINGS = {
  domains: count(12, { min: 1, max: 250 }, 'guest domains that live at the same time'),
  requests: count(
    8_000,
    { min: 0, max: 200_000 },
    'requests of everybody, the toolstack among them, after which the agents stop. All domains are made all the same, at some 500 requests each, and the last reading of the tree comes on top',
  ),
  updates: count(5, { min: 0, max: 1_000 }, 'live updates, spread over the traffic'),
  policy: word(
    'carry',
    ['carry', 'daemon'],
    'what happens to open transactions; under daemon an update waits for them, and is refused, forced or given up now and then',
  ),
  force: flag(0, '1: every update is forced (-F): it breaks transactions that stay open; matters for policy daemon'),
  workers: count(2, { min: 0, max: 64 }, 'agents in each guest'),
  limit: flag(0, "1: the daemon's write rate limit is on; it makes guests that hammer wait for most of the time"),
  faults: FAULTS_SETTING,
  store: STORE_SETTING,
  careless: count(
    0,
    { min: 0, max: 16 },
    'programs of dom0 that ask for everything with payloads that are none, and at the limits of what there may be',
  ),
  churn: flag(1, '1: every third domain is destroyed and made anew now and then'),
};

export const liveUpdateMidTraffic: Scenario = scenario({
  name: 'live-update-mid-traffic',
  story:
    'A dozen domains hammer xenstored through their rings while it live-updates itself several times; nothing may be lost.',
  worry: 'A store is updated while everybody uses it: which octet, event or transaction is lost?',
  settings: SETTINGS,
  does: ({ domains, updates, churn, workers, store }) =>
    doings({
      creates: true,
      builds: true,
      destroys: churn === 1 && domains > 1,
      remakes: churn === 1 && domains > 1,
      bare: true,
      alone: true,
      spares: domains > 4,
      updates: updates > 0,
      transacts: workers > 0,
      sockets: store === 'dom0',
    }),
  marks: ({ updates, policy, churn, workers }) =>
    marks({
      run: {
        update: updates > 0 && policy === 'carry',
        commit: true,
        event: true,
        'domain-made': true,
      },
      sweep: {
        update: updates > 0,
        'request-cut': updates > 0,
        'reply-cut': updates > 0,
        'reply-queued': updates > 0,
        'event-queued': updates > 0,
        'transaction-carried': updates > 0 && workers > 0 && policy === 'carry',
        'update-refused': updates > 0 && policy === 'daemon',
        'update-aborted': updates > 0 && policy === 'daemon',
        'update-forced': updates > 0 && policy === 'daemon',
        'transaction-broken': updates > 0 && policy === 'daemon',
        'start-aside': updates > 0 && workers > 0 && policy === 'daemon',
        'start-over-update': updates > 0 && workers > 0 && policy === 'daemon',
        conflict: workers > 0,
        'domain-gone': churn === 1,
      },
    }),
  run,
});

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const requestsMax = settings.requests;
  const run = openRun(request, {
    requestsMax,
    policy: settings.policy,
    limitsWrites: settings.limit === 1,
  });
  const { host } = run;
  const { machine, traffic, dom0 } = host;

  const plan = machine.streams.for('scenario');
  const { domains } = settings;
  const slow = new Set<number>();
  for (let i = 0; i < domains; i++) if (plan.oneIn(3)) slow.add(i);
  const share = Math.floor((requestsMax * 8) / 10 / Math.max(1, settings.updates));
  const atRequests = moments(settings.updates, Math.floor(requestsMax / 10), share, plan);

  // Where the image does not carry the depth of a watch, as in version 1, nobody asks for one.
  const hasDepth = request.asksForDepth === true || keepsDepth(request);
  const deep = (path: string) => (hasDepth ? { path, depth: 1 } : { path });
  let created = 0;
  /** Those who change something: the run is at rest when they have ended. */
  const writers: Thread[] = [];
  const xl = dom0.os.start('xl', function* (me): Actor {
    yield* host.initStore(me);
    yield* host.toolstack(me, dom0.client, {
      domains,
      lifeNsMin: 8_000_000,
      lifeNsMax: settings.churn === 1 ? 30_000_000 : 0,
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
        const { os, client } = host.boot(built, habits);
        const { domid } = built.domain;
        for (let w = 0; w < settings.workers; w++)
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
    monitor(me, host.connect('xenopsd'), traffic, {
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
  const { stubdom } = host;
  if (stubdom !== undefined)
    writers.push(
      stubdom.os.start('worker', (me) =>
        worker(me, stubdom.client, traffic, {
          domid: host.storeDomid,
          sharedNodes: 3,
          thinkNsMax: 200_000,
          txThinkNsMax: 60_000,
          hasDepth,
          peers: peersOf(host.storeDomid),
        }),
      ),
    );
  writers.push(xl);
  const { me: lu } = startOperator(run, {
    atRequests,
    force: settings.force === 1,
  });
  writers.push(lu);
  writers.push(
    dom0.os.start('hotplug', (me) =>
      xenstoreScripts(me, traffic, { thinkNsMax: 300_000, connect: (program) => host.connect(program) }),
    ),
  );

  for (let n = 0; n < settings.careless; n++)
    writers.push(
      dom0.os.start(`careless${n}`, (me) =>
        careless(me, traffic, {
          thinkNsMax: 200_000,
          connect: () => host.connect(`careless${n}`),
          domids: Array.from({ length: domains + 4 }, (_, i) => i + 1),
          setsLimits: keepsStanding(request),
        }),
      ),
    );

  return runAndJudge(run, {
    scenario: liveUpdateMidTraffic.name,
    isBusy: () => writers.some(mayGoOn) || host.inFlight > 0,
    created: () => created,
  });
}

/** Domids of neighbours that may or may not exist. */
function peersOf(domid: number): number[] {
  return [domid - 1, domid + 1, domid + 2].map((d) => Math.max(0, d));
}
