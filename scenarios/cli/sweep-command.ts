import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { SCENARIOS } from '../catalogue/index.ts';
import { ofDaemon, type RunOutcome } from '../engine/scenario.ts';
import { type CampaignPlan, placesInTime, RunChoice, type Strategy } from '../hunt/search-plan.ts';
import { SITUATIONS } from '../hunt/situations.ts';
import type { RunSpec } from '../hunt/spec.ts';
import { BLIND, Canary } from './bugs/canary.ts';
import { ownCommand } from './command.ts';
import { daemonOf, formatFor, prepareFor } from './daemon.ts';
import { openFleet } from './fleet/fleet.ts';
import { nameOf } from './fleet/queue.ts';
import { FailureBase, type KnownFailure } from './hunt/failure-base.ts';
import { Unusable } from './image/io.ts';
import { labOf } from './lab-of.ts';
import { loader } from './loader.ts';
import { MarkTally } from './mark-tally.ts';
import { Progress } from './progress.ts';
import { EXIT_OF } from './run.ts';
import type { Finding, SeedRange, SeedReport } from './seed-report.ts';
import { type Sweeping, sweep, sweepOn } from './sweep.ts';
import { print, printJson } from './terminal/output.ts';

interface SweepOptions {
  readonly seeds: SeedRange;
  /** Until so many minutes are over, in place of the last seed. */
  readonly minutes?: number;
  readonly format?: string;
  readonly daemon?: string;
  readonly daemonNext?: string;
  readonly all?: true;
  readonly set: readonly string[];
  readonly search: Strategy;
  readonly base?: string;
  readonly jobs?: number;
  /** Of a fleet's Redis, whose workers make the runs. */
  readonly queue?: string;
  /** How long one of them may be silent, seconds. */
  readonly patience: number;
  readonly requireMarks?: true;
  readonly situations?: true;
  /** A bug that has to be found: its id, or any. */
  readonly canary?: string | true;
  readonly json?: true;
}

/** What a shell sees of a program that SIGINT has ended: 128 + SIGINT. */
const INTERRUPTED = 130;
const MINUTE_MS = 60_000;

/** Worst first: what a sweep comes to is the worst of its outcomes. */
const WORST: readonly RunOutcome[] = ['violation', 'error', 'stuck', 'unknown'];

/** Runs that failed with one signature. */
interface Group {
  readonly first: SeedReport & { readonly finding: Finding };
  count: number;
}

/**
 * Run many seeds of some scenarios; tell each failure once, with a run that has it, and count at the end. Failures of a base are
 * replayed first. Errors: Unusable.
 */
export async function sweepCommand(names: readonly string[], options: SweepOptions): Promise<number> {
  const whole = names.length === 1 && names[0] === 'all' ? SCENARIOS.map(({ name }) => name) : names;
  refuseTwins(whole);
  const daemon = daemonOf(options);
  const scenarios = await Promise.all(whole.map((name) => prepareFor(daemon, name, options.set)));
  const format = formatFor(daemon, options.format);
  await labOf(format); // whether it can be loaded: threads load their own
  const { search, jobs = availableParallelism() } = options;
  const moments = placesInTime(search) ? await momentsOf(scenarios, format, options.seeds, daemon?.named) : undefined;
  const plan = { scenarios, format, strategy: search, ...(moments && { moments }) };
  const campaign = new Campaign(plan, options, daemon?.named);
  const base = options.base === undefined ? undefined : new FailureBase(options.base);
  const canary = canaryOf(options);
  const stop = new AbortController();
  const interrupt = () => stop.abort('SIGINT');
  process.once('SIGINT', interrupt);
  try {
    if (base !== undefined) await replayBase(base, jobs, stop.signal, options.json === true);
    const each = (report: SeedReport) => campaign.add(report, base);
    await through(
      await campaignOn(options, campaign.runs(canary), jobs, each, [names, format, daemon?.named]),
      stop.signal,
    );
    if (canary !== undefined) await through(canary.fly(jobs), stop.signal);
  } finally {
    process.off('SIGINT', interrupt);
  }
  const isInterrupted = stop.signal.aborted;
  campaign.tell(isInterrupted, canary);
  if (isInterrupted) return INTERRUPTED;
  return campaign.exitCode === EXIT_OF.pass && canary?.isBlind === true ? BLIND : campaign.exitCode;
}

/** When something happened in the first seed's run of each scenario, virtual ns. Errors: Unusable. */
async function momentsOf(
  scenarios: CampaignPlan['scenarios'],
  format: string,
  { from }: SeedRange,
  daemon: RunSpec['daemon'],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const runnerFor = loader();
  const moments = new Map<string, readonly number[]>();
  for (const { scenario, settings } of scenarios) {
    const spec = { scenario: scenario.name, seed: String(from), format, settings, ...(daemon && { daemon }) };
    const times: number[] = [];
    (await runnerFor(spec))(spec, { observed: ({ timeNs }) => times.push(timeNs) });
    moments.set(scenario.name, times);
  }
  return moments;
}

