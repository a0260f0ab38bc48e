import { BAD_SUSPENDERS, type BadSuspender } from '../../guests/hostile/index.ts';
import {
  type BuiltDomain,
  buildDomain,
  type ClientHabits,
  handOver,
  LINUX_HABITS,
  LINUX_OLD_HABITS,
  MINIOS_HABITS,
  monitor,
  restoreGuest,
  resumeGuest,
  suspender,
  suspendGuest,
  type Thread,
  WINDOWS_HABITS,
  worker,
  XS,
  Xs,
} from '../../guests/index.ts';
import {
  destroyDomain,
  initDom0,
  introduceDomain,
  type Libxl,
  SUSPEND_PATIENCE_NS,
  writeDomain,
} from '../../guests/libxl/index.ts';
import { type Actor, DOMID_ANY, type Domain } from '../../sim/index.ts';
import type { Guest, Host } from '../engine/host.ts';
import { keepsDepth, mayGoOn, moments, openRun, runAndJudge, startOperator } from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, STORE_SETTING } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import type { Verdict, Violation } from '../judge/history.ts';
import { livesGoOn } from '../judge/invariants/lives.ts';

const HORIZON_NS = 300_000_000_000;
/** What a mini-os can take out of a ring in one piece, less a path: larger values would deadlock it (MO-2). */
const VALUE_MAX = 800;
/** How long the toolstack waits for a guest, and for the bad ones: nobody wants to see 60 s of nothing. */
const PATIENCE_NS = 1_000_000_000;
const BAD_PATIENCE_NS = 4_000_000;
/** The same on a daemon that holds writers up, and transactions while it waits for its update. */
const HELD_UP = { patienceNs: SUSPEND_PATIENCE_NS, badNs: 20_000_000_000 } as const;
/** How often it looks after one that may suspend late. */
const LOOK_NS = 1_000_000;

/** The kinds of clients, by slot. */
const KINDS = [
  { name: 'linux', habits: LINUX_HABITS, hasChannel: false, storePage: 'copied', avoids: [] },
  { name: 'old-linux', habits: LINUX_OLD_HABITS, hasChannel: true, storePage: 'copied', avoids: [] },
  {
    name: 'windows',
    habits: WINDOWS_HABITS,
    hasChannel: false,
    storePage: 'zeroed',
    avoids: [...WINDOWS_HABITS.ignoredTypes, XS.DIRECTORY_PART],
  },
  { name: 'mini-os', habits: MINIOS_HABITS, hasChannel: false, storePage: 'copied', avoids: [] },
] as const;
type Kind = (typeof KINDS)[number];

const SETTINGS = {
  domains: count(8, { min: 1, max: 100 }, 'guest domains; Linux, old Linux, Windows and mini-os in turn'),
  bad: count(3, { min: 0, max: 50 }, 'guests that do not suspend as they should'),
  requests: count(
    7_000,
    { min: 0, max: 200_000 },
    'requests of everybody, the toolstack among them, after which the agents stop. All domains are made all the same, and the last reading of the tree comes on top',
  ),
  updates: count(4, { min: 0, max: 1_000 }, 'live updates, spread over the traffic'),
  store: STORE_SETTING,
  faults: FAULTS_SETTING,
  restores: count(50, { min: 0, max: 100 }, 'of 100 suspends, how many end in a new domain'),
};

export const suspendResume: Scenario = scenario({
  name: 'suspend-resume',
  story:
    'Guests with four kinds of clients are suspended amid their traffic, again and again: some go on where they were, others in new domains with their memory; the store live-updates itself all the while.',
  worry:
    'Agents of Linux, Windows and mini-os are suspended with requests under way and change their port: who is lost?',
  settings: SETTINGS,
  does: ({ domains, restores, updates, store }) =>
    doings({
      creates: true,
      destroys: restores > 0,
      bare: true,
      alone: true,
      spares: domains > 4,
      updates: updates > 0,
      transacts: true,
      sockets: store === 'dom0',
    }),
  marks: ({ updates, restores }) =>
    marks({
      run: {
        update: updates > 0,
        suspend: true,
        event: true,
      },
      sweep: {
        resume: restores < 100,
        restore: restores > 0,
        'request-cut': updates > 0,
        'reply-queued': updates > 0,
        'event-queued': updates > 0,
        'transaction-carried': updates > 0,
        'end-in-update': updates > 0,
      },
    }),
  run,
});

