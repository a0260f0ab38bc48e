import { performance } from 'node:perf_hooks';

/** A clock of our own: while a run looks, nobody else has one. */
const nowOf = performance.now.bind(performance);

/** How long a command may work in silence, and how often it says how far it is after that. */
const SILENT_MS = 2_000;
const AGAIN_MS = 200;

/** One line on a terminal that says how far a command is; nothing at all where stderr is none. */
export class Progress {
  readonly #isShown: boolean;
  readonly #startMs = nowOf();
  #lastMs = 0;
  #width = 0;

  constructor(isShown: boolean = process.stderr.isTTY === true) {
    this.#isShown = isShown;
  }

  /** `text` is only asked for when it is shown. */
  at(text: () => string): void {
    if (!this.#isShown) return;
    const nowMs = nowOf();
    if (nowMs - this.#startMs < SILENT_MS || nowMs - this.#lastMs < AGAIN_MS) return;
    this.#lastMs = nowMs;
    const line = `${text()}, ${Math.floor((nowMs - this.#startMs) / 1_000)} s`;
    process.stderr.write(`\r${line.padEnd(this.#width)}`);
    this.#width = line.length;
  }

  /** Take the line away, before anything else is written or at the end. */
  clear(): void {
    if (this.#width === 0) return;
    process.stderr.write(`\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
  }
}
