import { escapeOctets, textOf } from '../../../store/format/index.ts';
import type { StoreDeath } from '../../../store/index.ts';

/** How a daemon's process has ended, for who knows what it can be. */
export interface DaemonEnd {
  /** In words; a signal is named. */
  readonly how: string;
  /** Number of the live update that was past its exec and had not come to serve; `undefined`: there was none. */
  readonly update: number | undefined;
  /** The end of what it has said. */
  readonly said: string;
  /** Pieces of requests that it has read, the last one at the end; one octet for each character. */
  readonly lastRead: readonly string[];
}

/** What a daemon has read last: so many pieces of requests, and so many octets of each. */
const READS_KEPT = 4;
const OCTETS_KEPT = 80;

/** Source: asm/signal.h of Linux. */
const SIGNALS: Readonly<Record<number, string>> = {
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  11: 'SIGSEGV',
};

/** How a process ended that told of a signal before; 0: it did not come to its next call. */
export function howItDied(signal: number): string {
  return signal === 0 ? 'it hangs' : `it has died of ${SIGNALS[signal] ?? `signal ${signal}`}`;
}

/** What a daemon has read last, in case that it dies of it. */
export class LastRead {
  readonly #pieces: { readonly whose: string; readonly octets: Uint8Array }[] = [];

  note(whose: string, octets: Uint8Array): void {
    if (octets.length === 0) return;
    if (this.#pieces.length === READS_KEPT) this.#pieces.shift();
    this.#pieces.push({ whose, octets: octets.slice(0, OCTETS_KEPT) });
  }

  get texts(): readonly string[] {
    return this.#pieces.map(({ octets }) => textOf(octets));
  }

  get lines(): readonly string[] {
    return this.#pieces.map(({ whose, octets }) => `it read from ${whose}: ${escapeOctets(octets)}`);
  }
}

/** What is told of an end. `seen`: a backtrace, or ''. */
export function deathOf(end: DaemonEnd, read: LastRead, seen: string, known: StoreDeath['known']): StoreDeath {
  const spoken = end.said.split('\n').filter((line) => line.trim() !== '');
  const during = end.update === undefined ? '' : ' in a live update';
  return {
    what: `${end.how}${during}${spoken.length === 0 ? '' : `: ${spoken.at(-1)}`}`,
    lines: [
      ...(end.update === undefined ? [] : [`live update ${end.update} went on`]),
      ...read.lines,
      ...spoken.map((line) => `it said: ${line}`),
      ...seen.split('\n').filter((line) => line !== ''),
    ],
    known,
  };
}
