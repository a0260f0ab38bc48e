import { availableParallelism } from 'node:os';
import type { RunOutcome } from '../engine/scenario.ts';
import { ownCommand } from './command.ts';
import { labOf } from './lab-of.ts';
import { Progress } from './progress.ts';
import { EXIT_OF, prepare } from './run.ts';
import { type SeedRange, type SeedReport, sweep } from './sweep.ts';

interface SweepOptions {
  readonly seeds: SeedRange;
  readonly format: string;
  readonly set: readonly string[];
  readonly jobs?: number;
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
  const { scenario, settings } = prepare(name, options.set);
  await labOf(options.format); // whether it can be loaded: threads load their own
  const { from, to } = options.seeds;
  const count = to - from + 1;
  const command = ownCommand();
  const groups = new Map<string, Group>();
  /** Known defects, with the number of seeds that showed them. */
  const known = new Map<string, number>();
  const progress = new Progress();
  let done = 0;
  let requests = 0;
  let failed = 0;
  let isInterrupted = false;
  const plan = { scenario: scenario.name, format: options.format, settings };
  const sweeping = sweep(plan, options.seeds, options.jobs ?? availableParallelism(), (report) => {
    done++;
    requests += report.requests;
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
  for (const [label, seeds] of known) process.stdout.write(`known defect ${label} in ${seeds} seeds\n`);
  const of = isInterrupted ? ` of ${count}` : '';
  process.stdout.write(`${done}${of} seeds, ${requests} requests, ${failed} failed\n`);
  if (isInterrupted) return INTERRUPTED;
  const worst = WORST.find((outcome) => [...groups.values()].some((group) => group.outcome === outcome));
  return EXIT_OF[worst ?? 'pass'];
}
