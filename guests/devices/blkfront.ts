import { type Actor, type Frame, FrontRing, type Gref, initIoRing, PARK, type Port } from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';
import {
  BLKIF_MAX_SEGMENTS_PER_REQUEST,
  BLKIF_OP_DISCARD,
  BLKIF_OP_FLUSH_DISKCACHE,
  BLKIF_OP_READ,
  BLKIF_OP_WRITE,
  BLKIF_OP_WRITE_BARRIER,
  BLKIF_PROTOCOL,
  BLKIF_RSP_OKAY,
  BLKIF_SLOT_BYTES,
  type BlkSegment,
  decodeResponse,
  encodeRequest,
} from './blkif.ts';
import { FrontendStates } from './frontend-states.ts';
import type { BlkOp } from './observer.ts';
import { SECTOR_BYTES, sectorSums } from './sums.ts';
import type { Driver, DriverInstance, XenbusDevice } from './xenbus-device.ts';
import { XenbusState } from './xenbus-state.ts';

/** Sectors of a page. */
const PAGE_SECTORS = 8;
const STORE_NS = 15;
const LOAD_NS = 20;
const SEND_NS = 250;
const COPY_NS_PER_SECTOR = 20;

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
  readonly me: Me;
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

export interface BlkfrontOptions {
  /** Whether persistent grants are asked for. */
  readonly isPersistent: boolean;
  /** The disk can be used. Called once for each device. */
  readonly online: (disk: Blkfront) => void;
}

/** xen-blkfront. Source: linux drivers/block/xen-blkfront.c. */
export class BlkfrontDriver implements Driver {
  readonly #options: BlkfrontOptions;

  constructor(options: BlkfrontOptions) {
    this.#options = options;
  }

  *probe(device: XenbusDevice): Actor<DriverInstance | undefined> {
    return new Blkfront(device, this.#options);
  }
}

/** One disk of a guest. */
export class Blkfront implements DriverInstance {
  readonly #device: XenbusDevice;
  readonly #options: BlkfrontOptions;
  readonly #thread: Me;
  /** Asked for and not on the ring yet. */
  readonly #queue: PendingIo[] = [];
  readonly #onRing = new Map<number, OnRing>();
  readonly #pages: IoPage[] = [];
  readonly #states: FrontendStates;
  #ring: FrontRing | undefined;
  #ringPage: { readonly frame: Frame; readonly gref: Gref } | undefined;
  #port: Port = 0;
  #isConnected = false;
  #isPersistent = false;
  /** Answers are impossible: the backend's index or id was. Nothing is done any more. */
  #isBroken = false;
  /** Who has the disk open; a close waits for them. */
  #users = 0;
  /** Asked to close while in use. */
  #mustClose = false;
  #isGone = false;
  #wasOnline = false;
  #ids = 0;
  /** Capacity as the backend said it last. */
  sectors = 0;
  hasDiscard = false;

