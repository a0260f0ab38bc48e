import type { Actor } from './actor.ts';
import { PARK } from './actor.ts';
import type { OctetChannel } from './octet-channel.ts';
import { OctetQueue } from './octet-queue.ts';
import type { Owner, Task, Timeline } from './timeline.ts';

/** What a pipe holds on Linux. Source: pipe(7), PIPE_DEF_BUFFERS pages. */
export const PIPE_BYTES = 65_536;

/** What a link is like (LK-2). */
export interface LinkTraits {
  /** Octets a second, of each direction. */
  readonly bandwidth: number;
  /** One way, ns. */
  readonly latencyNs: number;
  /** Octets that may be under way and not acknowledged, of each direction. */
  readonly windowBytes: number;
  /** How long a silence may be before the transport gives the link up; left out: for ever (LK-4). */
  readonly keepAliveNs?: number;
  /** Octets that one read or write moves at most; left out: as many as there are. */
  readonly pieceBytes?: number;
}

/** 1 Gbit/s over a switch, and 100 Mbit/s over some distance. */
export const LAN: LinkTraits = { bandwidth: 125_000_000, latencyNs: 200_000, windowBytes: 1 << 20 };
export const WAN: LinkTraits = { bandwidth: 12_500_000, latencyNs: 20_000_000, windowBytes: 1 << 20 };

/** What becomes of those at the ends of a direction that is cut (LK-3). */
export interface CutPlan {
  /** How long after the last octet they hear of it, ns. */
  readonly afterNs: number;
  /** What the reader then finds. */
  readonly reader: 'end' | 'broken';
}

const AT_ONCE: CutPlan = { afterNs: 0, reader: 'end' };

/** Pieces in which octets cross the wire. */
const SEGMENT_BYTES = 16_384;
const NS_PER_S = 1_000_000_000;

/**
 * One direction: the sender's pipe, the wire, the receiver's pipe. A write succeeds when the sender's pipe takes it: what that
 * holds, and what is on the wire, may never arrive (XM-6).
 */
export class LinkDirection {
  readonly #timeline: Timeline;
  readonly #owner: Owner;
  readonly #sending = new OctetQueue(PIPE_BYTES);
  readonly #arrived = new OctetQueue(PIPE_BYTES);
  /** On the wire, or before a receiver's pipe that is full; oldest first. */
  readonly #flight: { readonly octets: Uint8Array; at: number; hasArrived: boolean }[] = [];
  readonly #writers = new Set<Task>();
  readonly #readers = new Set<Task>();
  #traits: LinkTraits;
  #unacked = 0;
  /** The wire is free again then. */
  #freeNs = 0;
  #isBusy = false;
  #isClosed = false;
  #isReaderGone = false;
  #isCut = false;
  #hasWriterHeard = false;
  #readerFinds: 'end' | 'broken' | undefined = undefined;
  #cutAt = Number.POSITIVE_INFINITY;
  #cut: CutPlan = AT_ONCE;
  #stalledUntilNs = 0;
  /** Octets that a sender's pipe has taken; that have gone onto the wire; that a reader has got. */
  taken = 0;
  sent = 0;
  delivered = 0;
  /** The way back, where a cut takes both: whoever has heard of it there writes here no more. */
  #back: LinkDirection | undefined = undefined;

