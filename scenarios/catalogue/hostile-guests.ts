import {
  Attacker,
  entrustedTo,
  HOSTILE_KINDS,
  type HostileKind,
  type OtherDaemon,
  type StoreVersion,
} from '../../guests/hostile/index.ts';
import {
  buildDomain,
  curious,
  deviceModel,
  GuestOs,
  LINUX_HABITS,
  strings,
  type Thread,
  text,
  worker,
  XS,
  Xs,
} from '../../guests/index.ts';
import { untilFree } from '../../guests/libxl/index.ts';
import { type Actor, DOMID_ANY, type Stream, shuffled } from '../../sim/index.ts';
import { DEFAULT_QUOTAS, MESSAGE_NS, PASS_NS, WRITE_CREDIT_NS, WRITE_NS } from '../../store/index.ts';
import { HEADER_BYTES, PAYLOAD_MAX } from '../../store/protocol/wire.ts';
import { type Guest, type Host, LIFELIKE } from '../engine/host.ts';
import {
  isWorking,
  keepsDepth,
  keepsStanding,
  mayGoOn,
  moments,
  openRun,
  runAndJudge,
  startOperator,
} from '../engine/run.ts';
import {
  marks,
  type RealTraits,
  type RunRequest,
  type RunResult,
  type Scenario,
  scenario,
} from '../engine/scenario.ts';
import { count, FAULTS_SETTING, flag, type SettingsOf, STORE_SETTING, word } from '../engine/settings.ts';
import { doings } from '../faults/doings.ts';
import type { History, Verdict, Violation } from '../judge/history.ts';
import { fairService } from '../judge/invariants/fair-service.ts';

const HORIZON_NS = 300_000_000_000;

/** One turn: a message in and one out, each with the unevenness of a step; a pass: its own step, and one message on its way. */
const SERVICE = {
  turnNs: MESSAGE_NS + WRITE_NS + 2 * LIFELIKE.stepNs,
  passNs: PASS_NS + MESSAGE_NS + LIFELIKE.stepNs,
  slackNs: 4 * LIFELIKE.absentNsMax,
} as const;

/** How often the machine checks itself while a run is judged. */
const CHECK_EVERY_STEPS = 5_000;

const SETTINGS = {
  domains: count(8, { min: 1, max: 100 }, 'ordinary guest domains'),
  hostile: count(
    12,
    { min: 0, max: 100 },
    'hostile guest domains, their kinds drawn from the seed, each once before any comes again',
  ),
  kind: word('any', ['any', ...HOSTILE_KINDS.map((k) => k.name)], 'one kind for all hostile guests'),
  requests: count(
    2_500,
    { min: 100, max: 200_000 },
    'requests of dom0 and the ordinary guests after which the agents stop. All domains are made all the same, and the last reading of the tree comes on top',
  ),
  faults: FAULTS_SETTING,
  store: STORE_SETTING,
  updates: count(3, { min: 0, max: 1_000 }, 'live updates, spread over the traffic'),
  limit: flag(0, "1: the daemon's write rate limit is on; transactions of anybody then slow down everybody"),
};

export const hostileGuests: Scenario = scenario({
  name: 'hostile-guests',
  story:
    'Eight ordinary guests share the store with a dozen that break every rule, while it live-updates itself; each bad one gets what is due, and nobody else notices.',
  worry: 'A guest breaks every rule of the protocol: who else notices, and does an update make it worse?',
  settings: SETTINGS,
  does: ({ domains, updates, store }) =>
    doings({
      creates: true,
      builds: true,
      bare: true,
      alone: true,
      spares: domains > 4,
      updates: updates > 0,
      transacts: true,
      sockets: store === 'dom0',
    }),
  marks: ({ updates, hostile }) =>
    marks({
      run: {
        update: updates > 0,
        commit: true,
        hostile: hostile > 0,
      },
      sweep: {
        'request-cut': updates > 0,
        'reply-cut': updates > 0,
        'reply-queued': updates > 0,
        'event-queued': updates > 0,
        'transaction-carried': updates > 0,
        conflict: true,
      },
    }),
  run,
});