/** What the toolstack did and saw. */
interface Tally {
  suspends: number;
  byChannel: number;
  resumed: number;
  withoutWord: number;
  unheard: number;
  restored: number;
  created: number;
  bad: number;
  readonly surprises: { readonly timeNs: number; readonly actor: string; readonly detail: string }[];
}

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const requestsMax = settings.requests;
  const run = openRun(request, {
    requestsMax,
  });
  const { host } = run;
  const { machine, traffic, dom0, faults } = host;
  const hasFaults = faults.faults.length > 0 || request.cuts?.asks !== undefined;
  const plan = machine.streams.for('scenario');
  const share = Math.floor((requestsMax * 8) / 10 / Math.max(1, settings.updates));
  const atRequests = moments(settings.updates, Math.floor(requestsMax / 10), share, plan);
  const hasDepth = keepsDepth(request);
  const tally: Tally = {
    suspends: 0,
    byChannel: 0,
    resumed: 0,
    withoutWord: 0,
    unheard: 0,
    restored: 0,
    created: 0,
    bad: 0,
    surprises: [],
  };
  const writers: Thread[] = [];
  const xl = host.libxl(dom0.client, { hasBackends: false });
  const workers: Thread[] = [];
  const stage: Stage = {
    host,
    xl,
    tally,
    writers,
    workers,
    hasDepth,
    restoresOf100: settings.restores,
    ...(request.real === undefined ? { patienceNs: PATIENCE_NS, badNs: BAD_PATIENCE_NS } : HELD_UP),
  };

  const builder = dom0.os.start('xl', function* (me): Actor {
    const xs = new Xs(dom0.client, me);
    yield* xs.write('/shared', '');
    yield* xs.setPerms('/shared', ['b0']);
    yield* host.initStore(me);
    yield* initDom0(me, dom0.client);
    for (let slot = 0; slot < settings.domains; slot++) yield* raise(stage, xs, slot);
    for (let i = 0; i < settings.bad; i++)
      yield* raiseBad(stage, xs, BAD_SUSPENDERS[i % BAD_SUSPENDERS.length] as BadSuspender, i);
  });
  dom0.os.start('xenopsd', (me) =>
    monitor(me, dom0.client, traffic, {
      watches: ['/local/domain', '@introduceDomain', '@releaseDomain', '/shared'].map((path) => ({ path })),
      readsEvents: true,
      perEventNsMax: 5_000,
    }),
  );
  const { me: lu } = startOperator(run, { atRequests, link: () => dom0.client });
  writers.push(builder, lu);

  return runAndJudge(run, {
    scenario: suspendResume.name,
    isBusy: () => {
      // With nobody left to make traffic the moments of further updates never come.
      if (!mayGoOn(builder) && !workers.some(mayGoOn)) traffic.stopping = true;
      return [...writers, ...workers].some(mayGoOn) || host.inFlight > 0;
    },
    horizonNs: HORIZON_NS,
    created: () => tally.created,
    verdicts: (history) => [livesGoOn(history), suspensions(tally, hasFaults)],
  });
}

interface Stage {
  readonly host: Host;
  /** The process that writes all domains' trees. */
  readonly xl: Libxl;
  readonly tally: Tally;
  /** Those who change something: the run is at rest when they have ended. */
  readonly writers: Thread[];
  /** Those among them who make the traffic. */
  readonly workers: Thread[];
  readonly hasDepth: boolean;
  readonly restoresOf100: number;
  /** How long an answer to a suspend is waited for, of guests and of bad ones. */
  readonly patienceNs: number;
  readonly badNs: number;
}

