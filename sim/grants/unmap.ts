import type { Domain } from '../domains/domain.ts';
import type { Handle } from '../ids.ts';
import {
  GNTMAP_contains_pte,
  GNTMAP_device_map,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  type GrantStatus,
} from './abi.ts';
import type { GrantContext } from './context.ts';
import { type Mapping, slotOf } from './maptrack.ts';
import { dropPin, pinIncrement } from './pin.ts';

/** What unmap_grant_ref and unmap_and_replace have in common; see abi.ts. */
export interface UnmapRequest {
  readonly handle: Handle;
  readonly hostAddr?: number | undefined;
  readonly devBusAddr?: number | undefined;
  /** Address whose page takes the place; 0: none. */
  readonly newAddr: number;
}

/** What the first half of an unmap did; the pins fall in the second. */
export interface Unmapped {
  readonly status: GrantStatus;
  /** Halves that were taken down; GNTMAP_* bits with the readonly bit of the mapping. 0: nothing to complete. */
  readonly done: number;
  readonly mapping: Mapping | undefined;
  /** The handle is free. */
  readonly isGone: boolean;
}

const nothing = (status: GrantStatus): Unmapped => ({ status, done: 0, mapping: undefined, isGone: false });

/**
 * First half of an unmap: take the mapping out of the caller's address space and free the handle (GNT-10). A handle whose
 * granter no longer exists crashes the caller (GNT-11): a mapping holds its granter, so this is a trap for bugs.
 * Source: unmap_common in xen/common/grant_table.c.
 */
export function beginUnmap(context: GrantContext, caller: Domain, op: UnmapRequest): Unmapped {
  const handle = op.handle >>> 0;
  const mapping = caller.maptrack.get(handle);
  if (mapping === undefined) return nothing(GNTST.bad_handle);
  const { granter, gref, flags, frame } = mapping;
  if (context.domain(granter.domid) !== granter) {
    context.crash(caller);
    return nothing(GNTST.general_error);
  }
  if (gref >= granter.grants.size) return nothing(GNTST.bad_handle);
  const devBusAddr = op.devBusAddr ?? mapping.devBusAddr;
  const hostAddr = op.hostAddr ?? mapping.hostAddr;
  const device = devBusAddr === 0 ? 0 : flags & GNTMAP_device_map;
  const hosted = hostAddr === 0 ? 0 : flags & GNTMAP_host_map;
  if (device !== 0 && devBusAddr !== context.busAddr(frame)) return nothing(GNTST.bad_dev_addr);
  if (hosted !== 0 && !replacePte(caller, mapping, hostAddr, op.newAddr)) return nothing(GNTST.general_error);
  if (hosted !== 0) mapping.page.end();
  mapping.flags &= ~(device | hosted);
  const isGone = (mapping.flags & (GNTMAP_device_map | GNTMAP_host_map)) === 0;
  if (isGone) caller.maptrack.drop(handle);
  if ((flags & GNTMAP_readonly) === 0) granter.memory.markDirty(frame); // only now, and never while it persists (GNT-13)
  return { status: GNTST.okay, done: device | hosted | (flags & GNTMAP_readonly), mapping, isGone };
}

/** Second half, after the flush: pins and references fall, and with the last one the granter may be free.
 *  Source: unmap_common_complete. */
export function completeUnmap(context: GrantContext, { done, mapping, isGone }: Unmapped): void {
  if (mapping === undefined || (done & (GNTMAP_device_map | GNTMAP_host_map)) === 0) return;
  const { granter, gref, frame } = mapping;
  dropPin(granter.grants, gref, pinIncrement(done), (done & GNTMAP_readonly) !== 0);
  if ((done & GNTMAP_device_map) !== 0) granter.memory.put(frame);
  if ((done & GNTMAP_host_map) !== 0) granter.memory.put(frame);
  if (!isGone) return;
  granter.foreignMaps--;
  context.released(granter);
}

/** A dying mapper's handle: whatever is left of the mapping goes, without a look at addresses (T8). Nothing is marked dirty.
 *  Source: gnttab_release_mappings. */
export function releaseHandle(context: GrantContext, mapper: Domain, handle: Handle, mapping: Mapping): void {
  const { maptrack } = mapper;
  const { flags, frame, hostAddr } = mapping;
  const slot = slotOf(flags, hostAddr);
  const isMapped = (flags & GNTMAP_host_map) !== 0 && maptrack.pte(slot)?.frame === frame;
  if (isMapped) maptrack.setPte(slot, undefined);
  maptrack.drop(handle);
  mapping.page.end();
  mapping.flags = 0;
  completeUnmap(context, { status: GNTST.okay, done: flags, mapping, isGone: true });
}

/** Take the entry at `hostAddr` out, or put there what is at `newAddr`. False: it is not this mapping's page, or not allowed.
 *  Source: replace_grant_{pv,p2m}_mapping in xen/arch/x86. */
function replacePte(caller: Domain, mapping: Mapping, hostAddr: number, newAddr: number): boolean {
  const { maptrack, memory } = caller;
  const hasPte = (mapping.flags & GNTMAP_contains_pte) !== 0;
  if (newAddr !== 0 && (memory.translated || hasPte)) return false;
  const slot = slotOf(mapping.flags, hostAddr);
  const moved = newAddr === 0 ? undefined : maptrack.pte(slotOf(0, newAddr));
  if (newAddr !== 0) maptrack.setPte(slotOf(0, newAddr), undefined); // stolen before the checks, and lost if they fail
  const pte = maptrack.pte(slot);
  const isReadonly = (mapping.flags & GNTMAP_readonly) !== 0;
  if (pte?.frame !== mapping.frame || pte.readonly !== isReadonly) return false;
  maptrack.setPte(slot, moved);
  return true;
}