/** One scenario twice is nearly always a slip, and its runs would be each other's doubles. Errors: Unusable. */
function refuseTwins(names: readonly string[]): void {
  const places = names.map((name) => resolve(name));
  const twin = names.find((_, i) => places.indexOf(places[i] as string) < i);
  if (twin !== undefined)
    throw new Unusable(`${twin} is named twice: its seeds are run once, and more of them with --seeds`);
}

/** So many runs are one worker's at a time, and so many shares wait for workers. */
const FLEET = { perShare: 4, ahead: 64 };

/** On threads of this process, or on a fleet, where the same campaign goes on from what there is of it. Errors: Unusable. */
async function campaignOn(
  { queue: url, patience, seeds, minutes, set, search }: SweepOptions,
  runs: Iterator<RunSpec>,
  jobs: number,
  each: (report: SeedReport) => void,
  more: readonly unknown[],
): Promise<Sweeping> {
  if (url === undefined) return sweep(runs, jobs, each);
  const campaign = nameOf([seeds, minutes, set, search, ...more]);
  return sweepOn(await openFleet(url, patience), { campaign, ...FLEET }, runs, each);
}

/** Errors: Unusable. */
function canaryOf({ canary, daemon, seeds }: SweepOptions): Canary | undefined {
  if (canary === undefined) return undefined;
  if (daemon !== undefined)
    throw new Unusable('--canary: a bug is one of this package, and --daemon is served by another');
  return new Canary(canary, seeds.from);
}

async function through(sweeping: ReturnType<typeof sweep>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) sweeping.stop();
  signal.addEventListener('abort', sweeping.stop);
  await sweeping.done;
}

/** Runs of a base, before anything else: those that still fail, and those that do not any more. */
async function replayBase(base: FailureBase, jobs: number, signal: AbortSignal, isQuiet: boolean): Promise<void> {
  const runs = await base.runs();
  const failures: KnownFailure[] = runs.map(({ failure }) => failure);
  const each = ({ finding }: SeedReport) => {
    const failure = failures.shift() as KnownFailure;
    const stillFails = finding?.key === failure.key;
    const isNews = base.seen(failure, stillFails);
    const word = stillFails ? (isNews ? 'fails again' : 'still fails') : 'fixed';
    if (!isQuiet && (stillFails || isNews)) print(`${word.padEnd(11)} ${failure.text}\n`);
  };
  await through(sweep(runs.map(({ spec }) => spec).values(), jobs, each), signal);
}

/** One campaign: what it runs, and what came of it so far. */
class Campaign {
  readonly #plan: CampaignPlan;
  readonly #options: SweepOptions;
  readonly #daemon: RunSpec['daemon'];
  readonly #choice: RunChoice;
  readonly #tally: MarkTally;
  readonly #groups = new Map<string, Group>();
  /** Known defects, with the number of runs that showed them. */
  readonly #known = new Map<string, number>();
  readonly #situations = new Map<string, number>();
  readonly #progress = new Progress(undefined, MINUTE_MS);
  readonly #untilSeconds: number;
  readonly #all: number;
  #done = 0;
  #requests = 0;
  #failed = 0;

  constructor(plan: CampaignPlan, options: SweepOptions, daemon: RunSpec['daemon']) {
    this.#plan = plan;
    this.#daemon = daemon;
    this.#options = options;
    this.#choice = new RunChoice(plan);
    const marks = plan.scenarios.map(({ scenario, settings }) =>
      daemon === undefined ? scenario.marks(settings) : ofDaemon(scenario.marks(settings)),
    );
    this.#tally = new MarkTally({ run: marks.flatMap(({ run }) => run), sweep: marks.flatMap(({ sweep }) => sweep) });
    this.#untilSeconds = (options.minutes ?? Number.POSITIVE_INFINITY) * 60;
    const { from, to } = options.seeds;
    this.#all = options.minutes === undefined ? (to - from + 1) * plan.scenarios.length : Number.POSITIVE_INFINITY;
  }

