import type { Domid, Gref } from '../ids.ts';
import {
  GTF_accept_transfer,
  GTF_invalid,
  GTF_permit_access,
  GTF_reading,
  GTF_readonly,
  GTF_sub_page,
  GTF_transfer_committed,
  GTF_transfer_completed,
  GTF_transitive,
  GTF_type_mask,
  GTF_writing,
} from './abi.ts';
import {
  casFlags,
  entryCount,
  loadBody,
  loadFlags,
  loadStatus,
  storeDomid,
  storeFlags,
  storeGfn,
  storeTransitive,
  storeWindow,
  type TableBytes,
} from './layout.ts';

/*
 * What a guest's kernel does to its own grant table: loads and stores to shared memory, no hypercall. The reference must lie
 * within the table. Which references are free is the guest's own affair. Source: drivers/xen/grant-table.c in Linux.
 */

/** Whom a page is granted to, and how. `gfn`: the page of the granter. */
export interface Access {
  readonly domid: Domid;
  readonly gfn: number;
  readonly readonly?: boolean;
  /** Version 2, for copies alone: the octets that may be touched. */
  readonly window?: { readonly off: number; readonly len: number };
}

/** Store an entry: domid and frame, and flags last (fence F5), so that no map finds a half-written one. */
export function putEntry(
  table: TableBytes,
  gref: Gref,
  entry: { readonly flags: number; readonly domid: Domid; readonly gfn: number },
): void {
  storeDomid(table, gref, entry.domid);
  storeGfn(table, gref, entry.gfn);
  storeFlags(table, gref, entry.flags);
}

/** Grant access to a page: gnttab_grant_foreign_access_ref. */
export function grantAccess(table: TableBytes, gref: Gref, access: Access): void {
  const { window } = access;
  if (table.version === 2) storeWindow(table, gref, window?.off ?? 0, window?.len ?? 0);
  const flags = GTF_permit_access | (access.readonly ? GTF_readonly : 0) | (window === undefined ? 0 : GTF_sub_page);
  putEntry(table, gref, { ...access, flags });
}

/** Version 2: hand on what another domain granted to this one; good for copies alone (GNT-24). */
export function grantTransitive(
  table: TableBytes,
  gref: Gref,
  to: { readonly domid: Domid; readonly readonly?: boolean; readonly transDomid: Domid; readonly transGref: Gref },
): void {
  storeDomid(table, gref, to.domid);
  storeTransitive(table, gref, to.transDomid, to.transGref);
  storeFlags(table, gref, GTF_transitive | (to.readonly ? GTF_readonly : 0));
}

/** Whether somebody has the page mapped, or copies it now: gnttab_query_foreign_access. */
export function isInUse(table: TableBytes, gref: Gref): boolean {
  return (loadStatus(table, gref) & (GTF_reading | GTF_writing)) !== 0;
}

/**
 * End access (section 2.6), with a `yield` wherever another virtual CPU, or Xen, may come in between two accesses.
 * Version 1: compare and swap the flags to 0 unless the entry is in use; nothing changes when it is. Version 2: the flags
 * are 0 at once, which keeps new mappers out, and then the status tells whether an old one is left.
 * @returns false: busy. The page must not be used for anything else, nor the reference; ask again later (GNT-18).
 */
export function* endAccessSteps(table: TableBytes, gref: Gref): Generator<undefined, boolean, void> {
  if (table.version === 2) {
    storeFlags(table, gref, GTF_invalid);
    yield; // the barrier: fence F6
    return !isInUse(table, gref);
  }
  let flags = loadFlags(table, gref);
  for (;;) {
    if ((flags & (GTF_reading | GTF_writing)) !== 0) return false;
    yield;
    const found = casFlags(table, gref, flags, GTF_invalid);
    if (found === flags) return true;
    flags = found;
  }
}

/** End access in one step: gnttab_end_foreign_access_ref. @returns false: busy, see endAccessSteps(). */
export function endAccess(table: TableBytes, gref: Gref): boolean {
  const steps = endAccessSteps(table, gref);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Wait for a page of that domain: gnttab_grant_foreign_transfer_ref. `gfn`: where a translated guest wants it. */
export function acceptTransfer(
  table: TableBytes,
  gref: Gref,
  from: { readonly domid: Domid; readonly gfn: number },
): void {
  putEntry(table, gref, { ...from, flags: GTF_accept_transfer });
}

/** Take the offer back, or fetch the page. `pending`: committed and not there yet, ask again. */
export function endTransfer(
  table: TableBytes,
  gref: Gref,
): { readonly kind: 'none' } | { readonly kind: 'pending' } | { readonly kind: 'page'; readonly gfn: number } {
  for (;;) {
    const flags = loadFlags(table, gref);
    if ((flags & GTF_transfer_committed) === 0) {
      if (casFlags(table, gref, flags, GTF_invalid) === flags) return { kind: 'none' };
    } else if ((flags & GTF_transfer_completed) === 0) return { kind: 'pending' };
    else {
      storeFlags(table, gref, GTF_invalid);
      return { kind: 'page', gfn: loadBody(table, gref).gfn };
    }
  }
}

/** Pages into which the entries let others write: through a mapping, or by a copy, now or at any time. */
export function writableByOthers(table: TableBytes): Set<number> {
  const gfns = new Set<number>();
  for (let gref = 0; gref < entryCount(table); gref++) {
    const flags = loadFlags(table, gref);
    const isWritable = (flags & GTF_type_mask) === GTF_permit_access && (flags & GTF_readonly) === 0;
    if (isWritable) gfns.add(loadBody(table, gref).gfn);
  }
  return gfns;
}
