import {
  type Domain,
  ERROR,
  ForeignPages,
  type Frame,
  GNTMAP_host_map,
  GNTST,
  type Handle,
  Hypercalls,
  type Machine,
  PAGE_BYTES,
  type PageAccess,
  REQ_AT,
  REQ_CONS,
  REQ_PROD,
  RING_BYTES,
  type RingWord,
  RSP_AT,
  wordAt,
} from '../../../sim/index.ts';
import type { Answer } from './calls.ts';

/** The words of a ring's page, from its indexes to its event channel's. */
const WORDS = { at: REQ_CONS, count: 32 } as const;

/** How a failed map looks to a program that calls xengnttab_map_grant_ref: the status as Linux translates it. */
function errnoOf(status: number): 'EINVAL' | 'ENOMEM' | 'EAGAIN' {
  return status === GNTST.no_space ? 'ENOMEM' : status === GNTST.eagain ? 'EAGAIN' : 'EINVAL';
}

/** A mapped page, and what the daemon's copy of it holds. */
interface Ring {
  readonly domid: number;
  readonly frame: Frame;
  readonly page: PageAccess;
  readonly octets: Buffer;
  readonly known: Buffer;
  readonly unmap: () => void;
  /** A word was stored since both were last alike. */
  isDirty: boolean;
}

export type Mapped =
  | { readonly ok: true; readonly ring: number; readonly octets: Uint8Array }
  | { readonly ok: false; readonly errno: 'EINVAL' | 'ENOMEM' | 'EAGAIN' };

/**
 * The pages that a daemon has mapped. Its process has a copy of each, since nothing that both can see is at hand: what guests
 * change goes there with the answer that lets it run, what it changes comes back with its next call. Nobody else runs
 * meanwhile, so no side can tell that there are two.
 */
export class Rings {
  readonly #machine: Machine;
  readonly #domain: Domain;
  readonly #hyper: Hypercalls;
  readonly #rings: (Ring | undefined)[] = [];
  /** What ends the recording of a page: it goes on while nobody has it mapped. */
  readonly #recording = new Map<Frame, () => void>();
  readonly #errorStored: (domid: number, error: number) => void;

  constructor(machine: Machine, domain: Domain, errorStored: (domid: number, error: number) => void) {
    this.#machine = machine;
    this.#domain = domain;
    this.#hyper = new Hypercalls(machine, domain);
    this.#errorStored = errorStored;
  }

  /** GNTTABOP_map_grant_ref; the number of the ring, and its page as it is now. */
  map(domid: number, gref: number): Mapped {
    const { status, handle, frame, page } = this.#hyper.mapGrant(domid, gref, GNTMAP_host_map);
    if (frame === undefined || handle === undefined || page === undefined) return { ok: false, errno: errnoOf(status) };
    return this.#add(domid, frame, page, () => this.#release(handle));
  }

