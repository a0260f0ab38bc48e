import {
  type Actor,
  type BackRing,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  type Gref,
  type Handle,
  type MappedPage,
  PARK,
  type Port,
} from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import {
  BLKIF_MAX_SEGMENTS_PER_REQUEST,
  BLKIF_OP_DISCARD,
  BLKIF_OP_FLUSH_DISKCACHE,
  BLKIF_OP_READ,
  BLKIF_OP_WRITE,
  BLKIF_OP_WRITE_BARRIER,
  BLKIF_RSP_EOPNOTSUPP,
  BLKIF_RSP_ERROR,
  BLKIF_RSP_OKAY,
  type BlkRequest,
  type BlkResponse,
  decodeRequest,
  encodeResponse,
} from './blkif.ts';
import type { Disk } from './disk.ts';
import { finalCheck } from './final-check.ts';
import type { BlkOp } from './observer.ts';
import { SECTOR_BYTES, sectorSums } from './sums.ts';
import type { XenbusDevice } from './xenbus-device.ts';

/** Sectors of a page. */
const PAGE_SECTORS = 8;
/** Requests that are at the disk at the same time. */
const AT_DISK_MAX = 2;
const STORE_NS = 15;
const LOAD_NS = 20;
const SEND_NS = 250;
const SLOT_NS = 60;
const MAP_NS = 300;

export const BLK_OPS: Readonly<Record<number, BlkOp>> = {
  [BLKIF_OP_READ]: 'read',
  [BLKIF_OP_WRITE]: 'write',
  [BLKIF_OP_FLUSH_DISKCACHE]: 'flush',
  [BLKIF_OP_WRITE_BARRIER]: 'barrier',
  [BLKIF_OP_DISCARD]: 'discard',
};

interface Page {
  readonly handle: Handle;
  readonly page: MappedPage;
}

/** What the ring serves, as it is at the moment of use. */
export interface BlkService {
  readonly isPersistent: boolean;
  readonly disk: () => Disk | undefined;
  readonly isReadonly: () => boolean;
}

/**
 * One frontend's ring and its thread, which alone takes requests; they go to the disk from actors of their own, are done in any
 * order, and answered as they are done (RNG-7). Source: linux drivers/block/xen-blkback/blkback.c.
 */
export class BlkRing {
  readonly #device: XenbusDevice;
  readonly #ring: BackRing;
  readonly #port: Port;
  readonly #service: BlkService;
  readonly #todo: BlkRequest[] = [];
  readonly #persistent = new Map<Gref, Page>();
  readonly #workers: Thread[] = [];
  #thread: Thread | undefined;
  /** Taken off the ring and not answered yet. */
  #inFlight = 0;
  /** A barrier that waits until it is alone, or is under way. */
  #barrier: { readonly request: BlkRequest; isReleased: boolean } | undefined;
  #isStopping = false;
  /** The frontend's index was impossible: nothing is served any more (RNG-8). */
  #isBroken = false;

  constructor(device: XenbusDevice, ring: BackRing, port: Port, service: BlkService) {
    this.#device = device;
    this.#ring = ring;
    this.#port = port;
    this.#service = service;
  }

  /** The ring itself. */
  get shared(): BackRing {
    return this.#ring;
  }

  get isStarted(): boolean {
    return this.#thread !== undefined;
  }

