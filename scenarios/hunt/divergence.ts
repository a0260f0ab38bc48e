import type { LoggedEvent } from './event-log.ts';

/** Where two runs that ought to be one part, with what happened around it in each. */
export interface Divergence {
  /** How many events they have in common. */
  readonly n: number;
  readonly before: readonly LoggedEvent[];
  /** From the first that differs on; empty: that run has ended. */
  readonly left: readonly LoggedEvent[];
  readonly right: readonly LoggedEvent[];
}

/** Events that are shown before the place, and of each side from it on. */
const AROUND = 5;

/** Watches one run beside what is known of another, event by event. */
export class Comparison {
  readonly #left: readonly LoggedEvent[];
  readonly #first: number;
  readonly #recent: LoggedEvent[] = [];
  readonly #right: LoggedEvent[] = [];
  #n: number | undefined;

  /** @param left events of the other run, from some number on, without a gap */
  constructor(left: readonly LoggedEvent[]) {
    this.#left = left;
    this.#first = left[0]?.n ?? 0;
  }

  add(event: LoggedEvent): void {
    if (this.#n === undefined) {
      const other = this.#left[event.n - this.#first];
      if (other?.digest === event.digest) {
        this.#recent.push(event);
        if (this.#recent.length > AROUND) this.#recent.shift();
        return;
      }
      this.#n = event.n;
    }
    if (this.#right.length < AROUND) this.#right.push(event);
  }

  /** `undefined`: there was no difference. */
  result(): Divergence | undefined {
    const last = this.#recent.at(-1)?.n;
    const end = this.#left.length + this.#first;
    // The run has ended, and the other one has not.
    const n = this.#n ?? (last === undefined || last + 1 < end ? (last ?? this.#first - 1) + 1 : undefined);
    if (n === undefined || (this.#n === undefined && n >= end)) return undefined;
    const left = this.#left.slice(n - this.#first, n - this.#first + AROUND);
    return { n, before: this.#recent, left, right: this.#right };
  }
}

/** In words. `names`: of the two sides. */
export function divergenceText({ n, before, left, right }: Divergence, names: readonly [string, string]): string {
  const lines = [`  the first event that differs is number ${n}`];
  const line = (mark: string, event: LoggedEvent) => `    ${mark} ${String(event.n).padStart(8)}  ${event.text}`;
  lines.push('    both', ...before.map((event) => line(' ', event)));
  for (const [i, side] of [left, right].entries()) {
    lines.push(`    ${names[i]}`);
    lines.push(
      ...(side.length === 0 ? ['      (it has ended)'] : side.map((event, at) => line(at === 0 ? '>' : ' ', event))),
    );
  }
  return `${lines.join('\n')}\n`;
}