/** Build a guest, start its programs, and the one in dom0 that suspends it now and then. */
function* raise(stage: Stage, xs: Xs, slot: number): Actor {
  const { host, writers, workers, hasDepth } = stage;
  const { dom0, traffic } = host;
  const kind = KINDS[slot % KINDS.length] as Kind;
  const built = yield* build(stage, xs, `${kind.name}${slot}`);
  if (built === undefined) return;
  // Every other one reads slowly, so that suspends meet messages of which a part was taken.
  const slowReadNsMax = slot % 8 < 4 ? 60_000 : 0;
  const habits: ClientHabits = { ...kind.habits, tornOneIn: 3, tornNsMax: 20_000, slowReadNsMax };
  const guest = host.boot(built, habits);
  const { os, client } = guest;
  const { domid } = built.domain;
  os.start('suspend', (me) => suspender(me, os, client, { hasChannel: kind.hasChannel }));
  const busy = os.start('worker', (me) =>
    worker(me, client, traffic, {
      domid,
      sharedNodes: 3,
      thinkNsMax: 20_000,
      txThinkNsMax: 40_000,
      hasDepth,
      peers: [domid + 1, domid + 2],
      avoids: kind.avoids,
      valueMax: VALUE_MAX,
      sparesKernel: true,
    }),
  );
  workers.push(busy);
  os.start('agent', (me) =>
    monitor(me, client, traffic, {
      watches: [{ path: 'data' }, { path: '/shared' }, { path: 'memory/target' }],
      readsEvents: true,
      perEventNsMax: 10_000,
    }),
  );
  dom0.os.hyper.unpause(domid);
  writers.push(dom0.os.start(`xl-${slot}`, (me) => cycle(stage, me, { guest, worker: busy, kind })));
}

/** Suspend and let go on, over and over. */
function* cycle(
  stage: Stage,
  me: Thread,
  { guest, worker, kind }: { readonly guest: Guest; readonly worker: Thread; readonly kind: Kind },
): Actor {
  const { host, tally, restoresOf100 } = stage;
  const { dom0, traffic, machine } = host;
  const xs = new Xs(dom0.client, me);
  const { draws } = me;
  let isStoreTold = true;
  for (;;) {
    yield draws.between(1_000_000, 6_000_000);
    if (traffic.stopping) return host.faults.faults.length === 0 ? undefined : yield* letGoOn(host, xs, guest, worker);
    const from = guest.os.domain;
    const outcome = yield* suspendGuest(xs, dom0.os, { domid: from.domid, patienceNs: stage.patienceNs });
    tally.suspends++;
    if (outcome.kind === 'runs on' && !isStoreTold && from.shutdown === 'suspend') {
      // 1. It was resumed without XS_RESUME. 2. It parks again, of which the store tells nobody (DOM-24). 3. The time is up.
      tally.unheard++;
      isStoreTold = true;
      yield* resumeGuest(xs, dom0.os, { domid: from.domid, how: 'fast' });
      continue;
    }
    if (outcome.kind !== 'suspended') {
      tally.surprises.push({ timeNs: machine.nowNs, actor: me.name, detail: `asked to suspend: ${outcome.kind}` });
      if (outcome.kind === 'gone' || outcome.kind === 'shut down') return;
      // As xl does after a save that failed: the guest may have parked all the same, before it was asked or after the time.
      yield* resumeGuest(xs, dom0.os, { domid: from.domid, how: 'fast' });
      isStoreTold = true;
      continue;
    }
    if (outcome.heard === 'channel') tally.byChannel++;
    yield draws.below(1_500_000); // the last pages on their way
    // 1. A fault parks the guest amid its messages (INJ-D9, INJ-D10). 2. The toolstack, which has asked, takes that for the answer.
    // 3. A kernel that has not made the call itself cannot go on in another domain: it would write into its old pages.
    if (draws.below(100) < restoresOf100 && guest.os.isParked) {
      const isBuilt = yield* host.libxlFiles.beginToBuild();
      const heir = yield* restoreGuest(xs, dom0.os, {
        from,
        name: from.name,
        storeDomid: host.storeDomid,
        storePage: kind.storePage,
        writeTree: (domain, { gfn, port }) => tree(stage, me, { domain, gfn, port }, `${domain.name}--incoming`),
        introduce: (heir) => introduceDomain(me, stage.xl, heir),
        destroy: (domid) => destroyDomain(me, stage.xl, domid),
      });
      isBuilt();
      if (heir !== undefined) {
        tally.restored++;
        tally.created++;
        isStoreTold = true;
        yield* handOver(xs, dom0.os, from, heir, (domid) => destroyDomain(me, stage.xl, domid));
        continue;
      }
      tally.surprises.push({ timeNs: machine.nowNs, actor: me.name, detail: 'the restore came to nothing' });
    }
    tally.resumed++;
    const tellsStore = !draws.oneIn(4); // INJ-D11
    isStoreTold = tellsStore;
    if (!tellsStore) tally.withoutWord++;
    yield* resumeGuest(xs, dom0.os, { domid: from.domid, how: 'fast', tellsStore });
  }
}