/** A domain's share of the write rate, for the most that a worker's request makes or removes (store.md 10.3). */
const CREDIT_NS = 12 * WRITE_CREDIT_NS;

/** How long a daemon that holds writers up may let them wait for an answer, ns. */
const HELD_UP_NS = 200_000_000_000;

/** What does not change in a run. */
interface Stage {
  readonly host: Host;
  readonly hasFaults: boolean;
  /** Whose consequences are due. */
  readonly version: StoreVersion;
  /** What was written for a domain that was not introduced is removed. */
  readonly removesRefused: boolean;
  readonly daemon: OtherDaemon;
}

function otherDaemon({ compat, limitsWrites }: RealTraits): OtherDaemon {
  return { leavesErrno: compat === '4.17', ...(limitsWrites && { patienceNs: HELD_UP_NS }) };
}

/** One hostile guest of a run. */
interface Bad {
  readonly kind: HostileKind;
  readonly domid: number;
  readonly introduced: string;
  attacker: Attacker | undefined;
  me: Thread | undefined;
}

function run(request: RunRequest<SettingsOf<typeof SETTINGS>>): RunResult {
  const { settings } = request;
  const requestsMax = settings.requests;
  const run = openRun(request, {
    requestsMax,
    checkEverySteps: CHECK_EVERY_STEPS,
    limitsWrites: settings.limit === 1,
  });
  const { host } = run;
  const { machine, traffic, dom0, faults } = host;
  const hasFaults = faults.faults.length > 0;
  const plan = machine.streams.for('scenario');
  // Other daemons keep what they have of a request when a domain is introduced once more.
  const able = HOSTILE_KINDS.filter(({ introducedAgain }) => introducedAgain !== true || request.real === undefined);
  const kinds = dealt(settings, able, machine.streams.for('kinds'));
  const share = Math.floor((requestsMax * 8) / 10 / Math.max(1, settings.updates));
  const atRequests = moments(settings.updates, Math.floor(requestsMax / 10), share, plan);

  const writers: Thread[] = [];
  /** Those among them who make the traffic. */
  const workers: Thread[] = [];
  /** The ordinary guests, as they came. */
  const guests: Guest[] = [];
  let booted = 0;
  const xl = dom0.os.start('xl', function* (me): Actor {
    yield* host.initStore(me);
    yield* host.toolstack(me, dom0.client, {
      domains: settings.domains,
      lifeNsMin: 0,
      lifeNsMax: 0,
      livesForEver: () => true,
      boot: (built, slot) => {
        booted++;
        const { os, client } = host.boot(built, {
          ...LINUX_HABITS,
          notify: slot % 2 === 0 ? 'edge' : 'always',
          maxInFlight: 4,
        });
        const { domid } = built.domain;
        if (guests.push({ os, client }) > 1 && keepsStanding(request))
          workers.push(
            os.start('curious', (own) => curious(own, client, traffic, { path: PROMISED, thinkNsMax: STANDING_NS })),
          );
        workers.push(
          os.start('worker', (own) =>
            worker(own, client, traffic, {
              domid,
              sharedNodes: 3,
              thinkNsMax: 40_000,
              txThinkNsMax: 60_000,
              hasDepth: keepsDepth(request),
              peers: [domid + 1],
            }),
          ),
        );
      },
    });
  });
  const bad: Bad[] = [];
  const stage: Stage = {
    host,
    hasFaults,
    version: request.real?.compat ?? '4.22',
    removesRefused: request.real?.avoids === true,
    daemon: request.real === undefined ? {} : otherDaemon(request.real),
  };
  const builder = dom0.os.start('xl-bad', function* (me): Actor {
    const xs = new Xs(dom0.client, me);
    // With the first guest the shared directories are there; or faults have let none of them come to be.
    while (booted === 0 && mayGoOn(xl)) yield 50_000;
    for (const [i, kind] of kinds.entries()) bad.push(...(yield* raise(stage, xs, kind, `bad${i}-${kind.name}`)));
  });
  if (keepsStanding(request))
    writers.push(
      dom0.os.start('xl-dm', function* (me): Actor {
        const xs = new Xs(dom0.client, me);
        while (guests.length === 0 && mayGoOn(xl)) yield 50_000;
        // Nobody is meant who has one of these numbers later.
        const later = Array.from({ length: 40 }, (_, i) => i + 1).filter(
          (domid) => machine.domain(domid) === undefined,
        );
        yield* xs.write(PROMISED, 'for nobody who is here');
        yield* xs.setPerms(PROMISED, ['n0', ...later.map((domid) => `r${domid}`)]);
        while (guests.length < 2 && mayGoOn(xl)) yield 50_000;
        const [served, model] = guests;
        if (served === undefined || model === undefined) return;
        const { domid } = model.os.domain;
        yield* xs.call(XS.SET_QUOTA, strings(String(domid), ...OWN_QUOTA));
        const home = served.os.domain.domid;
        const target = yield* xs.call(XS.SET_TARGET, strings(String(domid), String(home)));
        if (target.error !== undefined) return;
        const plan = { path: `/local/domain/${home}/data`, thinkNsMax: STANDING_NS };
        workers.push(model.os.start('device-model', (own) => deviceModel(own, model.client, traffic, plan)));
        while (!traffic.stopping) {
          yield STANDING_NS + me.draws.below(STANDING_NS);
          yield* xs.call(XS.GET_QUOTA, strings(String(domid), OWN_QUOTA[0]));
        }
      }),
    );
  const { me: lu } = startOperator(run, { atRequests, link: () => dom0.client });
  writers.push(xl, builder, lu);

  const accounts = new Map<number, string>();
  return runAndJudge(run, {
    scenario: hostileGuests.name,
    isBusy: () => {
      // With nobody left to make traffic the moments of further updates never come, and attackers go on for ever.
      if (!mayGoOn(xl) && !mayGoOn(builder) && !workers.some(mayGoOn)) traffic.stopping = true;
      const isAttacked = bad.some((b) => b.me !== undefined && isWorking(b.me));
      return [...writers, ...workers].some(mayGoOn) || isAttacked || host.inFlight > 0;
    },
    horizonNs: HORIZON_NS,
    *before(own) {
      const xs = new Xs(dom0.client, own);
      for (const b of bad) {
        if (b.introduced !== 'OK') continue;
        accounts.set(b.domid, text((yield* xs.call(XS.CONTROL, strings('quota', String(b.domid)))).payload));
      }
    },
    created: () => booted + bad.length,
    verdicts: (history) => [
      // A paused or slow guest keeps itself and others waiting: with faults there is no bound to wait for.
      ...(hasFaults ? [] : [fairService(history, { ...SERVICE, creditNs: settings.limit * CREDIT_NS })]),
      containment(stage, hasFaults ? bad.filter((b) => b.me !== undefined) : bad, accounts, history),
    ],
  });
}

