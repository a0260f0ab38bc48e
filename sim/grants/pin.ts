import type { Domain } from '../domains/domain.ts';
import type { Domid, Gref } from '../ids.ts';
import type { Frame } from '../memory.ts';
import {
  GNTMAP_device_map,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  type GrantStatus,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_sub_page,
  GTF_transitive,
  GTF_type_mask,
  GTF_writing,
} from './abi.ts';
import { casHeader, loadHeader, loadStatus, storeStatus } from './layout.ts';
import type { ActiveEntry, GrantTable } from './table.ts';

/** One more of each counter in the pin word: host-write, host-read, device-write, device-read (GNT-5). */
export const PIN = { hstw: 1, hstr: 0x100, devw: 0x1_0000, devr: 0x100_0000 } as const;
const WRITE_PINS = 0x00ff_00ff;
/** A counter has eight bits, and one whose top bit is set takes no more. Source: GNTPIN_incr2oflow_mask, grant_table.c. */
const PIN_MAX = 128;
const MAX_ATTEMPTS = 5;

/**
 * A point between two of Xen's own accesses to a shared entry, where another virtual CPU of the granter may store
 * (section 4.9): before the first read, before the compare and swap, after the status bits of version 2 are out and before
 * the second read, before the frame field is read.
 */
export type RacePoint = 'read' | 'cas' | 'recheck' | 'frame';
/** Called at each such point. It may store to memory, and must not make grant hypercalls: Xen holds the entry's lock. */
export type Race = (point: RacePoint, granter: Domain, gref: Gref) => void;

/** What a map with these flags adds to the pin word; 0: neither host nor device. */
export function pinIncrement(flags: number): number {
  const isReadonly = (flags & GNTMAP_readonly) !== 0;
  const device = (flags & GNTMAP_device_map) === 0 ? 0 : isReadonly ? PIN.devr : PIN.devw;
  const host = (flags & GNTMAP_host_map) === 0 ? 0 : isReadonly ? PIN.hstr : PIN.hstw;
  return device + host;
}

/** Whether a counter that would grow is full already (GNT-5). */
export function isRisky(pin: number, increment: number): boolean {
  return [PIN.hstw, PIN.hstr, PIN.devw, PIN.devr].some(
    (unit) => (Math.floor(increment / unit) & 0xff) !== 0 && (Math.floor(pin / unit) & 0xff) >= PIN_MAX,
  );
}

/** Whether any mapping of the entry may write. */
export function hasWritePin(pin: number): boolean {
  return (pin & WRITE_PINS) !== 0;
}

/** Who wants to pin an entry, and how. */
export interface Claim {
  readonly domid: Domid;
  readonly readonly: boolean;
  /** A map, which takes no sub-page and no transitive entry; otherwise a copy. */
  readonly forMap: boolean;
}

/**
 * Check a shared entry and show in it that it is in use (GNT-3, GNT-4). An entry that is pinned already is asked for
 * GTF_readonly alone (GNT-7). @returns false: GNTST_general_error, and nothing shown that was not there.
 * Source: _set_status_v1 and _set_status_v2 in xen/common/grant_table.c.
 */
export function setStatus(granter: Domain, gref: Gref, claim: Claim, race: Race | undefined): boolean {
  const table = granter.grants;
  const isPinned = table.active(gref) !== undefined;
  race?.('read', granter, gref);
  const isSet = table.version === 1 ? setStatusV1 : setStatusV2;
  if (!isSet(granter, gref, claim, isPinned, race)) return false;
  const record = table.active(gref);
  if (record !== undefined) {
    record.shown = loadStatus(table, gref);
    record.isOverwritten = false;
  }
  return true;
}

function isAllowed(table: GrantTable, word: number, claim: Claim): boolean {
  const type = word & GTF_type_mask;
  if (word >>> 16 !== claim.domid) return false; // DOMID_SELF is a number like any other here (GNT-1)
  if (claim.forMap && (word & GTF_sub_page) !== 0) return false;
  return type === GTF_permit_access || (type === GTF_transitive && table.version === 2 && !claim.forMap);
}

