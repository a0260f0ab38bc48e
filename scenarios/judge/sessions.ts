import type { Port } from '../../sim/index.ts';
import { REQ_AT, RING_BYTES, RSP_AT, type TraceEvent } from '../../sim/index.ts';

/**
 * The session of one guest with xenstore over all hosts where it lived, as the hosts' traces show it: what was put into its ring
 * and taken out, at whichever host, in one order. A guest that is moved without its help has one session; who serves it changes.
 */
export interface Session {
  readonly domid: number;
  readonly name: string;
  readonly records: readonly SessionRecord[];
}

/** `req`: guest to store; `put`: the producer's index moved; `took`: the consumer's. */
export type SessionRecord =
  | {
      readonly seq: number;
      readonly timeNs: number;
      readonly host: number;
      readonly kind: 'put' | 'took';
      readonly dir: 'req' | 'rsp';
      /** The index before, modulo 2^32. */
      readonly from: number;
      readonly bytes: Uint8Array;
    }
  /** It runs at another host from here on. */
  | { readonly seq: number; readonly timeNs: number; readonly host: number; readonly kind: 'moved' }
  /** It was stopped to be moved, and goes on where it is; the store that serves it was live-updated. */
  | { readonly seq: number; readonly timeNs: number; readonly host: number; readonly kind: 'stayed' | 'updated' };

/** What was taken out of a guest at one host and put in at the other, when it was moved. */
export interface MoveWitness {
  readonly domid: number;
  readonly timeNs: number;
  /** The image as it left, and as the other store would write it down before anybody has run: as text. */
  readonly dumped: string;
  readonly again: string | undefined;
  /** Of each port number `kind peer`, before and after. */
  readonly portsBefore: ReadonlyMap<Port, string>;
  readonly portsAfter: ReadonlyMap<Port, string> | undefined;
  /** Ports that were pending when it left, and whether each is when it goes on. */
  readonly pending: readonly { readonly port: Port; readonly isPending: boolean }[];
}

const WORDS = [
  { kind: 'took', dir: 'req' },
  { kind: 'put', dir: 'req' },
  { kind: 'took', dir: 'rsp' },
  { kind: 'put', dir: 'rsp' },
] as const;

/** Writes the sessions of some guests down, from the record of all hosts. */
export class SessionRecorder {
  readonly #sessions = new Map<number, { name: string; host: number; records: SessionRecord[] }>();
  #seq = 0;

  /** From its introduction on. */
  follow(domid: number, name: string, host: number): void {
    this.#sessions.set(domid, { name, host, records: [] });
  }

  /** Look at what happens on any host. */
  see(event: TraceEvent): void {
    if (event.kind === 'store' && event.phase === 'up') {
      for (const { host, records } of this.#sessions.values())
        if (host === event.host) records.push({ seq: this.#seq++, timeNs: event.timeNs, host, kind: 'updated' });
      return;
    }
    if (event.kind !== 'index' && event.kind !== 'life') return;
    const session = this.#sessions.get(event.domid);
    if (session === undefined) return;
    const { host, timeNs } = event;
    const seq = this.#seq++;
    if (event.kind === 'life') {
      if (event.what === 'unpaused' && host !== session.host) {
        session.host = host;
        session.records.push({ seq, timeNs, host, kind: 'moved' });
      } else if (event.what === 'resumed' && host === session.host)
        session.records.push({ seq, timeNs, host, kind: 'stayed' });
      return;
    }
    const { kind, dir } = WORDS[event.word];
    const count = (event.to - event.from) >>> 0;
    const at = dir === 'req' ? REQ_AT : RSP_AT;
    const bytes = new Uint8Array(Math.min(count, RING_BYTES));
    for (let i = 0; i < bytes.length; i++) bytes[i] = event.bytes[at + ((event.from + i) & (RING_BYTES - 1))] as number;
    session.records.push({ seq, timeNs, host, kind, dir, from: event.from, bytes });
  }

  get sessions(): readonly Session[] {
    return [...this.#sessions].map(([domid, { name, records }]) => ({ domid, name, records }));
  }
}
