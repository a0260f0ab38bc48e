import type { Verdict, Violation } from '../history.ts';
import { OctetStream } from './octet-stream.ts';

export const CLAIM =
  "What a console's terminal was given is what its guest published, octet for octet, but for the middle that is cut out beyond the limit; what was typed reached the guest";
export const SOURCE = 'guests.md 6.11 INV-H6; hypervisor.md 4.7 CON-1, CON-2, CON-4; xen/include/public/io/console.h';

/** One console of one domain instance. */
export interface ConsoleEpoch {
  readonly domid: number;
  readonly uniqueId: bigint;
  readonly name: string;
  /** PV: what its ring held when it was saved is in the ring of the copy. */
  readonly keepsRing: boolean;
  /** The guest is there and runs at the end of the record: it has read what was typed. */
  readonly isRunning: boolean;
}

/** What was seen of a console, in one order; from outside of both programs but for `served` and `closed`. */
export type ConsoleRecord = {
  /** Position in the run's history. */
  readonly seq: number;
  readonly timeNs: number;
  /** Index in `ConsoleHistory.consoles`. */
  readonly console: number;
} & (
  | {
      /** A producer index store became visible, or a consumer's; `bytes`: the octets between the old and the new index. */
      readonly kind: 'publish' | 'consume';
      readonly dir: 'in' | 'out';
      readonly bytes: Uint8Array;
    }
  /** The daemon has a terminal for it. `limit` in octets, 0: none. */
  | { readonly kind: 'served'; readonly limit: number; readonly overflow: 'discard' | 'keep' }
  /** The terminal took these octets: 'out' from the daemon, 'in' from whoever types. */
  | { readonly kind: 'tty'; readonly dir: 'in' | 'out'; readonly bytes: Uint8Array }
  /** The daemon let go of it. */
  | { readonly kind: 'closed' }
);

export interface ConsoleHistory {
  readonly consoles: readonly ConsoleEpoch[];
  readonly records: readonly ConsoleRecord[];
}

/** Most input that the daemon publishes at a time. */
const INPUT_MAX = 80;
const KEPT_MAX = 20;

/** The daemon's buffer as the rules have it (CON-4). */
class Holding {
  readonly #stream = new OctetStream();
  /** Octets in the buffer that were written already: they leave it with the last one. */
  #written = 0;
  limit = 0;
  overflow: 'discard' | 'keep' = 'discard';
  discarded = 0;

  get #size(): number {
    return this.#written + this.#stream.left;
  }

  get isFull(): boolean {
    return this.overflow === 'keep' && this.limit > 0 && this.#size >= this.limit;
  }

  put(bytes: Uint8Array): void {
    this.#stream.put(bytes);
    const { limit } = this;
    if (this.overflow === 'keep' || limit === 0 || this.#size <= Math.floor((limit * 5) / 4)) return;
    if (this.#written > Math.floor(limit / 4)) {
      this.#written = 0;
      return;
    }
    const half = Math.floor(limit / 2);
    this.discarded += limit - half;
    const written = this.#written;
    this.#stream.edit((left) => left.slice(0, half - written) + left.slice(limit - written));
  }

  take(bytes: Uint8Array): string | undefined {
    const wrong = this.#stream.take(bytes);
    this.#written = this.#stream.left === 0 ? 0 : this.#written + bytes.length;
    return wrong;
  }

  get left(): number {
    return this.#stream.left;
  }

  get leftover(): string {
    return this.#stream.leftover;
  }
}

interface Seen {
  readonly ringOut: OctetStream;
  readonly buffer: Holding;
  readonly typed: OctetStream;
  readonly ringIn: OctetStream;
  isServed: boolean;
}

/**
 * Judge what was recorded of all consoles.
 * @param isAtRest the run has come to rest, all terminals were read, and nobody types: a console that is still served holds
 *   nothing back.
 */
export function consoleIntegrity(history: ConsoleHistory, isAtRest: boolean): Verdict {
  const violations: Violation[] = [];
  const seen = history.consoles.map(
    (): Seen => ({
      ringOut: new OctetStream(),
      buffer: new Holding(),
      typed: new OctetStream(),
      ringIn: new OctetStream(),
      isServed: false,
    }),
  );
  const note = ({ seq, timeNs, console }: Pick<ConsoleRecord, 'seq' | 'timeNs' | 'console'>, detail: string) => {
    if (violations.length >= KEPT_MAX) return;
    const actor = `${history.consoles[console]?.name}/console`;
    violations.push({ invariant: 'console', seq, timeNs, actor, request: '', detail });
  };
  const tell = (r: ConsoleRecord, what: string, wrong: string | undefined) => {
    if (wrong !== undefined) note(r, `${what}: ${wrong}`);
  };
  let octetsTyped = 0;
  let octetsShown = 0;
  for (const r of history.records) {
    const s = seen[r.console] as Seen;
    switch (r.kind) {
      case 'served':
        s.isServed = true;
        s.buffer.limit = r.limit;
        s.buffer.overflow = r.overflow;
        break;
      case 'closed':
        s.isServed = false;
        break;
      case 'publish':
        if (r.dir === 'out') s.ringOut.put(r.bytes);
        else {
          if (r.bytes.length > INPUT_MAX) note(r, `${r.bytes.length} octets of input at a time (CON-2)`);
          tell(r, 'the ring got other input than was typed', s.typed.take(r.bytes));
          s.ringIn.put(r.bytes);
        }
        break;
      case 'consume':
        if (r.dir === 'in') {
          tell(r, 'the guest read other octets than were in the ring', s.ringIn.take(r.bytes));
        } else {
          if (s.buffer.isFull) note(r, 'output was taken although the buffer has reached its limit (CON-4)');
          tell(r, 'the daemon took other octets than were published', s.ringOut.take(r.bytes));
          s.buffer.put(r.bytes);
        }
        break;
      case 'tty':
        if (r.dir === 'in') {
          s.typed.put(r.bytes);
          octetsTyped += r.bytes.length;
        } else {
          tell(r, 'the terminal was given other octets than came next', s.buffer.take(r.bytes));
          octetsShown += r.bytes.length;
        }
    }
  }
  const last = history.records.at(-1);
  for (const [console, s] of seen.entries()) {
    if (!isAtRest || !s.isServed || last === undefined) continue;
    const isRead = history.consoles[console]?.isRunning === true;
    const left = [
      [s.ringOut, 'published and not taken'],
      [s.buffer, 'taken and not shown'],
      [isRead ? s.typed : undefined, 'typed and not in the ring'],
      [isRead ? s.ringIn : undefined, 'in the ring and not read'],
    ] as const;
    for (const [stream, what] of left)
      if (stream !== undefined && stream.left > 0)
        note(
          { seq: last.seq, timeNs: last.timeNs, console },
          `${stream.left} octets were ${what} at the end: ${stream.leftover}`,
        );
  }
  return {
    invariant: 'console',
    claim: CLAIM,
    source: SOURCE,
    checked: [
      ['consoles', history.consoles.length],
      ['octets shown', octetsShown],
      ['octets typed', octetsTyped],
      ['octets discarded', seen.reduce((sum, s) => sum + s.buffer.discarded, 0)],
    ],
    violations,
  };
}