  constructor(device: XenbusDevice, options: BlkfrontOptions) {
    this.#device = device;
    this.#states = new FrontendStates(device, {
      talk: () => this.#talk(),
      connected: () => this.#backConnected(),
      close: () => this.#closing(),
      withdraw: () => this.#withdraw(),
    });
    this.#options = options;
    this.#thread = device.kernel.os.start(`blkfront.${device.id}`, () => this.#run());
  }

  get name(): string {
    return this.#device.name;
  }

  /** Whether its users should let go: the device is to be closed, or cannot be used. */
  get isClosing(): boolean {
    return this.#mustClose || this.#isGone || this.#isBroken;
  }

  /** Answered requests leave here; those that are not are kept over a reconnection. */
  get inFlight(): number {
    return this.#onRing.size + this.#queue.length;
  }

  open(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    const device = this.#device;
    if (this.#users === 0 && this.#mustClose) device.bus.post(device, () => device.switchState(XenbusState.Closed));
  }

  /** Ask for I/O without waiting; `wait` waits. `io.data`: whole sectors, none for a read, flush or discard. */
  submit(me: Me, io: BlkIo): PendingIo {
    const sectors = io.op === 'discard' || io.op === 'flush' ? 0 : io.sectors;
    if ((io.sector % PAGE_SECTORS) + sectors > BLKIF_MAX_SEGMENTS_PER_REQUEST * PAGE_SECTORS)
      throw new Error(`assertion: ${sectors} sectors in one request`);
    const pending: PendingIo = { ...io, id: ++this.#ids, status: undefined, me };
    this.#queue.push(pending);
    this.#thread.wake();
    return pending;
  }

  *wait(pending: PendingIo): Actor<number> {
    while (pending.status === undefined) yield PARK;
    return pending.status;
  }

  /** Close the connection and make it anew, as a kernel does that finds the device in use; what is not answered is asked
   *  again on the new ring. */
  reopen(): void {
    const device = this.#device;
    device.bus.post(device, () => this.#beginReopen());
  }

  *#beginReopen(): Actor {
    if (!this.#isConnected || this.#mustClose || this.#states.isReopening) return;
    this.#isConnected = false;
    yield* this.#states.reopen();
  }

  otherendChanged(state: XenbusState): Actor {
    return this.#states.otherendChanged(state);
  }

  *#backConnected(): Actor {
    const device = this.#device;
    if (device.state === XenbusState.Initialising) yield* this.#talk();
    if (device.state === XenbusState.Initialised || device.state === XenbusState.Connected) yield* this.#connect();
  }

  *removed(): Actor {
    this.#isGone = true;
    this.#mustClose = true;
    this.#withdraw();
    for (const io of this.#queue.splice(0)) this.#finish(io, -1);
    for (const page of this.#pages.splice(0)) this.#freePage(page);
    this.#thread.wake();
  }

  /** talk_to_blkback: a ring, a port, and the keys that name them. */
  *#talk(): Actor {
    const device = this.#device;
    const { os, grants } = device.kernel;
    const frame = os.allocPage();
    initIoRing(frame);
    const gref = grants.grant(device.otherendId, frame);
    const port = os.hyper.allocUnbound(os.domain.domid, device.otherendId);
    if (gref === undefined || !port.ok) {
      yield* device.fail(port.ok ? 'no grant reference' : `allocating event channel: ${port.errno}`);
      return;
    }
    this.#ringPage = { frame, gref };
    this.#ring = new FrontRing(frame, BLKIF_SLOT_BYTES);
    this.#port = port.value;
    os.handle(port.value, this.#thread);
    const isDone = yield* device.writeAll([
      ['ring-ref', String(gref)],
      ['event-channel', String(port.value)],
      ['protocol', BLKIF_PROTOCOL],
      ['feature-persistent', this.#options.isPersistent ? '1' : '0'],
    ]);
    if (!isDone) {
      yield* device.fail('writing ring keys');
      return;
    }
    device.note({ what: 'published', refs: [gref], ports: [port.value] });
    yield* device.switchState(XenbusState.Initialised);
  }

  /** blkfront_connect: the backend says what the disk is like; on a later Connected only its size can be new. */
  *#connect(): Actor {
    const device = this.#device;
    const sectors = yield* device.numberOther('sectors', -1);
    if (sectors < 0) {
      if (!this.#isConnected) yield* device.fail('reading sectors');
      return;
    }
    this.sectors = sectors;
    if (this.#isConnected) return;
    yield* device.numberOther('info', 0);
    yield* device.numberOther('sector-size', SECTOR_BYTES);
    yield* device.numberOther('physical-sector-size', SECTOR_BYTES);
    this.hasDiscard = (yield* device.numberOther('feature-discard', 0)) === 1;
    this.#isPersistent = this.#options.isPersistent && (yield* device.numberOther('feature-persistent', 0)) === 1;
    yield* device.switchState(XenbusState.Connected);
    this.#isConnected = true;
    this.#thread.wake();
    if (this.#wasOnline) return;
    this.#wasOnline = true;
    this.#options.online(this);
  }

  /** blkfront_closing: at once if nobody has the disk open, else when the last one lets go. */
  *#closing(): Actor {
    this.#mustClose = true;
    for (const { io } of this.#onRing.values()) io.me.wake();
    if (this.#users > 0) return;
    yield* this.#device.switchState(XenbusState.Closed);
  }

  /** blkif_free: the ring goes; what was not answered is the first in the queue again, in its old order. */
  #withdraw(): void {
    const { os, grants } = this.#device.kernel;
    this.#isConnected = false;
    if (this.#ringPage === undefined) return;
    grants.endAndFree(this.#ringPage.gref, this.#ringPage.frame);
    os.closePort(this.#port);
    this.#ringPage = undefined;
    this.#ring = undefined;
    const unanswered = [...this.#onRing.values()];
    this.#onRing.clear();
    this.#queue.unshift(...unanswered.map(({ io }) => io));
    for (const { pages } of unanswered) this.#pages.push(...pages);
    // All pages anew: a backend that was not told of the old ring must not reach them.
    for (const page of this.#pages.splice(0)) this.#freePage(page);
    this.#device.note({ what: 'withdrawn' });
  }

  #freePage({ gref, frame }: IoPage): void {
    const { grants, os } = this.#device.kernel;
    if (gref === undefined) os.domain.memory.free(frame.gfn);
    else grants.endAndFree(gref, frame);
  }

  /** The ring's only user: takes answers, puts requests. */
  *#run(): Actor {
    const { os } = this.#device.kernel;
    while (!this.#isGone) {
      const ring = this.#ring;
      if (ring === undefined || !this.#isConnected || this.#isBroken) {
        yield PARK;
        continue;
      }
      os.acknowledge(this.#port);
      const answers = ring.pending();
      if (answers < 0) this.#break('impossible response index');
      for (let i = 0; i < answers && !this.#isBroken; i++) {
        const { id, status } = decodeResponse(ring.take().slice());
        const sectors = this.#answer(Number(id), status);
        yield LOAD_NS + sectors * COPY_NS_PER_SECTOR;
        if (this.#ring !== ring) break;
      }
      if (this.#ring !== ring || this.#isBroken || !this.#isConnected) continue;
      const put = this.#put(ring);
      if (put > 0) {
        yield STORE_NS * put;
        if (this.#ring !== ring) continue;
        const before = ring.publish();
        yield LOAD_NS;
        if (this.#ring === ring && ring.shouldNotify(before)) {
          os.hyper.send(this.#port);
          yield SEND_NS;
        }
        continue;
      }
      if (answers > 0) continue;
      ring.arm();
      yield STORE_NS;
      if (this.#ring !== ring || ring.pending() !== 0 || (this.#queue.length > 0 && ring.free > 0)) continue;
      yield PARK;
    }
  }

  #break(why: string): void {
    this.#isBroken = true;
    this.#device.note({ what: 'stopped', side: 'front', why });
  }

  /** Fill slots as long as there is room. @returns how many. */
  #put(ring: FrontRing): number {
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
      const { id, op, sector } = io;
      const sums = op === 'write' || op === 'barrier' ? sectorSums(io.data) : [];
      this.#device.note({ what: 'submitted', id, op, sector, sectors: op === 'flush' ? 0 : io.sectors, sums });
    }
    return put;
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
      page.gref ??= grants.grant(this.#device.otherendId, page.frame, isWrite && !this.#isPersistent);
      pages.push(page);
      if (page.gref === undefined) {
        this.#letGo(pages);
        return undefined;
      }
      const bytes = sectors * SECTOR_BYTES;
      if (isWrite) page.frame.bytes.set(io.data.subarray(at, at + bytes), firstSect * SECTOR_BYTES);
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
      if (page.gref !== undefined && !this.#isPersistent) {
        if (!grants.end(page.gref)) {
          this.#break('backend has not unmapped a grant');
          continue; // the page is not to be used again
        }
        page.gref = undefined;
      }
      this.#pages.push(page);
    }
  }

  /** One answer. @returns sectors that were read. */
  #answer(id: number, status: number): number {
    const onRing = this.#onRing.get(id);
    if (onRing === undefined) {
      this.#break(`response to unknown id ${id}`);
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

  #finish(io: PendingIo, status: number): void {
    io.status = status;
    const ok = status === BLKIF_RSP_OKAY;
    const sums = io.op === 'read' && ok ? sectorSums(io.data) : [];
    if (!this.#isGone) this.#device.note({ what: 'completed', id: io.id, ok, sums });
    io.me.wake();
  }
}
