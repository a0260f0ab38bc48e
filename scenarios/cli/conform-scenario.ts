import { type Comparison, compareRun } from '../real/follow/comparison.ts';
import { besideOf, differenceLines } from '../real/follow/difference.ts';
import { runOn } from '../real/lockstep/run-on.ts';
import { historiesOf } from '../report/histories.ts';
import { daemonOf, formatFor, prepareFor } from './daemon.ts';
import { Unusable } from './image/io.ts';
import { Progress } from './progress.ts';
import { EXIT_OF } from './run.ts';
import { print } from './terminal/output.ts';

interface ConformScenarioOptions {
  readonly scenario: string;
  readonly daemon: string;
  readonly seeds: { readonly from: number; readonly to: number };
  readonly set: readonly string[];
  readonly all?: true;
}

/**
 * Run a scenario on a real daemon, give ours the same requests in the same order, and print the first difference in what guests saw
 * of each seed. @returns the exit code: 1, they differ; 3, nothing could be compared. Errors: Unusable.
 */
export async function conformScenarioCommand(options: ConformScenarioOptions): Promise<number> {
  const { scenario: name, seeds, set } = options;
  const daemon = daemonOf(options);
  if (daemon === undefined) throw new Unusable('--scenario: there is no --daemon to be compared with');
  const { scenario, settings } = await prepareFor(daemon, name, set);
  const format = formatFor(daemon, undefined);
  const beside = besideOf(daemon.traits);
  const progress = new Progress();
  const tally = new Tally();
  for (let seed = seeds.from; seed <= seeds.to; seed++) {
    const result = runOn(daemon, scenario, { seed: String(seed), format, settings, checks: true });
    const lines: string[] = [];
    for (const { name: host, history } of historiesOf(result))
      lines.push(...tally.add(compareRun(history, beside), host));
    if (result.death !== undefined) tally.died.push(seed);
    progress.clear();
    if (lines.length > 0) {
      tally.differing++;
      print(`seed ${seed} differs:\n${lines.map((line) => `  ${line}\n`).join('')}`);
    }
    progress.at(() => `${seed - seeds.from + 1}/${seeds.to - seeds.from + 1} seeds`);
  }
  progress.clear();
  print(tally.text(name, seeds));
  return tally.exitCode;
}

/** What all seeds came to. */
class Tally {
  differing = 0;
  /** Seeds of runs that the daemon did not survive: they are compared up to there. */
  readonly died: number[] = [];
  #messages = 0;
  #parted = 0;
  readonly #known = new Map<string, number>();

  /** @returns lines of its difference; none: there is none. */
  add({ messages, known, parted, first }: Comparison, host: string): readonly string[] {
    this.#messages += messages;
    if (parted !== undefined) this.#parted++;
    for (const [name, times] of known) this.#known.set(name, (this.#known.get(name) ?? 0) + times);
    if (first === undefined) return [];
    return host === '' ? differenceLines(first) : differenceLines(first).map((line) => `${host}: ${line}`);
  }

  get exitCode(): number {
    if (this.differing > 0) return EXIT_OF.violation;
    return this.#messages === 0 ? EXIT_OF.unknown : EXIT_OF.pass;
  }

  text(scenario: string, seeds: { readonly from: number; readonly to: number }): string {
    const known = [...this.#known].sort((a, b) => b[1] - a[1]);
    const parted = this.#parted === 0 ? '' : `, ${this.#parted} only up to one of them that parts the two`;
    const died = this.died.length === 0 ? [] : [`compared up to the daemon's end: seeds ${this.died.join(', ')}\n`];
    return [
      ...died,
      ...known.map(([name, times]) => `known (docs/daemons.md): ${name} ${times}\n`),
      `${scenario} seeds ${seeds.from}..${seeds.to}: ${this.#messages} messages are the same, ${this.differing} seeds differ${parted}\n`,
    ].join('');
  }
}