  start(): void {
    const { os } = this.#device.kernel;
    const name = `blkback.${this.#device.otherendId}.${this.#device.id}`;
    this.#thread = os.start(name, () => this.#run());
    os.handle(this.#port, this.#thread);
    for (let i = 0; i < AT_DISK_MAX; i++) this.#workers.push(os.start(`${name}/bio${i}`, (me) => this.#work(me)));
  }

  /** End the thread: what is at the disk is done first; nothing new is taken. Then nothing of the frontend is mapped. */
  *stop(me: Thread): Actor {
    this.#isStopping = true;
    for (const actor of [this.#thread, ...this.#workers]) {
      actor?.wake();
      while (actor?.task !== undefined && actor.task.state !== 'done') {
        yield 1_000 + me.draws.below(500);
        actor.wake();
      }
    }
    const { hyper } = this.#device.kernel.os;
    if (this.#persistent.size > 0)
      hyper.gnttab.unmapGrantRef([...this.#persistent.values()].map(({ handle }) => ({ handle })));
    this.#persistent.clear();
  }

  /** xen_blkif_schedule: what one look has shown is served, and then the ring is looked at once more. Only the frontend's events
   *  wake it for that, no answers of its own. */
  *#run(): Actor {
    const { os } = this.#device.kernel;
    for (;;) {
      os.acknowledge(this.#port);
      const taken = this.#barrier === undefined ? this.#take() : this.#releaseBarrier();
      if (taken > 0) {
        for (const worker of this.#workers) worker.wake();
        yield SLOT_NS * taken;
      }
      if (this.#isStopping && this.#inFlight === 0) return;
      if (this.#barrier !== undefined && taken > 0) continue; // it may go at once
      const mayTake = !this.#isStopping && !this.#isBroken && this.#barrier === undefined;
      if (mayTake && (yield* finalCheck(this.#ring))) continue;
      yield PARK;
    }
  }

  /** make_response: an answer, and an event if the frontend asked for one. The thread hears of it only if it waits for that. */
  *#respond(response: BlkResponse): Actor {
    const ring = this.#ring;
    encodeResponse(response, ring.fill());
    const before = ring.publish();
    const after = ring.prodPvt;
    yield STORE_NS + LOAD_NS;
    if (ring.shouldNotify(before, after)) {
      this.#device.kernel.os.hyper.send(this.#port);
      yield SEND_NS;
    }
    this.#inFlight--;
    if (this.#barrier !== undefined || this.#isStopping) this.#thread?.wake();
  }

  /** Take requests off the ring: a private copy of each slot, and only that is looked at (MEM-4). @returns how many came. */
  #take(): number {
    const ring = this.#ring;
    if (this.#isBroken || this.#isStopping) return 0;
    const waiting = ring.pending();
    if (waiting < 0) {
      this.#isBroken = true;
      this.#device.note({ what: 'stopped', side: 'back', why: 'impossible producer index' });
      return 0;
    }
    let taken = 0;
    for (; taken < waiting && this.#barrier === undefined; taken++) {
      const request = decodeRequest(ring.take().slice());
      this.#device.note({ what: 'taken', id: Number(request.id) });
      this.#inFlight++;
      if (request.operation === BLKIF_OP_WRITE_BARRIER) this.#barrier = { request, isReleased: false };
      else this.#todo.push(request);
    }
    return taken;
  }

  /** A barrier goes to the disk when all before it are answered; nothing is taken until it is done. @returns 1 if it goes. */
  #releaseBarrier(): number {
    const barrier = this.#barrier;
    if (barrier === undefined || barrier.isReleased || this.#inFlight > 1) return 0;
    barrier.isReleased = true;
    this.#todo.push(barrier.request);
    return 1;
  }

  *#work(me: Thread): Actor {
    for (;;) {
      const request = this.#todo.shift();
      if (request === undefined) {
        if (this.#isStopping && this.#inFlight === 0) return; // a barrier may still be held back
        yield PARK;
        continue;
      }
      const status = yield* this.#execute(me, request);
      yield* this.#respond({ id: request.id, operation: request.operation, status });
      if (this.#barrier?.request !== request) continue;
      this.#barrier = undefined;
      this.#thread?.wake();
    }
  }

  /** One request at the disk. @returns BLKIF_RSP_*. */
  *#execute(me: Thread, request: BlkRequest): Actor<number> {
    const op = BLK_OPS[request.operation];
    const disk = this.#service.disk();
    if (op === undefined || disk === undefined) return BLKIF_RSP_EOPNOTSUPP;
    const isTransfer = op === 'read' || op === 'write' || op === 'barrier';
    const sectors = isTransfer ? sectorsOf(request) : Number(request.nrSectors);
    if (request.nrSegments > BLKIF_MAX_SEGMENTS_PER_REQUEST || sectors < 0) return BLKIF_RSP_ERROR;
    if (isTransfer && sectors === 0 && op !== 'barrier') return BLKIF_RSP_ERROR;
    if (op !== 'read' && this.#service.isReadonly()) return BLKIF_RSP_ERROR;
    const sector = Number(request.sector);
    if (op === 'flush') {
      yield me.draws.below(disk.speed.seekNsMax);
      disk.flushes++;
      this.#device.note({ what: 'executed', id: Number(request.id), op, ok: true, sector: 0, sectors: 0, sums: [] });
      return BLKIF_RSP_OKAY;
    }
    const pages = isTransfer ? this.#map(request, op !== 'read') : [];
    yield MAP_NS * Math.max(1, pages?.length ?? 1);
    yield me.draws.below(disk.speed.seekNsMax) + sectors * disk.speed.sectorNs;
    const window = disk.window(sector, sectors); // the disk may have another size by now
    if (pages !== undefined && window !== undefined) {
      if (op === 'discard') window.fill(0);
      else move(request, pages, window, op !== 'read');
      if (op === 'barrier') disk.flushes++;
    }
    const ok = pages !== undefined && window !== undefined;
    const sums = window !== undefined && isTransfer ? sectorSums(window) : [];
    this.#device.note({ what: 'executed', id: Number(request.id), op, ok, sector, sectors, sums: ok ? sums : [] });
    if (pages !== undefined) yield* this.#unmap(pages);
    return ok ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR;
  }

  /** Map a request's pages; `undefined`: not all of them could be. */
  #map(request: BlkRequest, isWrite: boolean): Page[] | undefined {
    const { otherendId, kernel } = this.#device;
    const { isPersistent } = this.#service;
    const pages: Page[] = [];
    const flags = isWrite && !isPersistent ? GNTMAP_host_map | GNTMAP_readonly : GNTMAP_host_map;
    for (const { gref } of request.segments) {
      const kept = this.#persistent.get(gref);
      if (kept !== undefined) {
        pages.push(kept);
        continue;
      }
      const { status, handle, page: mapped } = kernel.os.hyper.mapGrant(otherendId, gref, flags);
      if (status !== GNTST.okay || handle === undefined || mapped === undefined) {
        this.#device.note({ what: 'unreachable', status });
        kernel.os.hyper.gnttab.unmapGrantRef(this.#passing(pages));
        return undefined;
      }
      const page = { handle, page: mapped };
      pages.push(page);
      if (isPersistent) this.#persistent.set(gref, page);
    }
    return pages;
  }

  *#unmap(pages: readonly Page[]): Actor {
    const passing = this.#passing(pages);
    if (passing.length === 0) return;
    this.#device.kernel.os.hyper.gnttab.unmapGrantRef(passing);
    yield MAP_NS;
  }

  /** Of these pages those that are mapped for one request only. */
  #passing(pages: readonly Page[]): Page[] {
    return this.#service.isPersistent ? [] : [...pages];
  }
}

/** Sectors that the segments make together; -1: one of them is impossible. */
function sectorsOf({ segments }: BlkRequest): number {
  let sectors = 0;
  for (const { firstSect, lastSect } of segments) {
    if (lastSect >= PAGE_SECTORS || firstSect > lastSect) return -1;
    sectors += lastSect - firstSect + 1;
  }
  return sectors;
}

/** Copy between the frontend's pages and the disk. */
function move(request: BlkRequest, pages: readonly Page[], window: Uint8Array, isWrite: boolean): void {
  let at = 0;
  request.segments.forEach(({ firstSect, lastSect }, i) => {
    const bytes = (lastSect - firstSect + 1) * SECTOR_BYTES;
    const part = (pages[i] as Page).page.bytes.subarray(firstSect * SECTOR_BYTES, firstSect * SECTOR_BYTES + bytes);
    if (isWrite) window.set(part, at);
    else part.set(window.subarray(at, at + bytes));
    at += bytes;
  });
}
