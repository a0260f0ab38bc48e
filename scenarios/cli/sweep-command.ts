import { availableParallelism } from 'node:os';
import { type MarkPlan, ofDaemon, type RunOutcome } from '../engine/scenario.ts';
import { MARKS, type MarkCounts, type MarkName } from '../judge/marks.ts';
import { ownCommand } from './command.ts';
import { daemonOf, formatFor, prepareFor } from './daemon.ts';
import { labOf } from './lab-of.ts';
import { Progress } from './progress.ts';
import { EXIT_OF } from './run.ts';
import { type SeedRange, type SeedReport, sweep } from './sweep.ts';

interface SweepOptions {
  readonly seeds: SeedRange;
  readonly format?: string;
  readonly daemon?: string;
  readonly daemonNext?: string;
  readonly all?: true;
  readonly set: readonly string[];
  readonly jobs?: number;
  readonly requireMarks?: true;
}

/** What a shell sees of a program that SIGINT has ended: 128 + SIGINT. */
const INTERRUPTED = 130;

/** Worst first: what a sweep comes to is the worst of its outcomes. */
const WORST: readonly RunOutcome[] = ['violation', 'error', 'stuck', 'unknown'];

/** Seeds that failed for one cause. */
interface Group {
  readonly first: SeedReport;
  readonly outcome: RunOutcome;
  count: number;
}

/** Run many seeds; tell each cause of a failure once, with a seed that has it, and count at the end. Errors: Unusable. */
export async function sweepCommand(name: string, options: SweepOptions): Promise<number> {
  const daemon = daemonOf(options);
  const { scenario, settings } = prepareFor(daemon, name, options.set);
  const format = formatFor(daemon, options.format);
  await labOf(format); // whether it can be loaded: threads load their own
  const { from, to } = options.seeds;
  const count = to - from + 1;
  const command = ownCommand();
  const groups = new Map<string, Group>();
  const marks = scenario.marks(settings);
  const tally = new MarkTally(daemon === undefined ? marks : ofDaemon(marks));
  /** Known defects, with the number of seeds that showed them. */
  const known = new Map<string, number>();
  const progress = new Progress();
  let done = 0;
  let requests = 0;
  let failed = 0;
  let isInterrupted = false;
  const plan = { scenario: scenario.name, format, settings, daemon: daemon?.options };
  const sweeping = sweep(plan, options.seeds, options.jobs ?? availableParallelism(), (report) => {
    done++;
    requests += report.requests;
    if (report.marks !== undefined) tally.add(report.marks.counts);
    const { cause, outcome } = report;
    for (const label of report.known) known.set(label, (known.get(label) ?? 0) + 1);
    if (cause !== undefined) {
      failed++;
      const group = groups.get(cause.key);
      if (group !== undefined) group.count++;
      else {
        groups.set(cause.key, { first: report, outcome, count: 1 });
        progress.clear();
        process.stdout.write(
          `${outcome.padEnd(9)} seed ${report.seed}  ${cause.text}\n  ${command} ${report.replay}\n`,
        );
      }
    }
    progress.at(() => `${done}/${count} seeds, ${failed} failed`);
  });
  const interrupt = () => {
    isInterrupted = true;
    sweeping.stop();
  };
  process.once('SIGINT', interrupt);
  try {
    await sweeping.done;
  } finally {
    process.off('SIGINT', interrupt);
  }
  progress.clear();
  for (const { first, outcome, count: times } of [...groups.values()].sort((a, b) => b.count - a.count))
    process.stdout.write(
      `${String(times).padStart(5)} ${outcome.padEnd(9)} as seed ${first.seed}: ${first.cause?.text}\n`,
    );
  for (const line of tally.lines()) process.stdout.write(`${line}\n`);
  for (const [label, seeds] of known) process.stdout.write(`known defect ${label} in ${seeds} seeds\n`);
  const of = isInterrupted ? ` of ${count}` : '';
  process.stdout.write(`${done}${of} seeds, ${requests} requests, ${failed} failed\n`);
  if (isInterrupted) return INTERRUPTED;
  const worst = WORST.find((outcome) => [...groups.values()].some((group) => group.outcome === outcome));
  if (worst === undefined && options.requireMarks === true && tally.missing.length > 0) return EXIT_OF.unknown;
  return EXIT_OF[worst ?? 'pass'];
}

/** How often each mark was reached, and in how many seeds. */
class MarkTally {
  readonly #wanted: readonly MarkName[];
  readonly #times = new Map<MarkName, { count: number; seeds: number }>();

  constructor({ run, sweep }: MarkPlan) {
    this.#wanted = [...new Set([...run, ...sweep])];
    for (const name of this.#wanted) this.#times.set(name, { count: 0, seeds: 0 });
  }

  add(counts: MarkCounts): void {
    for (const [name, times] of this.#times) {
      times.count += counts[name];
      if (counts[name] > 0) times.seeds++;
    }
  }

  /** Those that no seed has reached. */
  get missing(): readonly MarkName[] {
    return this.#wanted.filter((name) => this.#times.get(name)?.count === 0);
  }

  lines(): string[] {
    const reached = [...this.#times].filter(([, { count }]) => count > 0);
    const { missing } = this;
    return [
      ...(reached.length === 0
        ? []
        : [`marks (in seeds): ${reached.map(([name, { count, seeds }]) => `${name} ${count} (${seeds})`).join(', ')}`]),
      ...(missing.length === 0
        ? []
        : [`never reached: ${missing.map((name) => `${name} (${MARKS[name].what})`).join(', ')}`]),
    ];
  }
}
