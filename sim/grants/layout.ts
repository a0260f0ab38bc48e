import type { Domid, Gref } from '../ids.ts';
import { type Frame, PAGE_BYTES } from '../memory.ts';

/** A grant table as octets: what the hypervisor and a guest that asked for its frames both look at. */
export interface TableBytes {
  readonly version: 1 | 2;
  readonly frames: readonly Frame[];
  /** Version 2: where the hypervisor shows reading and writing. */
  readonly statusFrames: readonly Frame[];
}

const ENTRY_BYTES = { 1: 8, 2: 16 } as const;
const STATUS_BYTES = 2;
const STATUS_PER_FRAME = PAGE_BYTES / STATUS_BYTES;

/** Entries in one shared frame: 512 in version 1, 256 in version 2. */
export function entriesPerFrame(version: 1 | 2): number {
  return PAGE_BYTES / ENTRY_BYTES[version];
}

/** Status frames that so many shared frames of version 2 need. */
export function statusFramesFor(frames: number): number {
  return Math.ceil((frames * entriesPerFrame(2)) / STATUS_PER_FRAME);
}

/** Shared frames that so many status frames serve. */
export function framesForStatus(statusFrames: number): number {
  return Math.ceil((statusFrames * STATUS_PER_FRAME) / entriesPerFrame(2));
}

/** Entries that exist now; a higher reference is GNTST_bad_gntref even below the limit (GNT-19). */
export function entryCount(table: TableBytes): number {
  return table.frames.length * entriesPerFrame(table.version);
}

/** Where an entry lies; the reference must be below entryCount(). */
export function locate(table: TableBytes, gref: Gref): { readonly frame: Frame; readonly at: number } {
  const perFrame = entriesPerFrame(table.version);
  const frame = table.frames[Math.floor(gref / perFrame)];
  if (frame === undefined) throw new Error(`assertion: gref ${gref} beyond the table`);
  return { frame, at: (gref % perFrame) * ENTRY_BYTES[table.version] };
}

function locateStatus(table: TableBytes, gref: Gref): { readonly frame: Frame; readonly at: number } {
  const frame = table.statusFrames[Math.floor(gref / STATUS_PER_FRAME)];
  if (frame === undefined) throw new Error(`assertion: no status word for gref ${gref}`);
  return { frame, at: (gref % STATUS_PER_FRAME) * STATUS_BYTES };
}

/** Flags (low half) and domid (high half) in one atomic load. */
export function loadHeader(table: TableBytes, gref: Gref): number {
  const { frame, at } = locate(table, gref);
  return frame.load32(at);
}

/** Compare and swap of the header word. @returns what was there. */
export function casHeader(table: TableBytes, gref: Gref, expected: number, next: number): number {
  const { frame, at } = locate(table, gref);
  return frame.cas32(at, expected, next);
}

export function loadFlags(table: TableBytes, gref: Gref): number {
  const { frame, at } = locate(table, gref);
  return frame.load16(at);
}

/** Compare and swap of the flags alone. @returns what was there. */
export function casFlags(table: TableBytes, gref: Gref, expected: number, next: number): number {
  const { frame, at } = locate(table, gref);
  return frame.cas16(at, expected, next);
}

export function storeFlags(table: TableBytes, gref: Gref, flags: number): void {
  const { frame, at } = locate(table, gref);
  frame.store16(at, flags);
}

/** The word that shows reading and writing: the flags in version 1, a word apart in version 2. */
export function loadStatus(table: TableBytes, gref: Gref): number {
  if (table.version === 1) return loadFlags(table, gref);
  const { frame, at } = locateStatus(table, gref);
  return frame.load16(at);
}

/** Store the word that loadStatus() loads. */
export function storeStatus(table: TableBytes, gref: Gref, value: number): void {
  if (table.version === 1) return storeFlags(table, gref, value);
  const { frame, at } = locateStatus(table, gref);
  frame.store16(at, value);
}

/** What an entry says beside its header. `off` and `len`: window of a sub-page entry. Frames of version 2 are 64 bits wide. */
export interface EntryBody {
  readonly gfn: number;
  readonly off: number;
  readonly len: number;
  readonly transDomid: Domid;
  readonly transGref: Gref;
}

/** Decode the rest of an entry; which fields mean something is the header's matter. */
export function loadBody(table: TableBytes, gref: Gref): EntryBody {
  const { frame, at } = locate(table, gref);
  if (table.version === 1) return { gfn: frame.load32(at + 4), off: 0, len: PAGE_BYTES, transDomid: 0, transGref: 0 };
  return {
    gfn: frame.load32(at + 8) + frame.load32(at + 12) * 0x1_0000_0000,
    off: frame.load16(at + 4),
    len: frame.load16(at + 6),
    transDomid: frame.load16(at + 4),
    transGref: frame.load32(at + 8),
  };
}

/** Store the frame field of a full-page or sub-page entry. */
export function storeGfn(table: TableBytes, gref: Gref, gfn: number): void {
  const { frame, at } = locate(table, gref);
  if (table.version === 1) return frame.store32(at + 4, gfn, true);
  frame.store32(at + 8, gfn % 0x1_0000_0000, true);
  frame.store32(at + 12, Math.floor(gfn / 0x1_0000_0000), true);
}

export function storeDomid(table: TableBytes, gref: Gref, domid: Domid): void {
  const { frame, at } = locate(table, gref);
  frame.store16(at + 2, domid);
}

/** Version 2: the window of a sub-page entry, octets. */
export function storeWindow(table: TableBytes, gref: Gref, off: number, len: number): void {
  const { frame, at } = locate(table, gref);
  frame.store16(at + 4, off);
  frame.store16(at + 6, len);
}

/** Version 2: whose entry a transitive one stands for. */
export function storeTransitive(table: TableBytes, gref: Gref, domid: Domid, transGref: Gref): void {
  const { frame, at } = locate(table, gref);
  frame.store16(at + 4, domid);
  frame.store16(at + 6, 0);
  frame.store32(at + 8, transGref, true);
  frame.store32(at + 12, 0, true);
}

/** The octets of one entry, as a window. */
export function entryWindow(table: TableBytes, gref: Gref): Uint8Array {
  const { frame, at } = locate(table, gref);
  return frame.bytes.subarray(at, at + ENTRY_BYTES[table.version]);
}