function setStatusV1(granter: Domain, gref: Gref, claim: Claim, isPinned: boolean, race: Race | undefined): boolean {
  const table = granter.grants;
  let word = loadHeader(table, gref);
  for (let attempt = 1; ; attempt++) {
    if (!isPinned && !isAllowed(table, word, claim)) return false;
    if (!claim.readonly && (word & GTF_readonly) !== 0) return false;
    race?.('cas', granter, gref);
    const found = casHeader(table, gref, word, word | GTF_reading | (claim.readonly ? 0 : GTF_writing));
    if (found === word) return true;
    if (attempt === MAX_ATTEMPTS) return false; // unstable: a guest must not keep Xen here for ever
    word = found;
  }
}

function setStatusV2(granter: Domain, gref: Gref, claim: Claim, isPinned: boolean, race: Race | undefined): boolean {
  const table = granter.grants;
  const isFit = (word: number) =>
    (isPinned || isAllowed(table, word, claim)) && (claim.readonly || (word & GTF_readonly) === 0);
  if (!isFit(loadHeader(table, gref))) return false;
  const shown = claim.readonly ? GTF_reading : GTF_reading | GTF_writing;
  storeStatus(table, gref, loadStatus(table, gref) | shown);
  race?.('recheck', granter, gref);
  const word = loadHeader(table, gref); // the status is out: whoever changed the entry since then sees it, or is seen (F6)
  if (isPinned ? (word & GTF_readonly) === 0 : isFit(word)) return true;
  storeStatus(table, gref, loadStatus(table, gref) & ~(isPinned ? GTF_writing : GTF_reading | GTF_writing));
  return false;
}

/** Take back what the entry shows and the pins do not need; nobody is told (GNT-12). `readonly`: no write pin fell. */
export function reduceStatus(table: GrantTable, gref: Gref, isReadonly: boolean): void {
  if (gref >= table.size) return;
  const record = table.active(gref);
  const pin = record?.pin ?? 0;
  const clear = (pin === 0 ? GTF_reading : 0) | (!isReadonly && !hasWritePin(pin) ? GTF_writing : 0);
  if (clear === 0) return;
  const found = loadStatus(table, gref);
  storeStatus(table, gref, found & ~clear);
  if (record === undefined) return;
  record.isOverwritten ||= found !== record.shown;
  record.shown = found & ~clear;
}

/** Add pins to an entry; the first ones make its record. */
export function addPin(table: GrantTable, gref: Gref, record: ActiveEntry, increment: number): void {
  record.pin = (record.pin + increment) >>> 0;
  if (table.active(gref) !== undefined) return;
  record.shown = loadStatus(table, gref);
  table.setActive(gref, record);
  if (record.isSubPage) table.v2Ops++;
}

/** Take pins off an entry and show it. */
export function dropPin(table: GrantTable, gref: Gref, decrement: number, isReadonly: boolean): void {
  const record = table.active(gref);
  if (record === undefined || decrement === 0) throw new Error(`assertion: gref ${gref} is not pinned`);
  record.pin = (record.pin - decrement) >>> 0;
  if (record.pin === 0) {
    table.setActive(gref, undefined);
    if (record.isSubPage) table.v2Ops--;
  }
  reduceStatus(table, gref, isReadonly);
}

/** The granter's page behind a gfn, as Xen finds it for a grant. Source: get_paged_frame, check_get_page_from_gfn. */
export function pageOf(
  granter: Domain,
  gfn: number,
  isReadonly: boolean,
): { readonly status: GrantStatus; readonly frame?: Frame } {
  const { memory } = granter;
  const kind = memory.kind(gfn);
  if (kind === 'paged_out' || (kind === 'shared' && !isReadonly)) return { status: GNTST.eagain };
  if (kind === 'foreign' || kind === 'mmio') return { status: GNTST.bad_page };
  const frame = memory.frame(gfn);
  return frame === undefined ? { status: GNTST.bad_page } : { status: GNTST.okay, frame };
}
