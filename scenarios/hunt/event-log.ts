import type { DigestMarks, TraceEvent } from '../../sim/index.ts';
import { eventText } from '../report/events.ts';
import type { RunExtras } from './spec.ts';

/** One event of a run, or step of a task. */
export interface LoggedEvent {
  /** How many came before it. */
  readonly n: number;
  /** Of all events up to this one. */
  readonly digest: string;
  readonly text: string;
}

/** Every so many events there is a checkpoint. */
export const CHECKPOINT_EVERY = 1_024;

/** Digests at checkpoints: number `i` is that of the first `i * CHECKPOINT_EVERY` events; the first is that of a host before its run. */
export class Checkpoints {
  readonly digests: string[] = [];

  get extras(): RunExtras {
    const marksDigest: DigestMarks = {
      from: 0,
      at: (count, digest) => {
        this.digests.push(digest);
        return (Math.floor(count / CHECKPOINT_EVERY) + 1) * CHECKPOINT_EVERY;
      },
    };
    return { marksDigest };
  }
}

/** The first place at which two lists differ; `undefined`: in none. Errors: none. */
export function firstDifference(a: readonly string[], b: readonly string[]): number | undefined {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return undefined;
}

/** Writes down the events from number `from` to number `to`, not included. */
export class EventLog {
  readonly #from: number;
  readonly #to: number;
  readonly #add: (event: LoggedEvent) => void;
  #n = -1;
  #step = '';
  #said: string[] = [];

  constructor(range: { readonly from: number; readonly to: number }, add: (event: LoggedEvent) => void) {
    this.#from = range.from;
    this.#to = range.to;
    this.#add = add;
  }

  get extras(): RunExtras {
    const marksDigest: DigestMarks = {
      from: this.#from,
      at: (count, digest, step) => {
        this.#finish(digest);
        if (count >= this.#to) return Number.POSITIVE_INFINITY;
        this.#n = count;
        this.#step = step;
        return count + 1;
      },
    };
    return {
      marksDigest,
      observed: (event: TraceEvent) => {
        const where = event.host === 0 ? '' : `host ${event.host}: `;
        if (this.#n >= 0) this.#said.push(`${event.timeNs} ns  ${where}${eventText(event)}`);
      },
    };
  }

  /** The run is over; `digest` is that of all its events. */
  end(digest: string): void {
    this.#finish(digest);
  }

  #finish(digest: string): void {
    if (this.#n < 0) return;
    const text =
      this.#said.length > 0 ? this.#said.join('; ') : this.#step === '' ? '(unseen)' : `step of ${this.#step}`;
    this.#add({ n: this.#n, digest, text });
    this.#n = -1;
    this.#said = [];
  }
}