/** Entries in it name domains before they are born. */
const PROMISED = '/tool/promised';
/** Longest pause of those who live on what the store keeps of them, ns. */
const STANDING_NS = 400_000;
/** A quota of one domain that is nobody's default, and that it never reaches. */
const OWN_QUOTA = ['transactions', '9'] as const;

/** What INTRODUCE has to answer. */
function dueOf(kind: HostileKind, version: StoreVersion): string {
  return kind.introduce?.(version) ?? 'OK';
}

/** A kind for each hostile guest: each once before any comes again, in an order that is drawn. */
function dealt(
  { hostile, kind }: SettingsOf<typeof SETTINGS>,
  able: readonly HostileKind[],
  draws: Stream,
): HostileKind[] {
  const offered = kind === 'any' ? able : HOSTILE_KINDS.filter(({ name }) => name === kind);
  const rounds = Math.ceil(hostile / offered.length);
  return Array.from({ length: rounds }, () => shuffled(draws, offered))
    .flat()
    .slice(0, hostile);
}

/** How often a toolstack looks whether a domain is to be introduced, ns. */
const AGAIN_NS = 20_000;

/** How long it is looked whether the id of a domain is free, ns. */
const FREE_NS = 20_000_000;

/** Let a hostile guest loose, or one after the other two with one id. */
function* raise(stage: Stage, xs: Xs, kind: HostileKind, name: string): Actor<Bad[]> {
  const { dom0, traffic } = stage.host;
  const first = yield* build(stage, xs, kind, name, DOMID_ANY);
  if (first === undefined) throw new Error('assertion: no domid is free');
  if (kind.introducedAgain === true) yield* introduceAgain(stage, xs, first);
  if (kind.comesAgain !== true) return [first];
  const { domid } = first;
  const entrusted = entrustedTo(domid);
  yield* xs.write(entrusted, 'for the first of that id');
  yield* xs.setPerms(entrusted, ['n0', `r${domid}`]);
  while (first.me !== undefined && isWorking(first.me) && !traffic.stopping) yield 50_000;
  dom0.os.hyper.destroyDomain(domid);
  yield* xs.rm(`/local/domain/${domid}`);
  if (!(yield* untilFree(dom0.os, domid, FREE_NS))) return [first];
  const second = yield* build(stage, xs, kind, name, domid);
  return second === undefined ? [first] : [first, second];
}

