/**
 * What a daemon under the stand-in (standin.c) says, as u32 words. Notes go along with the next call; a call is answered, and
 * until then the daemon stands still. Behind each number: what it carries; `octets` are their count, themselves, and zeros up to
 * the next word.
 */
export const NOTE = {
  /** port */
  notify: 1,
  /** port */
  unmask: 2,
  /** ring, offset, value: one word of a ring's page */
  store: 3,
  /** ring, offset, octets */
  put: 4,
  /** ring */
  unmap: 5,
  /** descriptor, octets */
  write: 6,
  /** descriptor */
  close: 7,
  /** descriptor of the client */
  accept: 8,
  /** port: it was read from the event channel file */
  tookPort: 9,
  /** descriptor */
  listen: 10,
  /** port */
  unbind: 11,
  /** descriptor of the event channel file */
  events: 12,
} as const;

/** As `NOTE`, and what the answer carries behind its head. Where that begins with an errno, 0 means success. */
export const CALL = {
  /** process number → thread to share a processor with (0: none), processor; ports: count of (port, owner's domid + 1);
   *  descriptors: count of (descriptor, kind); path of the program that a live update executes, in octets */
  start: 32,
  /** timeout in ms, count of (index, descriptor, events) → port that can be read (0: none), clients that wait, count of (index,
   *  events that are so, room) */
  poll: 33,
  /** domid, remote port → errno, port */
  bind: 34,
  /** VIRQ → errno, port */
  virq: 35,
  /** → port that can be read, 0: none */
  port: 36,
  /** domid, gref → errno, ring, its page */
  map: 37,
  /** domid, gfn → errno, ring, its page */
  mapGfn: 38,
  /** domid → errno, whether there is one from that on, its domid, its flags */
  domain: 39,
  /** domid → errno, domid, state, capabilities, unique id in two words */
  state: 40,
  /** → as `state`, of the next domain that has changed */
  changed: 41,
  /** path in octets → errno, or path of the program in octets */
  exec: 42,
  /** path in octets → errno, mode */
  stat: 43,
  /** descriptor, most octets, whether it may not wait → errno, octets */
  read: 44,
  /** descriptor, whether it may not wait → errno, room in octets */
  room: 45,
  /** → nothing: a piece has been moved, and others may run now */
  moved: 46,
  /** signal, 0: it hangs → nothing */
  died: 47,
  /** status → nothing */
  exit: 48,
} as const;

/** Bits of an answer's first word: raise SIGHUP; ask after each move; end. */
export const FLAG = { hangUp: 1, inSteps: 2, end: 4 } as const;

/** Descriptors that stand for something of the simulation. */
export const KIND = { events: 1, listener: 2, socket: 3 } as const;

/** Source: poll.h of Linux. */
export const POLL = { in: 1, out: 4, hup: 16, nval: 32 } as const;

/** A call with its notes, read in their order. */
export class Words {
  readonly #octets: Uint8Array;
  readonly #words: DataView;
  #at: number;
  readonly #end: number;

  constructor(octets: Uint8Array, at: number, end: number) {
    this.#octets = octets;
    this.#words = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    this.#at = at;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  next(): number {
    const word = this.#words.getUint32(this.#at, true);
    this.#at += 4;
    return word;
  }

  /** A window on octets. */
  octets(): Uint8Array {
    const count = this.next();
    const window = this.#octets.subarray(this.#at, this.#at + count);
    this.#at += (count + 3) & ~3;
    return window;
  }

  text(): string {
    return String.fromCharCode(...this.octets());
  }
}

/** An answer in the making; one for all, as each is sent before the next begins. */
export class Answer {
  #octets = new Uint8Array(1 << 16);
  #words = new DataView(this.#octets.buffer);
  #at = 4;

  begin(): this {
    this.#at = 4;
    return this;
  }

  word(value: number): this {
    this.#reserve(4);
    this.#words.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  /** Octets without their count. */
  raw(from: Uint8Array, at: number, count: number): this {
    this.#reserve(count + 4);
    this.#octets.set(from.subarray(at, at + count), this.#at);
    this.#at += (count + 3) & ~3;
    return this;
  }

  octets(from: Uint8Array): this {
    return this.word(from.length).raw(from, 0, from.length);
  }

  text(text: string): this {
    return this.octets(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  }

  /** Where the next word goes, to be set when it is known. */
  hole(): number {
    this.word(0);
    return this.#at - 4;
  }

  fill(hole: number, value: number): void {
    this.#words.setUint32(hole, value, true);
  }

  /** The whole, with its length before it. A window. */
  end(): Uint8Array {
    this.#words.setUint32(0, this.#at - 4, true);
    return this.#octets.subarray(0, this.#at);
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#octets.length) return;
    const octets = new Uint8Array(2 * (this.#octets.length + count));
    octets.set(this.#octets);
    this.#octets = octets;
    this.#words = new DataView(octets.buffer);
  }
}
