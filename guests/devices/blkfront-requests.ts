import type { Frame, FrontRing, Gref } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import {
  BLKIF_MAX_SEGMENTS_PER_REQUEST,
  BLKIF_OP_DISCARD,
  BLKIF_OP_FLUSH_DISKCACHE,
  BLKIF_OP_READ,
  BLKIF_OP_WRITE,
  BLKIF_OP_WRITE_BARRIER,
  BLKIF_RSP_OKAY,
  type BlkSegment,
  decodeResponse,
  encodeRequest,
} from './blkif.ts';
import type { BlkOp } from './observer.ts';
import { SECTOR_BYTES, sectorSums } from './sums.ts';
import type { XenbusDevice } from './xenbus-device.ts';

/** Sectors of a page. */
const PAGE_SECTORS = 8;

const OPERATIONS = {
  read: BLKIF_OP_READ,
  write: BLKIF_OP_WRITE,
  flush: BLKIF_OP_FLUSH_DISKCACHE,
  barrier: BLKIF_OP_WRITE_BARRIER,
  discard: BLKIF_OP_DISCARD,
} as const satisfies Record<BlkOp, number>;

/** What a user of the disk asks for. */
export interface BlkIo {
  readonly op: BlkOp;
  readonly sector: number;
  readonly sectors: number;
  /** What is to be written, or, once it is done, what was read. */
  data: Uint8Array;
}

/** A request on its way: its user parks until `status` is there. */
export interface PendingIo extends BlkIo {
  readonly id: number;
  /** 0 is success; `undefined`: not answered. */
  status: number | undefined;
  readonly me: Thread;
}

/** A page for the octets of requests. Persistent ones stay granted. */
interface IoPage {
  readonly frame: Frame;
  gref: Gref | undefined;
}

/** A request on the ring. */
interface OnRing {
  readonly io: PendingIo;
  readonly pages: readonly IoPage[];
  readonly segments: readonly BlkSegment[];
}

/** Requests of a disk's users: queued, on the ring, answered. What is not answered outlives the ring. */
export class BlkRequests {
  readonly #device: XenbusDevice;
  readonly #broken: (why: string) => void;
  /** Asked for and not on the ring yet. */
  readonly #queue: PendingIo[] = [];
  readonly #onRing = new Map<number, OnRing>();
  readonly #pages: IoPage[] = [];
  /** Requests that were on a ring at least once: of others nobody was told, and nobody is told that they failed. */
  readonly #submitted = new Set<number>();
  #ids = 0;
  #isGone = false;
  /** Pages stay granted between requests. */
  isPersistent = false;

  /** @param broken called when the backend has done what cannot be. */
  constructor(device: XenbusDevice, broken: (why: string) => void) {
    this.#device = device;
    this.#broken = broken;
  }

  /** Those that are not answered. */
  get count(): number {
    return this.#onRing.size + this.#queue.length;
  }

  get hasQueued(): boolean {
    return this.#queue.length > 0;
  }

