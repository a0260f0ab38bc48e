import { textOf } from './octets.ts';

/** Message types. Source: xen/include/public/io/xs_wire.h. */
export const Op = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
  GET_FEATURE: 23,
  SET_FEATURE: 24,
  GET_QUOTA: 25,
  SET_QUOTA: 26,
} as const;

const NAMES = new Map<number, string>(Object.entries(Op).map(([name, type]) => [type, name]));

/** The name of a message type, `type 27` for an unknown one. */
export function opName(type: number): string {
  return NAMES.get(type) ?? `type ${type}`;
}

/** Names an ERROR reply may carry. Source: xs_wire.h, xsd_errors. */
export const ERROR_NAMES: ReadonlySet<string> = new Set(
  'EINVAL EACCES EEXIST EISDIR ENOENT ENOMEM ENOSPC EIO ENOTEMPTY ENOSYS EROFS EBUSY EAGAIN EISCONN E2BIG EPERM'.split(
    ' ',
  ),
);

export const HEADER_OCTETS = 16;
export const PAYLOAD_MAX = 4096;
export const RING_OCTETS = 1024;
/** What one direction of a socket holds. Source: net.core.wmem_default. */
export const SOCKET_OCTETS = 212_992;

/** A place in the history. */
export interface Moment {
  readonly seq: number;
  readonly timeNs: number;
}

/** The octets of one direction of one connection, by stream position, with the moment each piece came. */
export class OctetLog {
  /** Whose octets these are as long as every piece is in them at its position. */
  readonly #lent: { readonly bytes: Uint8Array } | undefined;
  #bytes: Uint8Array;
  #isOwn: boolean;
  /** Three numbers of each piece: up to which position octets were there, from which record on, and when. */
  readonly #pieces: number[] = [];
  /** Highest position that was ever written. */
  end = 0;

  /** @param lent octets of the whole stream, so that pieces of it need no copy; left out: none are. */
  constructor(lent?: { readonly bytes: Uint8Array }) {
    this.#lent = lent;
    this.#isOwn = lent === undefined;
    this.#bytes = lent?.bytes ?? new Uint8Array(64);
  }

  /** Every piece so far was in the lent octets, and followed the one before. */
  get isLent(): boolean {
    return !this.#isOwn;
  }

  /** The piece of the lent octets at that position came. */
  putLent(from: number, to: number, seq: number, timeNs: number): void {
    if (this.#isOwn || from !== this.end) {
      const bytes = this.#lent?.bytes.subarray(from, to) ?? new Uint8Array(to - from);
      this.put(from, bytes, { seq, timeNs });
    } else this.#came(to, seq, timeNs);
  }

  /** Put a piece at its position; pieces that leave gaps or overlap are stored as they come (others complain). */
  put(from: number, bytes: Uint8Array, { seq, timeNs }: Moment): void {
    if (!this.#isOwn) {
      this.#bytes = this.#bytes.slice(0, this.end);
      this.#isOwn = true;
    }
    const to = from + bytes.length;
    if (to > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(to, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, from);
    if (to > this.end) this.#came(to, seq, timeNs);
  }

  #came(to: number, seq: number, timeNs: number): void {
    this.end = to;
    this.#pieces.push(to, seq, timeNs);
  }

  window(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, Math.min(to, this.end));
  }

  /** Offset of the first octet in which `bytes` differ from what is at `from`; -1 = none. */
  differsAt(from: number, bytes: Uint8Array): number {
    for (let i = 0; i < bytes.length; i++) if (from + i >= this.end || bytes[i] !== this.#bytes[from + i]) return i;
    return -1;
  }

  u32(at: number): number {
    const b = this.#bytes;
    return (b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)) >>> 0;
  }

  /** A function that tells when an octet came; to be asked for ascending positions. */
  moments(): (octet: number) => Moment {
    const pieces = this.#pieces;
    let at = 0;
    let last: Moment | undefined;
    return (octet) => {
      for (; pieces[at]! <= octet; at += 3) last = undefined;
      last ??= { seq: pieces[at + 1]!, timeNs: pieces[at + 2]! };
      return last;
    };
  }
}

/** One message cut out of a stream. `start`, `end`: stream positions; `first`, `last`: when its first and last octet came. */
export interface Framed {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: string;
  readonly start: number;
  readonly end: number;
  readonly first: Moment;
  readonly last: Moment;
  /** The header announced more than 4096 octets; only the header is part of the message then. */
  readonly isOverlong: boolean;
}

class Message implements Framed {
  readonly #log: OctetLog;
  #payload: string | undefined;
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly start: number;
  readonly end: number;
  readonly first: Moment;
  readonly last: Moment;
  readonly isOverlong: boolean;

  constructor(log: OctetLog, start: number, end: number, first: Moment, last: Moment, isOverlong: boolean) {
    this.#log = log;
    this.type = log.u32(start);
    this.reqId = log.u32(start + 4);
    this.txId = log.u32(start + 8);
    this.start = start;
    this.end = end;
    this.first = first;
    this.last = last;
    this.isOverlong = isOverlong;
  }

  /** Made when somebody asks: most messages are compared as octets only. */
  get payload(): string {
    this.#payload ??= textOf(this.#log.window(this.start + HEADER_OCTETS, this.end));
    return this.#payload;
  }
}

/** Cut a stream into messages. Returns the complete ones and the count of octets of an incomplete one at the end.
 *  After a header that announces too much, cutting goes on behind the header: that is where a live-updated store
 *  would take up the stream again. Source: docs/misc/xenstore.txt; guests.md 6.1 e. */
export function frame(log: OctetLog): { readonly messages: readonly Framed[]; readonly rest: number } {
  const messages: Message[] = [];
  const momentOf = log.moments();
  let start = 0;
  while (log.end - start >= HEADER_OCTETS) {
    const len = log.u32(start + 12);
    const isOverlong = len > PAYLOAD_MAX;
    const end = start + HEADER_OCTETS + (isOverlong ? 0 : len);
    if (end > log.end) break;
    const first = momentOf(start);
    messages.push(new Message(log, start, end, first, momentOf(end - 1), isOverlong));
    start = end;
  }
  return { messages, rest: log.end - start };
}