/**
 * 1. A guest is asked to suspend; a fault keeps it busy, or parks it for an instant (INJ-D9). 2. The toolstack takes the one for a
 * refusal, the other for the answer, and ends. 3. The guest hears of the request, and parks for ever. Whoever asked looks after
 * it until its work is done.
 */
function* letGoOn({ dom0 }: Host, xs: Xs, { os }: Guest, worker: Thread): Actor {
  while (mayGoOn(worker)) {
    const { domid, shutdown } = os.domain;
    if (shutdown === 'suspend') yield* resumeGuest(xs, dom0.os, { domid, how: 'fast' });
    yield LOOK_NS;
  }
}

/** One of those who do not suspend: what the toolstack gets from it, twice. */
function* raiseBad(stage: Stage, xs: Xs, kind: BadSuspender, i: number): Actor {
  const { host, tally, writers } = stage;
  const { dom0, traffic, machine } = host;
  const built = yield* build(stage, xs, `bad${i}-${kind.name}`);
  if (built === undefined) return;
  const { domid } = built.domain;
  const { os, client } = host.boot(built, LINUX_HABITS);
  os.start('bad', (me) => kind.run(me, os, client));
  dom0.os.hyper.unpause(domid);
  writers.push(
    dom0.os.start(`xl-bad${i}`, function* (me): Actor {
      const own = new Xs(dom0.client, me);
      for (let n = 0; n < 2 && !traffic.stopping; n++) {
        yield 1_000_000 + me.draws.below(3_000_000);
        const outcome = yield* suspendGuest(own, dom0.os, { domid, patienceNs: stage.badNs });
        tally.bad++;
        if (outcome.kind !== kind.gets)
          tally.surprises.push({
            timeNs: machine.nowNs,
            actor: me.name,
            detail: `${kind.name} (${kind.id}): ${kind.gets} was due, came ${outcome.kind}`,
          });
        if (os.domain.shutdown === 'suspend') yield* resumeGuest(own, dom0.os, { domid, how: 'fast' });
      }
    }),
  );
}

/** `undefined`: the store did not take it, which only a fault can cause. */
function* build(stage: Stage, xs: Xs, name: string): Actor<BuiltDomain | undefined> {
  const isBuilt = yield* stage.host.libxlFiles.beginToBuild();
  const built = buildDomain(stage.host.dom0.os, DOMID_ANY, name, stage.host.storeDomid);
  if (built === undefined) throw new Error('assertion: no domid is free');
  stage.tally.created++;
  const { domain, ring, port } = built;
  yield* tree(stage, xs.me, { domain, gfn: ring.gfn, port }, name);
  const { domid } = domain;
  const error = yield* introduceDomain(xs.me, stage.xl, built);
  isBuilt();
  if (error === undefined) return built;
  stage.host.traffic.refused(`${error} at INTRODUCE`);
  yield* destroyDomain(xs.me, stage.xl, domid);
  return undefined;
}

/** The create flow's part in the store before INTRODUCE: transactions A and B. */
function* tree(
  { host, xl }: Stage,
  me: Thread,
  built: { readonly domain: Domain; readonly gfn: number; readonly port: number },
  name: string,
): Actor<boolean> {
  const written = yield* writeDomain(me, xl, built, { name, type: 'pv' });
  host.traffic.conflicts += written.conflicts;
  return written.rc === 0;
}

/** With faults guests die and are held up at any moment, and restores are refused: then it is only counted. */
function suspensions(tally: Tally, hasFaults: boolean): Verdict {
  return {
    invariant: 'suspends',
    claim: 'Each guest that was asked to suspend did, and of those that do not the toolstack got what is due',
    source: 'libxl_dom_suspend.c; guests.md 3.5, 5 BAD-31 to BAD-33',
    checked: [
      ['suspends', tally.suspends],
      ['heard over a channel', tally.byChannel],
      ['resumed in place', tally.resumed],
      ['without XS_RESUME', tally.withoutWord],
      ['not heard of for that', tally.unheard],
      ['restored', tally.restored],
      ['bad ones asked', tally.bad],
    ],
    violations: (hasFaults ? [] : tally.surprises).map(
      ({ timeNs, actor, detail }): Violation => ({ invariant: 'suspends', seq: 0, timeNs, actor, request: '', detail }),
    ),
  };
}