  constructor(timeline: Timeline, owner: Owner, traits: LinkTraits) {
    this.#timeline = timeline;
    this.#owner = owner;
    this.#traits = traits;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** The transport of both directions is one: it ends with any of them, and at each end at once. */
  tie(back: LinkDirection): void {
    this.#back = back;
  }

  /** From now on the wire is like that. */
  become(traits: LinkTraits): void {
    this.#traits = traits;
  }

  /** Octet `n`, counted from 1, is the last that crosses the wire; at once if it has. */
  cutAfter(n: number, plan: CutPlan = AT_ONCE): void {
    this.#cutAt = n;
    this.#cut = plan;
    if (this.sent >= n) this.#cutNow();
  }

  /** Nothing crosses the wire for so long; for ever: Infinity. No error comes of it (LK-4). */
  stall(ns: number): void {
    this.#stalledUntilNs = this.#timeline.nowNs + ns;
    const { keepAliveNs = Number.POSITIVE_INFINITY } = this.#traits;
    if (keepAliveNs < ns)
      this.#timeline.at(this.#owner, this.#timeline.nowNs + keepAliveNs, () => this.cutAfter(this.sent));
    else if (Number.isFinite(ns)) this.#timeline.at(this.#owner, this.#stalledUntilNs, () => this.#pump());
  }

  *write(octets: Uint8Array): Actor<'ok' | 'broken'> {
    for (let at = 0; at < octets.length; ) {
      if (this.#isClosed || this.#isBroken || this.#isReaderGone) return 'broken';
      const count = Math.min(octets.length - at, this.#sending.room, this.#traits.pieceBytes ?? octets.length);
      if (count === 0) {
        yield* this.#sleep(this.#writers);
        continue;
      }
      this.#sending.push(octets, at, count);
      at += count;
      this.taken += count;
      this.#pump();
    }
    return this.#isBroken ? 'broken' : 'ok';
  }

  get #isBroken(): boolean {
    const back = this.#back;
    return this.#hasWriterHeard || (back !== undefined && back.#readerFinds !== undefined);
  }

  *read(max: number): Actor<Uint8Array | 'end' | 'broken'> {
    for (;;) {
      if (this.#arrived.length > 0) {
        const octets = this.#arrived.take(Math.min(max, this.#traits.pieceBytes ?? max));
        this.delivered += octets.length;
        this.#land();
        return octets;
      }
      if (this.#readerFinds !== undefined) return this.#readerFinds;
      if (this.#isClosed && this.#sending.length === 0 && this.#flight.length === 0) return 'end';
      yield* this.#sleep(this.#readers);
    }
  }

  /** The writer closes: what it wrote still arrives. */
  close(): void {
    this.#isClosed = true;
    this.#pump();
    this.#wake(this.#readers);
  }

  /** The reader closes: nobody gets anything any more, which the writer hears a way later. */
  abandon(): void {
    if (this.#isReaderGone) return;
    this.#timeline.at(this.#owner, this.#timeline.nowNs + this.#traits.latencyNs, () => {
      this.#isReaderGone = true;
      this.#wake(this.#writers);
    });
  }

  *#sleep(who: Set<Task>): Actor {
    const me = this.#timeline.running;
    if (me === undefined) throw new Error('assertion: octets are moved by a task');
    who.add(me);
    yield PARK;
    who.delete(me);
  }

  #wake(who: Set<Task>): void {
    for (const task of [...who]) task.wake();
  }

  /** Put onto the wire what may go: one segment at a time. */
  #pump(): void {
    const { nowNs } = this.#timeline;
    if (this.#isBusy || this.#isCut || nowNs < this.#stalledUntilNs) return;
    const window = this.#traits.windowBytes - this.#unacked;
    const toCut = this.#cutAt - this.sent;
    const count = Math.min(this.#sending.length, SEGMENT_BYTES, window, toCut);
    if (count <= 0) {
      if (this.#isClosed) this.#wake(this.#readers);
      return;
    }
    const octets = this.#sending.take(count);
    this.#unacked += count;
    this.sent += count;
    this.#wake(this.#writers);
    const lineNs = Math.ceil((count * NS_PER_S) / this.#traits.bandwidth);
    this.#freeNs = nowNs + lineNs;
    const segment = { octets, at: 0, hasArrived: false };
    this.#flight.push(segment);
    this.#isBusy = true;
    this.#timeline.at(this.#owner, this.#freeNs, () => {
      this.#isBusy = false;
      this.#pump();
    });
    this.#timeline.at(this.#owner, this.#freeNs + this.#traits.latencyNs, () => this.#arrive(segment));
    if (this.sent >= this.#cutAt) this.#cutNow();
  }

  #arrive(segment: { hasArrived: boolean }): void {
    const { nowNs } = this.#timeline;
    if (nowNs < this.#stalledUntilNs) {
      if (Number.isFinite(this.#stalledUntilNs))
        this.#timeline.at(this.#owner, this.#stalledUntilNs, () => this.#arrive(segment));
      return;
    }
    segment.hasArrived = true;
    this.#land();
  }

  /** From the wire into the receiver's pipe, as far as there is room. */
  #land(): void {
    let landed = 0;
    for (let first = this.#flight[0]; first?.hasArrived === true; first = this.#flight[0]) {
      const count = Math.min(first.octets.length - first.at, this.#arrived.room);
      if (count === 0) break;
      this.#arrived.push(first.octets, first.at, count);
      first.at += count;
      landed += count;
      if (first.at === first.octets.length) this.#flight.shift();
    }
    if (landed === 0) return;
    this.#wake(this.#readers);
    this.#timeline.at(this.#owner, this.#timeline.nowNs + this.#traits.latencyNs, () => {
      this.#unacked -= landed;
      this.#pump();
    });
  }

  #cutNow(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#sending.clear();
    const { afterNs, reader } = this.#cut;
    // The last octets that crossed still arrive; whoever hears of the end hears of it behind them.
    const heardNs = Math.max(this.#timeline.nowNs, this.#freeNs) + this.#traits.latencyNs + afterNs;
    this.#timeline.at(this.#owner, heardNs, () => {
      this.#hasWriterHeard = true;
      this.#readerFinds = reader;
      this.#wake(this.#writers);
      this.#wake(this.#readers);
      if (this.#back !== undefined) this.#wake(this.#back.#writers);
    });
    const back = this.#back;
    back?.cutAfter(back.sent, this.#cut);
  }
}

/**
 * A link between two programs of two hosts: a direction each way. It belongs to neither host, and outlives both.
 */
export class Link {
  readonly forth: LinkDirection;
  readonly back: LinkDirection;

  constructor(timeline: Timeline, traits: LinkTraits = LAN) {
    const owner: Owner = { isHalted: false, onStep: undefined };
    this.forth = new LinkDirection(timeline, owner, traits);
    this.back = new LinkDirection(timeline, owner, traits);
  }

  /** The end at which it was opened, and the other one. */
  get near(): OctetChannel {
    return end(this.forth, this.back);
  }

  get far(): OctetChannel {
    return end(this.back, this.forth);
  }

  /** Both directions, now: the transport is gone. */
  cut(plan?: CutPlan): void {
    for (const direction of [this.forth, this.back]) direction.cutAfter(direction.sent, plan);
  }

  /** A cut of one direction, whenever it comes, takes the other with it. */
  tie(): void {
    this.forth.tie(this.back);
    this.back.tie(this.forth);
  }

  stall(ns: number): void {
    this.forth.stall(ns);
    this.back.stall(ns);
  }
}

function end(out: LinkDirection, into: LinkDirection): OctetChannel {
  return {
    write: (octets) => out.write(octets),
    read: (max) => into.read(max),
    close: () => {
      out.close();
      into.abandon();
    },
  };
}
