import { type ClientHabits, LINUX_HABITS, type Thread, type Traffic, Xs } from '../../../guests/index.ts';
import type { DomainPlan } from '../../../guests/libxl/index.ts';
import type { Actor } from '../../../sim/index.ts';
import type { Guest, Host } from '../../engine/host.ts';
import {
  mayGoOn,
  moments,
  openRun,
  type RunEnd,
  type RunPlan,
  runAndJudge,
  startOperator,
  type UpdatePlan,
} from '../../engine/run.ts';
import type { RunRequest, RunResult } from '../../engine/scenario.ts';
import { count, FAULTS_SETTING, type SettingsOf, STORE_SETTING } from '../../engine/settings.ts';
import { type Doing, doings } from '../../faults/doings.ts';

/** What can be changed in each of these scenarios. */
export function playSettings(domains: number, requests: number, updates: number) {
  return {
    domains: count(domains, { min: 1, max: 100 }, 'guest domains that live at the same time'),
    requests: count(requests, { min: 0, max: 200_000 }, 'requests of everybody, after which all that goes on ends'),
    updates: count(updates, { min: 0, max: 1_000 }, 'live updates, spread over the traffic'),
    faults: FAULTS_SETTING,
    store: STORE_SETTING,
  };
}
export type PlaySettings = SettingsOf<ReturnType<typeof playSettings>>;

/** A play that takes no faults has no setting for them. */
type Framed = Omit<PlaySettings, 'faults'> & Partial<Pick<PlaySettings, 'faults'>>;

/** What goes on in a play: domains are made by the toolstack, and `more`. */
export function playDoes(
  { domains, updates, store }: Framed,
  more: Readonly<Partial<Record<Doing, boolean>>> = {},
): readonly Doing[] {
  return doings({
    creates: true,
    builds: true,
    bare: true,
    alone: true,
    spares: domains > 4,
    updates: updates > 0,
    sockets: store === 'dom0',
    ...more,
  });
}

/** Where a program runs. */
export interface Stage {
  readonly guest: Guest;
  readonly host: Host;
  readonly traffic: Traffic;
  readonly domid: number;
}

export type Program = (xs: Xs, stage: Stage) => Actor;

/** A guest of a play: how its kernel treats the ring, and who runs in it. */
export interface Cast {
  readonly habits?: Partial<ClientHabits>;
  /** Who works until traffic stops, by name: the run is at rest when they have ended. */
  readonly works?: Readonly<Record<string, Program>>;
  /** Who waits for events, and is not waited for. */
  readonly listens?: Readonly<Record<string, Program>>;
}

/** How a play is framed: what its updates and its verdicts are like, and who is in dom0. */
interface Frame
  extends Pick<RunPlan, 'policy'>,
    Pick<UpdatePlan, 'force' | 'version'>,
    Pick<RunEnd, 'verdicts' | 'finish'> {
  readonly scenario: string;
  /** Programs of dom0, each with a connection of its own. They are waited for. */
  readonly dom0?: Readonly<Record<string, (xs: Xs, host: Host) => Actor>>;
  /** When updates come, in requests; left out: spread over four fifths of the traffic. */
  readonly atRequests?: readonly number[];
}

/** Whom the toolstack of a play makes. */
export interface Makings {
  readonly host: Host;
  /** Those who work until traffic stops. */
  readonly workers: Thread[];
  /** Call it for each guest that begins. */
  readonly booted: () => void;
}

/** What a scenario of this folder is about; all else is the same in each. */
export interface PlayPlan extends Frame {
  readonly guest: (slot: number) => Cast;
  readonly domain?: (slot: number) => Omit<DomainPlan, 'name' | 'domid'>;
  /** Shortest and longest life of a domain, after which another takes its place, ns; left out: they live on. */
  readonly lifeNs?: readonly [least: number, most: number];
}

/** Make the guests, let everybody do what is theirs, update the store meanwhile, and judge. Errors: outcomes. */
export function play(request: RunRequest<PlaySettings>, plan: PlayPlan): RunResult {
  const [lifeNsMin, lifeNsMax] = plan.lifeNs ?? [0, 0];
  return framed(request, plan, ({ host, workers, booted }, me) =>
    host.toolstack(me, host.dom0.client, {
      domains: request.settings.domains,
      lifeNsMin,
      lifeNsMax,
      livesForEver: () => plan.lifeNs === undefined,
      domain: plan.domain ?? (() => ({})),
      boot: (built, slot) => {
        booted();
        const cast = plan.guest(slot);
        startPrograms({ host, workers }, host.boot(built, { ...LINUX_HABITS, ...cast.habits }), cast);
      },
    }),
  );
}

/** Start who runs in a guest: those who listen at first, so that they miss nothing. */
export function startPrograms(
  { host, workers }: Pick<Makings, 'host' | 'workers'>,
  guest: Guest,
  { works = {}, listens = {} }: Cast,
): void {
  const { os, client } = guest;
  const stage: Stage = { guest, host, traffic: host.traffic, domid: os.domain.domid };
  const start = (name: string, program: Program) => os.start(name, (own) => program(new Xs(client, own), stage));
  for (const [name, program] of Object.entries(listens)) start(name, program);
  for (const [name, program] of Object.entries(works)) workers.push(start(name, program));
}

/** The same around any toolstack. `make`: what it does, in dom0's program `xl`. */
export function framed(
  request: RunRequest<Framed>,
  plan: Frame,
  make: (makings: Makings, me: Thread) => Actor,
): RunResult {
  const { requests, updates } = request.settings;
  const run = openRun(request, { requestsMax: requests, policy: plan.policy ?? 'carry' });
  const { host } = run;
  const { dom0, machine } = host;
  const draws = machine.streams.for('scenario');
  const share = Math.floor((requests * 8) / 10 / Math.max(1, updates));
  const atRequests = plan.atRequests ?? moments(updates, Math.floor(requests / 10), share, draws);
  const workers: Thread[] = [];
  let created = 0;
  const booted = () => {
    created++;
  };
  const xl = dom0.os.start('xl', function* (me): Actor {
    yield* host.initStore(me);
    yield* make({ host, workers, booted }, me);
  });
  const programs = Object.entries(plan.dom0 ?? {}).map(([name, program]) =>
    dom0.os.start(name, (me) => program(new Xs(host.connect(name), me), host)),
  );
  const { force, version } = plan;
  const { me: lu } = startOperator(run, { atRequests, ...(force && { force }), ...(version && { version }) });
  const writers = [xl, lu, ...programs];
  return runAndJudge(run, {
    scenario: plan.scenario,
    isBusy: () => {
      // With nobody left who makes traffic the moments of further updates never come.
      if (!mayGoOn(xl) && ![...programs, ...workers].some(mayGoOn)) host.traffic.stopping = true;
      return [...writers, ...workers].some(mayGoOn) || host.inFlight > 0;
    },
    created: () => created,
    ...(plan.verdicts && { verdicts: plan.verdicts }),
    ...(plan.finish && { finish: plan.finish }),
  });
}