  /** Queue a request of whole sectors. */
  add(me: Thread, io: BlkIo): PendingIo {
    const sectors = io.op === 'discard' || io.op === 'flush' ? 0 : io.sectors;
    if ((io.sector % PAGE_SECTORS) + sectors > BLKIF_MAX_SEGMENTS_PER_REQUEST * PAGE_SECTORS)
      throw new Error(`assertion: ${sectors} sectors in one request`);
    const pending: PendingIo = { ...io, id: ++this.#ids, status: undefined, me };
    this.#queue.push(pending);
    return pending;
  }

  /** Wake those whose requests are on the ring: they may want to know how the device is. */
  wakeUsers(): void {
    for (const { io } of this.#onRing.values()) io.me.wake();
  }

  /** The ring is gone: what was not answered is the first in the queue again, in its old order. */
  requeue(): void {
    const unanswered = [...this.#onRing.values()];
    this.#onRing.clear();
    this.#queue.unshift(...unanswered.map(({ io }) => io));
    for (const { pages } of unanswered) this.#pages.push(...pages);
    // All pages anew: a backend that was not told of the old ring must not reach them.
    this.#freePages();
  }

  /** The device is gone: what is queued fails, and nobody is told of it. */
  end(): void {
    this.#isGone = true;
    this.fail();
  }

  /** There is no connection, and there will be none: what is queued fails. */
  fail(): void {
    for (const io of this.#queue.splice(0)) this.#finish(io, -1);
    this.#freePages();
  }

  #freePages(): void {
    const { grants, os } = this.#device.kernel;
    for (const { gref, frame } of this.#pages.splice(0)) {
      if (gref === undefined) os.domain.memory.free(frame.gfn);
      else grants.endAndFree(gref, frame);
    }
  }

  /** Fill slots as long as there is room. @returns how many. */
  put(ring: FrontRing): number {
    let put = 0;
    for (; ring.free > 0; put++) {
      const io = this.#queue.shift();
      if (io === undefined) break;
      const onRing = this.#prepare(io);
      if (onRing === undefined) {
        this.#queue.unshift(io); // no reference is free now
        break;
      }
      const isDiscard = io.op === 'discard';
      encodeRequest(
        {
          operation: OPERATIONS[io.op],
          handle: this.#device.id & 0xffff,
          id: BigInt(io.id),
          sector: BigInt(io.op === 'flush' ? 0 : io.sector),
          segments: onRing.segments,
          nrSegments: onRing.segments.length,
          nrSectors: isDiscard ? BigInt(io.sectors) : 0n,
        },
        ring.fill(),
      );
      this.#onRing.set(io.id, onRing);
      this.#submitted.add(io.id);
      const { id, op, sector } = io;
      const sums = op === 'write' || op === 'barrier' ? sectorSums(io.data) : [];
      this.#device.note({ what: 'submitted', id, op, sector, sectors: op === 'flush' ? 0 : io.sectors, sums });
    }
    return put;
  }

  /** Take one answer off the ring. @returns sectors that were read. */
  takeAnswer(ring: FrontRing): number {
    const answer = decodeResponse(ring.take().slice());
    const [id, status] = [Number(answer.id), answer.status];
    const onRing = this.#onRing.get(id);
    if (onRing === undefined) {
      this.#broken(`response to unknown id ${id}`);
      return 0;
    }
    this.#onRing.delete(id);
    const { io, pages, segments } = onRing;
    if (io.op === 'read' && status === BLKIF_RSP_OKAY) {
      io.data = new Uint8Array(io.sectors * SECTOR_BYTES);
      let at = 0;
      segments.forEach(({ firstSect, lastSect }, i) => {
        const part = (pages[i] as IoPage).frame.bytes.subarray(firstSect * SECTOR_BYTES, (lastSect + 1) * SECTOR_BYTES);
        io.data.set(part, at);
        at += part.length;
      });
    }
    this.#letGo(pages);
    this.#finish(io, status);
    return io.op === 'read' ? io.sectors : 0;
  }

  /** Pages for a request, granted and filled; the first sector lies in its page as on the disk. */
  #prepare(io: PendingIo): OnRing | undefined {
    const { grants, os } = this.#device.kernel;
    const pages: IoPage[] = [];
    const segments: BlkSegment[] = [];
    let left = io.op === 'flush' || io.op === 'discard' ? 0 : io.sectors;
    let firstSect = left === 0 ? 0 : io.sector % PAGE_SECTORS;
    const isWrite = io.op === 'write' || io.op === 'barrier';
    for (let at = 0; left > 0; firstSect = 0) {
      const sectors = Math.min(left, PAGE_SECTORS - firstSect);
      const page = this.#pages.pop() ?? { frame: os.allocPage(), gref: undefined };
      page.gref ??= grants.grant(this.#device.otherendId, page.frame, isWrite && !this.isPersistent);
      pages.push(page);
      if (page.gref === undefined) {
        this.#letGo(pages);
        return undefined;
      }
      const bytes = sectors * SECTOR_BYTES;
      if (isWrite) {
        page.frame.bytes.set(io.data.subarray(at, at + bytes), firstSect * SECTOR_BYTES);
        page.frame.wrote();
      }
      segments.push({ gref: page.gref, firstSect, lastSect: firstSect + sectors - 1 });
      at += bytes;
      left -= sectors;
    }
    return { io, pages, segments };
  }

  /** Take back the pages of a request: unless grants persist the backend must have let go of them. */
  #letGo(pages: readonly IoPage[]): void {
    const { grants } = this.#device.kernel;
    for (const page of pages) {
      if (page.gref !== undefined && !this.isPersistent) {
        if (!grants.end(page.gref)) {
          this.#broken('backend has not unmapped a grant');
          continue; // the page is not to be used again
        }
        page.gref = undefined;
      }
      this.#pages.push(page);
    }
  }

  #finish(io: PendingIo, status: number): void {
    io.status = status;
    const ok = status === BLKIF_RSP_OKAY;
    const sums = io.op === 'read' && ok ? sectorSums(io.data) : [];
    const wasSubmitted = this.#submitted.delete(io.id);
    if (wasSubmitted && !this.#isGone) this.#device.note({ what: 'completed', id: io.id, ok, sums });
    io.me.wake();
  }
}
