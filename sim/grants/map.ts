import type { Domain } from '../domains/domain.ts';
import { PAGE_BYTES } from '../memory.ts';
import {
  GNTMAP_application_map,
  GNTMAP_contains_pte,
  GNTMAP_device_map,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  type GrantStatus,
  type MapOp,
  type MapResult,
} from './abi.ts';
import type { GrantContext } from './context.ts';
import { loadBody } from './layout.ts';
import { MappedPage } from './mapped-page.ts';
import { slotOf } from './maptrack.ts';
import { addPin, dropPin, hasWritePin, isRisky, pageOf, pinIncrement, reduceStatus, setStatus } from './pin.ts';
import type { ActiveEntry } from './table.ts';

const NOT_FOR_TRANSLATED = GNTMAP_device_map | GNTMAP_application_map | GNTMAP_contains_pte;

/** One element of GNTTABOP_map_grant_ref. Checks in Xen's order; the first failure decides (section 2.4).
 *  Source: map_grant_ref in xen/common/grant_table.c. */
export function mapRef(context: GrantContext, mapper: Domain, op: MapOp): MapResult {
  const gref = op.ref >>> 0;
  const increment = pinIncrement(op.flags);
  if (increment === 0) return { status: GNTST.bad_gntref };
  if (mapper.memory.translated && (op.flags & NOT_FOR_TRANSLATED) !== 0) return { status: GNTST.general_error };
  const granter = context.domain(op.dom);
  if (granter === undefined) return { status: GNTST.bad_domain };
  const refusal = context.refusal(mapper.domid, granter.domid, gref);
  if (refusal !== undefined) return { status: refusal };
  const { maptrack } = mapper;
  const handle = maptrack.free();
  if (handle === undefined) return { status: GNTST.no_space };
  const table = granter.grants;
  if (gref >= table.size) return { status: GNTST.bad_gntref };
  const claimed = claim(context, mapper, granter, op);
  if (typeof claimed === 'number') return { status: claimed };

  addPin(table, gref, claimed, increment);
  const hostAddr = op.hostAddr ?? maptrack.addressFor(handle);
  const { frame } = claimed;
  if (!isPinnable(granter, claimed, op.flags) || !install(context, mapper, { ...op, hostAddr }, claimed)) {
    dropPin(table, gref, increment, (op.flags & GNTMAP_readonly) !== 0);
    return { status: GNTST.general_error };
  }
  const devBusAddr = context.busAddr(frame);
  const page = new MappedPage(frame, () => context.touched(mapper.domid, granter.domid, gref));
  maptrack.set(handle, { granter, gref, frame, page, flags: op.flags, hostAddr, devBusAddr });
  if ((op.flags & GNTMAP_host_map) !== 0) granter.memory.get(frame);
  if ((op.flags & GNTMAP_device_map) !== 0) granter.memory.get(frame);
  granter.foreignMaps++;
  return { status: GNTST.okay, handle, frame, page, hostAddr, devBusAddr };
}

/** Steps 7 to 9: the record of a pinned entry, or that of a fresh one whose shared entry allows the map. */
function claim(context: GrantContext, mapper: Domain, granter: Domain, op: MapOp): ActiveEntry | GrantStatus {
  const gref = op.ref >>> 0;
  const isReadonly = (op.flags & GNTMAP_readonly) !== 0;
  const record = granter.grants.active(gref);
  if (record !== undefined) {
    if (record.domid !== mapper.domid || record.isSubPage) return GNTST.general_error; // GNT-8
    if (isRisky(record.pin, pinIncrement(op.flags))) return GNTST.general_error;
    if (isReadonly || hasWritePin(record.pin)) return record; // the shared entry is not looked at (GNT-7)
  }
  const wish = { domid: mapper.domid, readonly: isReadonly, forMap: true };
  if (!setStatus(granter, gref, wish, context.race)) return GNTST.general_error;
  if (record !== undefined) return record; // with the frame of the first pin (GNT-6)
  context.race?.('frame', granter, gref);
  const page = pageOf(granter, loadBody(granter.grants, gref).gfn, isReadonly);
  if (page.frame === undefined) {
    reduceStatus(granter.grants, gref, isReadonly);
    return page.status;
  }
  return {
    pin: 0,
    domid: mapper.domid,
    frame: page.frame,
    start: 0,
    length: PAGE_BYTES,
    isSubPage: false,
    source: granter,
    sourceRef: gref,
    shown: 0,
    isOverwritten: false,
  };
}

/** Step 10: a page reference and, to write, a writable type reference. A dying granter gives neither (DOM-11). */
function isPinnable(granter: Domain, { frame }: ActiveEntry, flags: number): boolean {
  if (granter.dying !== 'alive' || !granter.memory.owns(frame)) return false;
  return (flags & GNTMAP_readonly) !== 0 || granter.memory.kind(frame.gfn) !== 'page_table';
}

/** Step 11: the page table entry or the physmap entry of the mapper. Source: create_grant_{pv,p2m}_mapping in xen/arch/x86. */
function install(
  context: GrantContext,
  mapper: Domain,
  op: { readonly flags: number; readonly hostAddr: number },
  { frame }: ActiveEntry,
): boolean {
  if ((op.flags & GNTMAP_host_map) === 0) return true;
  const slot = slotOf(op.flags, op.hostAddr);
  const isReadonly = (op.flags & GNTMAP_readonly) !== 0;
  if (mapper.memory.translated) {
    if ((op.flags & ~GNTMAP_readonly) !== GNTMAP_host_map) return false; // guest-available bits have no place in a physmap
    if (mapper.maptrack.pte(slot) !== undefined) {
      context.crash(mapper); // a grant mapping is not to be replaced in this way (p2m_add_page)
      return false;
    }
  } else if (op.hostAddr === 0)
    return false; // no page table there
  else if ((op.flags & GNTMAP_contains_pte) !== 0 && op.hostAddr % 8 !== 0) return false;
  mapper.maptrack.setPte(slot, { frame, readonly: isReadonly });
  return true;
}
