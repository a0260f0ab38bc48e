import type { Thread } from '../../guests/index.ts';
import { type Actor, LAN, type LinkTraits } from '../../sim/index.ts';
import { withoutHost } from '../engine/host-guard.ts';
import { reportMigrations } from '../engine/migration-report.ts';
import { Migrations, type Moving } from '../engine/migrations.ts';
import {
  type HostPlan,
  type HostSettings,
  mayGoOn,
  openRun,
  openRuns,
  type Run,
  type Runs,
  runAllAndJudge,
} from '../engine/run.ts';
import { marks, type RunRequest, type RunResult, type Scenario, scenario } from '../engine/scenario.ts';
import { FAULTS_SETTING, type SettingSpecs, type SettingsOf } from '../engine/settings.ts';
import { type Doing, doings } from '../faults/doings.ts';
import type { History, Verdict } from '../judge/history.ts';
import { Findings } from '../judge/invariants/index.ts';
import { livesGoOn } from '../judge/invariants/lives.ts';
import { migrationOwners } from '../judge/invariants/migration-owners.ts';
import { migrationTraces } from '../judge/invariants/migration-traces.ts';
import { joinSessions } from '../judge/joined-sessions.ts';
import type { MarkName } from '../judge/marks.ts';
import type { StoryGuest } from './guest.ts';
import { StoryHost, type When } from './host.ts';
import { Moment } from './moment.ts';

/** What of a request a story may choose for itself: how its store is broken. */
type Breaks = Partial<Pick<RunRequest, 'passImage' | 'execFails' | 'startStore'>>;

/** A story: who there is, what they do, and when. */
export interface StoryPlan<S extends SettingSpecs> {
  /** In small letters, with hyphens. */
  readonly name: string;
  /** In one sentence. */
  readonly story: string;
  /** Which worry of real life it stands for; left out: nobody's. */
  readonly worry?: string;
  /** What can be set from outside; `faults` is there by itself. */
  readonly settings?: S;
  /** `false`: it expects what a fault may undo, and offers none. Left out: it takes them. */
  readonly faults?: false;
  /** What goes on in it, for faults that need it; left out: domains are made. */
  readonly does?: (settings: SettingsOf<S>) => Readonly<Partial<Record<Doing, boolean>>>;
  /** What must have happened in each run, and in a sweep of many, for a verdict to mean something; left out: its moments. */
  readonly marks?: (settings: SettingsOf<S>) => {
    readonly run?: readonly MarkName[];
    readonly sweep?: readonly MarkName[];
  };
  /** Its hosts, by name, or as they are to be; left out: one. */
  readonly hosts?: readonly (string | HostPlan)[];
  /** What the only host is like; left out: as most are. */
  readonly host?: (settings: SettingsOf<S>) => Omit<HostPlan, 'name'>;
  /** How its store is broken on purpose; left out: it is not. */
  readonly breaks?: (settings: SettingsOf<S>) => Breaks;
  /** Tells the story: makes guests, programs, moments. Nothing of it happens before it returns. */
  readonly tell: (story: Story, settings: SettingsOf<S>) => void;
}

/** How often it is looked whether a migration is over, ns. */
const LOOK_NS = 100_000;

/** A story that is being told, and then happens. */
export class Story {
  readonly hosts: readonly StoryHost[];
  readonly #migrations: Migrations | undefined;
  readonly #movers: Thread[] = [];
  readonly #moments: Moment[] = [];
  readonly #claims = new Findings('story');
  readonly #checks: ((history: History) => Verdict)[] = [];