/** Build a hostile domain, introduce it, and let it go; `undefined`: the id is somebody's. */
function* build(stage: Stage, xs: Xs, kind: HostileKind, name: string, wanted: number): Actor<Bad | undefined> {
  const { host, hasFaults, version } = stage;
  const { dom0, machine, traffic } = host;
  const isBuilt = yield* host.libxlFiles.beginToBuild();
  const built = buildDomain(dom0.os, wanted, name, host.storeDomid);
  if (built === undefined) {
    isBuilt();
    return undefined;
  }
  const { domid } = built.domain;
  const os = new GuestOs(machine, built.domain);
  host.recorder?.distrust(domid);
  kind.before?.(os, built);
  const home = `/local/domain/${domid}`;
  for (const [path, value, perms] of [
    [home, '', ['n0', `r${domid}`]],
    [`${home}/name`, name, ['n0', `r${domid}`]],
    [`${home}/data`, '', [`n${domid}`]],
  ] as const) {
    yield* xs.write(path, value);
    yield* xs.setPerms(path, perms);
  }
  const reply = yield* xs.call(XS.INTRODUCE, strings(String(domid), String(built.ring.gfn), String(built.port)));
  const introduced = reply.error ?? text(reply.payload).slice(0, -1);
  // Nobody but a toolstack that has died leaves the nodes of a domain that the store does not take.
  if (stage.removesRefused && reply.error !== undefined) yield* xs.call(XS.RM, strings(home));
  isBuilt();
  const bad: Bad = { kind, domid, introduced, attacker: undefined, me: undefined };
  // One that a fault keeps out of the store would wait for answers for ever.
  if (hasFaults && introduced !== dueOf(kind, version)) return bad;
  dom0.os.hyper.unpause(domid);
  bad.me = os.start('bad', (me) => {
    bad.attacker = new Attacker(os, me, built, version, () => traffic.stopping, stage.daemon);
    return kind.run(bad.attacker);
  });
  return bad;
}

/** Introduce a domain at another port whenever it asks for that. Errors: none; one that is refused has its old port. */
function* introduceAgain({ host }: Stage, xs: Xs, bad: Bad): Actor {
  const isOver = () => bad.me === undefined || !isWorking(bad.me);
  while (!isOver()) {
    const { attacker } = bad;
    if (attacker?.isToBeIntroduced !== true) {
      yield AGAIN_NS;
      continue;
    }
    const port = host.dom0.os.hyper.allocUnbound(bad.domid, host.storeDomid);
    if (!port.ok) return;
    const { ring } = attacker.built;
    const { error } = yield* xs.call(XS.INTRODUCE, strings(String(bad.domid), String(ring.gfn), String(port.value)));
    attacker.begunAnew(error === undefined ? port.value : attacker.ring.port);
  }
}

