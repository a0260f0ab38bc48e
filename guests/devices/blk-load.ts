import { type Actor, PARK } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import type { Blkfront } from './blkfront.ts';
import type { BlkIo, PendingIo } from './blkfront-requests.ts';
import type { BlkOp } from './observer.ts';
import { SECTOR_BYTES } from './sums.ts';

/** A program that uses a disk. */
export interface BlkPlan {
  /** Sectors that nobody else uses: from here .. */
  readonly first: number;
  /** .. up to this one, not included; left out: to the end of the disk as it is now. */
  readonly end?: number;
  /** Asked before each request. */
  readonly goesOn: () => boolean;
  /** Requests that may be unanswered at the same time; no two of them touch the same sector, as with a file system. */
  readonly inFlightMax: number;
  readonly thinkNsMax: number;
  /** Called with each request. */
  readonly asked: () => void;
}

/** Largest request of the mix, in sectors; now and then one of as many as its segments can hold. */
const SECTORS_MAX = 16;
const SECTORS_OF_ALL_SEGMENTS = 80;

/** Reads and writes at random places of a region, now and then a flush, a barrier or a discard. Ends when it is to stop and all
 *  are answered, or when the disk goes or is disabled. */
export function* blkLoad(me: Thread, disk: Blkfront, plan: BlkPlan): Actor {
  const { draws } = me;
  const busy: PendingIo[] = [];
  disk.open();
  while (plan.goesOn() && !disk.isClosing) {
    let io: BlkIo | undefined;
    while (io === undefined && !disk.isClosing) {
      settle(busy);
      if (busy.length < plan.inFlightMax) io = draw(me, disk, plan, busy);
      if (io === undefined) yield PARK;
    }
    if (io === undefined) break;
    plan.asked();
    busy.push(disk.submit(me, io));
    yield draws.below(plan.thinkNsMax);
  }
  while (busy.length > 0 && !disk.isDisabled) {
    yield PARK;
    settle(busy);
  }
  disk.release();
}

/** Take out what is answered. */
function settle(busy: PendingIo[]): void {
  for (let i = busy.length - 1; i >= 0; i--) if (busy[i]?.status !== undefined) busy.splice(i, 1);
}

/** A request whose sectors are not under way; `undefined`: none was found now. */
function draw({ draws }: Thread, disk: Blkfront, plan: BlkPlan, busy: readonly PendingIo[]): BlkIo | undefined {
  const what = draws.below(100);
  const op: BlkOp = what < 46 ? 'write' : what < 92 ? 'read' : what < 95 ? 'discard' : what < 98 ? 'flush' : 'barrier';
  if (op === 'flush') return { op, sector: 0, sectors: 0, data: new Uint8Array(0) };
  const room = (plan.end ?? disk.sectors) - plan.first;
  const most = Math.min(room, draws.oneIn(50) ? SECTORS_OF_ALL_SEGMENTS : SECTORS_MAX);
  const sectors = 1 + draws.below(most);
  const sector = plan.first + draws.below(room - sectors + 1);
  const overlaps = (io: BlkIo) => io.sectors > 0 && sector < io.sector + io.sectors && io.sector < sector + sectors;
  if (busy.some(overlaps)) return undefined;
  const data = new Uint8Array(op === 'write' || op === 'barrier' ? sectors * SECTOR_BYTES : 0);
  scribble(data, 0, draws.bits());
  return { op: op === 'discard' && !disk.hasDiscard ? 'read' : op, sector, sectors, data };
}

/** Octets that are unlike any others, from one draw. */
export function scribble(bytes: Uint8Array, from: number, seed: number): void {
  let x = seed | 1;
  for (let i = from; i < bytes.length; i++) {
    if (((i - from) & 3) === 0) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
    }
    bytes[i] = x >>> (8 * ((i - from) & 3));
  }
}