  /** A page by its number, as the control domain may map any: PRIVCMD_MMAPBATCH. */
  mapGfn(domid: number, gfn: number): Mapped {
    const owner = this.#machine.domain(domid);
    const frame = owner?.memory.frame(gfn);
    if (owner === undefined || frame === undefined) return { ok: false, errno: 'EINVAL' };
    const pages = new ForeignPages(owner, [frame], true, (of) => this.#machine.lives.freeIfUnreferenced(of));
    return this.#add(domid, frame, frame, () => pages.unmap());
  }

  unmap(slot: number): void {
    const ring = this.#at(slot);
    this.#rings[slot] = undefined;
    ring.unmap();
  }

  /** exec(2), or the end of the process: no mapping outlives it. */
  unmapAll(): void {
    this.#rings.forEach((ring, slot) => {
      if (ring !== undefined) this.unmap(slot);
    });
  }

  /** Somebody else maps them, and records what happens there. */
  handOver(): void {
    for (const end of this.#recording.values()) end();
    this.#recording.clear();
  }

  /** The daemon has stored a word. */
  store(slot: number, offset: number, value: number): void {
    const { domid, page, known } = this.#at(slot);
    known.writeUInt32LE(value, offset);
    page.store32(offset, value, false);
    if (offset === ERROR) this.#errorStored(domid, value);
  }

  /** The daemon has stored octets. */
  put(slot: number, offset: number, octets: Uint8Array): void {
    const { page, known } = this.#at(slot);
    page.bytes.set(octets, offset);
    known.set(octets, offset);
  }

  ownerOf(slot: number): number {
    return this.#at(slot).domid;
  }

  /** The octets that the daemon takes out of the ring by storing this index; at most a ring full. */
  consumed(slot: number, reqCons: number): Uint8Array {
    const { frame, known } = this.#at(slot);
    const from = known.readUInt32LE(REQ_CONS);
    const octets = new Uint8Array(Math.min(RING_BYTES, (reqCons - from) >>> 0));
    for (let i = 0; i < octets.length; i++) octets[i] = frame.bytes[REQ_AT + ((from + i) & (RING_BYTES - 1))] as number;
    return octets;
  }

  /** Requests that a guest has put in and the daemon has not taken out: whether there are any. */
  get areUnread(): boolean {
    return this.#rings.some((ring) => ring !== undefined && isUnread(ring));
  }

  get unreadOctets(): number {
    let sum = 0;
    for (const ring of this.#rings) {
      if (ring === undefined) continue;
      const unread = (ring.frame.load32(REQ_PROD) - ring.frame.load32(REQ_CONS)) >>> 0;
      if (unread <= RING_BYTES) sum += unread;
    }
    return sum;
  }

  /** Write what the daemon's copies lack, count and pieces (ring, offset, octets), and remember that it has it now. */
  tell(answer: Answer): void {
    const hole = answer.hole();
    let pieces = 0;
    const piece = (slot: number, { octets, known }: Ring, at: number, count: number) => {
      if (count <= 0) return;
      answer.word(slot).word(at).word(count).raw(octets, at, count);
      octets.copy(known, at, at, at + count);
      pieces++;
    };
    for (let slot = 0; slot < this.#rings.length; slot++) {
      const ring = this.#rings[slot];
      // Octets that no word tells of are looked at where the daemon may read them.
      if (ring === undefined || !(ring.isDirty || isUnread(ring))) continue;
      ring.isDirty = false;
      const { octets, known } = ring;
      if (octets.compare(known) === 0) continue;
      const from = known.readUInt32LE(REQ_PROD);
      const count = (octets.readUInt32LE(REQ_PROD) - from) >>> 0;
      if (count <= RING_BYTES) {
        const start = from & (RING_BYTES - 1);
        const first = Math.min(count, RING_BYTES - start);
        piece(slot, ring, REQ_AT + start, first);
        piece(slot, ring, REQ_AT, count - first);
      }
      piece(slot, ring, WORDS.at, WORDS.count);
      if (octets.compare(known) === 0) continue;
      for (const at of [REQ_AT, RSP_AT])
        if (octets.compare(known, at, at + RING_BYTES, at, at + RING_BYTES) !== 0) piece(slot, ring, at, RING_BYTES);
      if (octets.compare(known) !== 0) piece(slot, ring, 0, PAGE_BYTES);
    }
    answer.fill(hole, pieces);
  }

  #add(domid: number, frame: Frame, page: PageAccess, release: () => void): Mapped {
    const octets = Buffer.from(frame.bytes.buffer, frame.bytes.byteOffset, PAGE_BYTES);
    this.#recording.get(frame)?.();
    const { trace } = this.#machine;
    const record = frame.subscribe((offset, before, after, byOwner) => {
      const word = wordAt(offset);
      if (word >= 0 && before !== after)
        trace.index(domid, byOwner ? 'guest' : 'store', word as RingWord, before, after, frame.bytes);
    });
    this.#recording.set(frame, record);
    const watched = frame.subscribe((_offset, _before, _after, byOwner) => {
      if (byOwner) ring.isDirty = true;
    });
    const ring: Ring = {
      domid,
      frame,
      page,
      octets,
      known: Buffer.from(octets),
      isDirty: false,
      unmap: () => {
        watched();
        release();
      },
    };
    const free = this.#rings.indexOf(undefined);
    const slot = free < 0 ? this.#rings.length : free;
    this.#rings[slot] = ring;
    return { ok: true, ring: slot, octets: ring.known };
  }

  #release(handle: Handle): void {
    if (this.#domain.dying === 'alive' || this.#domain.dying === 'dying') this.#hyper.unmapGrant(handle);
  }

  #at(slot: number): Ring {
    const ring = this.#rings[slot];
    if (ring === undefined) throw new Error(`assertion: the daemon has no ring ${slot}`);
    return ring;
  }
}

function isUnread({ frame }: Ring): boolean {
  return frame.load32(REQ_CONS) !== frame.load32(REQ_PROD);
}