  constructor(first: Run, runs: Runs | undefined) {
    this.hosts = (runs?.runs ?? [first]).map((run, at) => new StoryHost(run, at, runs !== undefined));
    if (runs !== undefined)
      this.#migrations = new Migrations(
        runs,
        this.hosts.map((host) => (name) => host.process(name)),
      );
  }

  /** The only host, or the first. */
  get host(): StoryHost {
    return this.hosts[0] as StoryHost;
  }

  /** Something that somebody says has come: `comes()`. A run in which it never does is `unknown`; `isDue` false: it may be left out. */
  moment(what: string, isDue = true): Moment {
    const moment = new Moment(what, isDue);
    this.#moments.push(moment);
    return moment;
  }

  /** What must be so now: if it is not, the run is a violation, which says `otherwise`. */
  expect(isSo: boolean, otherwise: string, who = ''): void {
    this.#claims.count('claims');
    const { host } = this.host;
    const seq = Math.max(0, (host.recorder?.length ?? 0) - 1);
    if (!isSo) this.#claims.add({ seq, timeNs: host.machine.nowNs }, who, '', otherwise);
  }

  /** A check of one's own over the recorded history of each host, beside those that judge every run. */
  check(check: (history: History) => Verdict): void {
    this.#checks.push(check);
  }

  /** `xl migrate` of a guest to another host, when this has come, or it is up. @returns when both sides have ended. */
  migrate(
    guest: StoryGuest,
    to: StoryHost,
    { after = guest.isUp, link = LAN, ...how }: When & Moving & { readonly link?: LinkTraits } = {},
  ): Moment {
    const migrations = this.#migrations;
    if (migrations === undefined)
      throw new Error('a guest cannot be moved: the story has one host; `hosts` names several');
    const over = new Moment(`${guest.name} was moved to ${to.name}`);
    this.#movers.push(
      this.host.host.dom0.os.start(`move-${guest.name}-${this.#movers.length + 1}`, function* (me): Actor {
        yield* after.wait(me);
        yield* guest.isUp.wait(me);
        const { name, uuid } = guest;
        const migration = migrations.start(guest.guest, to.place, { guest: name, uuid }, { link, ...how });
        while (!migrations.isOver(migration)) yield LOOK_NS;
        over.comes();
      }),
    );
    return over;
  }

  /** Run it to its end, and judge. */
  happen(name: string): RunResult {
    for (const host of this.hosts) host.begin();
    const runs = this.hosts.map(({ run }) => run);
    const migrations = this.#migrations;
    const result = runAllAndJudge(runs, {
      scenario: name,
      isBusy: () => {
        if (this.hosts.some(({ isBusy }) => isBusy) || this.#movers.some(mayGoOn)) return true;
        for (const { host } of runs) host.traffic.stopping = true;
        return runs.some(({ host }) => host.inFlight > 0);
      },
      verdicts: (history) => this.#checks.map((check) => check(history)),
      joined: (histories, isFinished) => this.#judge(histories, isFinished),
      ...(migrations === undefined
        ? {}
        : {
            migrations: () =>
              reportMigrations(
                migrations.all,
                migrations.history(),
                runs.map(({ host }) => host.recorder?.history()),
              ),
          }),
    });
    const missing = this.#moments.filter(({ isDue, hasCome }) => isDue && !hasCome).map(({ what }) => what);
    if (result.outcome !== 'pass' || missing.length === 0 || this.#hasFaults(result)) return result;
    return { ...result, outcome: 'unknown', reason: `never came: ${missing.join('; ')}` };
  }

  #hasFaults({ faults = [] }: RunResult): boolean {
    return faults.some(({ injected }) => injected > 0);
  }

  #judge(histories: readonly History[], isFinished: boolean): Verdict[] {
    const own = this.#claims.verdict('what the story expects is so', 'the story');
    const migrations = this.#migrations;
    if (migrations === undefined || !isFinished) return [own];
    const history = migrations.history();
    const plan = { toolstack: 'xl', down: [] } as const;
    return [
      own,
      migrationOwners(history, histories, plan),
      migrationTraces(history, histories, plan),
      livesGoOn(joinSessions(histories, history, 'newest first')),
    ];
  }
}

/** A scenario out of a story. Errors: none; what `tell` throws is the outcome `error`. */
export function story<const S extends SettingSpecs = Record<never, never>>(plan: StoryPlan<S>): Scenario {
  const settings: SettingSpecs =
    plan.faults === false ? { ...plan.settings } : { ...plan.settings, faults: FAULTS_SETTING };
  const own = (given: unknown) => given as SettingsOf<S>;
  const { hosts: named = [], does, marks: wanted, breaks } = plan;
  return scenario({
    name: plan.name,
    story: plan.story,
    ...(plan.worry === undefined ? {} : { worry: plan.worry }),
    settings,
    does: (given) => doings({ creates: true, ...does?.(own(given)) }),
    marks: (given) => {
      const { run = [], sweep = [] } = wanted?.(own(given)) ?? {};
      const all = (names: readonly MarkName[]) => Object.fromEntries(names.map((each) => [each, true]));
      return marks({ run: all(run), sweep: all(sweep) });
    },
    run(given) {
      const request: RunRequest<HostSettings> = { ...given, ...breaks?.(own(given.settings)) };
      const told = withoutHost(() => {
        const hosts = named.map((each) => (typeof each === 'string' ? { name: each } : each));
        const runs = hosts.length > 1 ? openRuns(request, hosts) : undefined;
        const first = runs?.runs[0] ?? openRun(request, plan.host?.(own(given.settings)) ?? hosts[0]);
        const being = new Story(first, runs);
        plan.tell(being, own(given.settings));
        return being;
      });
      return told.happen(plan.name);
    },
  });
}