/** What the hostile guests had to get, and whether the store kept to its quotas for them. */
function containment(
  { host, version }: Stage,
  bad: readonly Bad[],
  accounts: ReadonlyMap<number, string>,
  history: History,
): Verdict {
  const timeNs = host.machine.nowNs;
  const violations: Violation[] = [];
  const leftOver: Violation[] = [];
  const note = (b: Bad, detail: string, to = violations) =>
    to.push({
      invariant: 'containment',
      seq: 0,
      timeNs,
      actor: `bad domain ${b.domid}`,
      request: '',
      detail: `${b.kind.name} (${b.kind.ids.join(', ')}): ${detail}`,
    });
  let answers = 0;
  let quotas = 0;
  let counts = 0;
  const owned = nodesByOwner(history);
  for (const b of bad) {
    const due = dueOf(b.kind, version);
    if (b.introduced !== due) note(b, `INTRODUCE: ${due} was due, came ${b.introduced}`);
    answers += b.attacker?.expected ?? 0;
    for (const surprise of b.attacker?.surprises ?? []) note(b, surprise);
    for (const refusal of b.attacker?.leftOver ?? []) note(b, refusal, leftOver);
    for (const [label, most] of QUOTA_MOST) {
      const seen = new RegExp(`^${label} *: .*max *([0-9]+)`, 'm').exec(accounts.get(b.domid) ?? '')?.[1];
      if (seen === undefined) continue;
      quotas++;
      if (Number(seen) > most) note(b, `${label} rose to ${seen}, of ${most}`);
    }
    const counted = /^nodes *: *([0-9]+)/m.exec(accounts.get(b.domid) ?? '')?.[1];
    if (counted === undefined || owned === undefined) continue;
    counts++;
    const there = owned.get(b.domid) ?? 0;
    if (Number(counted) !== there) note(b, `is said to own ${counted} nodes, and owns ${there}`);
  }
  return {
    invariant: 'containment',
    claim: 'Each hostile guest got exactly the consequence of what it did, and the store kept to its quotas for it',
    source: 'guests.md 5; store.md 1.4, 2, 6',
    checked: [
      ['hostile guests', bad.length],
      ['kinds', new Set(bad.map((b) => b.kind.name)).size],
      ['answers as due', answers],
      ['quotas kept', quotas],
      ['accounts of nodes', counts],
    ],
    violations,
    ...(leftOver.length === 0 ? {} : { known: [{ ...LEFT_OVER, seen: leftOver }] }),
  };
}

/** A defect of xenstored 4.17. */
const LEFT_OVER = {
  label: 'left-over-errno',
  what: 'a refusal with whatever errno the process came across last',
} as const;

/** How many nodes each domain owns at the end; `undefined`: the tree was not read. */
function nodesByOwner({ records }: History): ReadonlyMap<number, number> | undefined {
  const tree = records.findLast((r) => r.kind === 'snapshot');
  if (tree?.kind !== 'snapshot') return undefined;
  const owned = new Map<number, number>();
  for (const { perms } of tree.nodes) {
    const owner = Number(perms[0]?.slice(1));
    owned.set(owner, (owned.get(owner) ?? 0) + 1);
  }
  return owned;
}

/** Largest values that the store's accounts may show. Memory: the hard limit is looked at before a message is read, so that
 *  one message of each direction may come on top. */
const QUOTA_MOST = [
  ['nodes', DEFAULT_QUOTAS.nodes],
  ['watches', DEFAULT_QUOTAS.watches],
  ['transactions', DEFAULT_QUOTAS.transactions],
  ['outstanding', DEFAULT_QUOTAS.outstanding],
  ['memory', DEFAULT_QUOTAS.memory + 2 * (HEADER_BYTES + PAYLOAD_MAX)],
] as const;