  /** @param canary told of each. */
  *runs(canary: Canary | undefined): Generator<RunSpec, void, undefined> {
    const { seeds, minutes } = this.#options;
    for (const spec of this.#choice.runs(minutes === undefined ? seeds : { ...seeds, to: Number.MAX_SAFE_INTEGER })) {
      if (this.#progress.seconds >= this.#untilSeconds) return;
      canary?.note(spec);
      yield this.#daemon === undefined ? spec : { ...spec, daemon: this.#daemon };
    }
  }

  add(report: SeedReport, base: FailureBase | undefined): void {
    this.#done++;
    this.#requests += report.requests;
    if (report.marks !== undefined) this.#tally.add(report.marks.counts);
    for (const label of report.known) this.#known.set(label, (this.#known.get(label) ?? 0) + 1);
    if (report.situations.some((each) => !this.#situations.has(each))) this.#choice.keep(report.spec);
    for (const each of report.situations) this.#situations.set(each, (this.#situations.get(each) ?? 0) + 1);
    if (report.finding !== undefined) this.#find({ ...report, finding: report.finding }, base);
    this.#progress.at(() => this.#so());
  }

  #find(report: Group['first'], base: FailureBase | undefined): void {
    const { finding, outcome, spec } = report;
    this.#failed++;
    base?.add(finding);
    const key = `${spec.scenario} ${outcome} ${finding.key}`;
    const group = this.#groups.get(key);
    if (group !== undefined) {
      group.count++;
      return;
    }
    this.#groups.set(key, { first: report, count: 1 });
    if (this.#options.json) return;
    this.#progress.clear();
    const token = finding.token === '' ? '' : `  token: ${finding.token}\n`;
    print(`${outcome.padEnd(9)} ${this.#nameOf(spec)}  ${finding.text}\n  ${ownCommand()} ${finding.replay}\n${token}`);
  }

  /** Of a campaign with one scenario the seed is enough. */
  #nameOf({ scenario, seed }: RunSpec): string {
    return this.#plan.scenarios.length === 1 ? `seed ${seed}` : `${scenario} seed ${seed}`;
  }

  /** How far it is: rate, and what is left. */
  #so(): string {
    const { seconds } = this.#progress;
    const rate = this.#done / Math.max(0.001, seconds);
    const isTimed = this.#all === Number.POSITIVE_INFINITY;
    const left = isTimed ? this.#untilSeconds - seconds : (this.#all - this.#done) / rate;
    const of = isTimed ? '' : `/${this.#all}`;
    return `${this.#done}${of} seeds, ${this.#failed} failed, ${rate.toFixed(1)}/s, ${Math.max(0, Math.ceil(left))} s left`;
  }

  tell(isInterrupted: boolean, canary: Canary | undefined): void {
    this.#progress.clear();
    if (this.#options.json) return this.#tellJson(isInterrupted, canary);
    for (const { first, count } of this.#byCount)
      print(
        `${String(count).padStart(5)} ${first.outcome.padEnd(9)} as ${this.#nameOf(first.spec)}: ${first.finding.text}\n`,
      );
    for (const line of this.#tally.lines()) print(`${line}\n`);
    if (this.#options.situations) print(this.#situationsText());
    for (const [label, runs] of this.#known) print(`known defect ${label} in ${runs} seeds\n`);
    if (canary !== undefined && !isInterrupted) print(`${canary.text}\n`);
    const of = isInterrupted && this.#all !== Number.POSITIVE_INFINITY ? ` of ${this.#all}` : '';
    print(`${this.#done}${of} seeds, ${this.#requests} requests, ${this.#failed} failed\n`);
  }

  #tellJson(isInterrupted: boolean, canary: Canary | undefined): void {
    printJson({
      record: 'xenarium-sweep',
      version: 1,
      scenarios: this.#plan.scenarios.map(({ scenario }) => scenario.name),
      runs: this.#done,
      requests: this.#requests,
      failed: this.#failed,
      isInterrupted,
      findings: this.#byCount.map(({ first, count }) => {
        const { outcome, spec, finding } = first;
        return { count, outcome, signature: finding.key, text: finding.text, token: finding.token, spec };
      }),
      marks: this.#tally.counts(),
      neverReached: this.#tally.missing,
      knownDefects: Object.fromEntries(this.#known),
      situations: Object.fromEntries(this.#situations),
      situationsNeverMet: this.#unmet,
      ...(canary === undefined || isInterrupted ? {} : { canary: canary.result }),
    });
  }

  get #byCount(): readonly Group[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }

  get #unmet(): readonly string[] {
    return SITUATIONS.filter((each) => !this.#situations.has(each));
  }

  #situationsText(): string {
    const met = SITUATIONS.length - this.#unmet.length;
    const withFaults = this.#situations.size - met;
    const lines = [
      `situations that updates met: ${met} of ${SITUATIONS.length}, and ${withFaults} with a fault before`,
      `never met: ${this.#unmet.join(', ') || 'none'}`,
    ];
    return `${lines.join('\n')}\n`;
  }

  get exitCode(): number {
    const worst = WORST.find((outcome) => [...this.#groups.values()].some(({ first }) => first.outcome === outcome));
    if (worst === undefined && this.#options.requireMarks === true && this.#tally.missing.length > 0)
      return EXIT_OF.unknown;
    return EXIT_OF[worst ?? 'pass'];
  }
}
