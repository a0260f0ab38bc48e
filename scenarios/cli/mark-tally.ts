import type { MarkPlan } from '../engine/scenario.ts';
import { MARKS, type MarkCounts, type MarkName } from '../judge/marks.ts';

/** How often each mark was reached, and in how many runs. */
export class MarkTally {
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

  /** How often, and in how many runs. */
  counts(): Readonly<Record<string, { readonly count: number; readonly seeds: number }>> {
    return Object.fromEntries(this.#times);
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
