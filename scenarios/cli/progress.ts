import { performance } from 'node:perf_hooks';

import { shown } from './terminal/output.ts';

/** A clock of our own: while a run looks, nobody else has one. */
const nowOf = performance.now.bind(performance);

/** How long a command may work in silence, and how often it says how far it is after that. */
const SILENT_MS = 2_000;
const AGAIN_MS = 200;

/** One line on a terminal that says how far a command is; elsewhere nothing, or a line now and then. */
export class Progress {
  readonly #isShown: boolean;
  readonly #linesMs: number;
  readonly #startMs = nowOf();
  #lastMs = 0;
  #width = 0;

  /** @param linesMs how often there is a line where there is no terminal; left out: never */
  constructor(isShown: boolean = process.stderr.isTTY === true, linesMs = Number.POSITIVE_INFINITY) {
    this.#isShown = isShown;
    this.#linesMs = linesMs;
  }

  /** How long the command works already. */
  get seconds(): number {
    return (nowOf() - this.#startMs) / 1_000;
  }

  /** `text` is only asked for when it is shown. */
  at(text: () => string): void {
    const nowMs = nowOf();
    if (!this.#isShown) {
      if (nowMs - Math.max(this.#startMs, this.#lastMs) < this.#linesMs) return;
      this.#lastMs = nowMs;
      process.stderr.write(`${shown(text())}, ${Math.floor(this.seconds)} s\n`);
      return;
    }
    if (nowMs - this.#startMs < SILENT_MS || nowMs - this.#lastMs < AGAIN_MS) return;
    this.#lastMs = nowMs;
    const line = `${text()}, ${Math.floor(this.seconds)} s`;
    process.stderr.write(`\r${shown(line).padEnd(this.#width)}`);
    this.#width = line.length;
  }

  /** Take the line away, before anything else is written or at the end. */
  clear(): void {
    if (this.#width === 0) return;
    process.stderr.write(`\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
  }
}
