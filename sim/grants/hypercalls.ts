import type { Actor } from '../actor.ts';
import type { Domain } from '../domains/domain.ts';
import { mayCall, type RestrictedCall } from '../domains/permissions.ts';
import { type Errno, type Result, XenError } from '../errors.ts';
import { DOMID_SELF, type Domid, type Gfn } from '../ids.ts';
import {
  type CopyOp,
  GNTST,
  type GrantStatus,
  type MapOp,
  type MapResult,
  type ReplaceOp,
  type SwapOp,
  type TransferOp,
  UNMAP_BATCH,
  type UnmapOp,
  XENMAPIDX_grant_table_status,
} from './abi.ts';
import type { Grants } from './grants.ts';
import { entryWindow, framesForStatus, loadStatus, storeStatus } from './layout.ts';

/** What the table needs of the machine. */
export interface GrantMachine {
  readonly grants: Grants;
  domain(domid: Domid): Domain | undefined;
}

/** Frames of a grant table, by gfn of the domain; none unless `status` is GNTST_okay. */
export interface FrameList {
  readonly status: GrantStatus;
  readonly frames: readonly Gfn[];
}

/**
 * GNTTABOP_* as one domain sees them. Operations on arrays answer each element with its own status; a failed element stops
 * nothing. Calling one with an array is one indivisible step; inSteps() lets others run between elements, as a continuation
 * does. Source: xen/include/public/grant_table.h, do_grant_table_op in xen/common/grant_table.c.
 */
export class GrantHypercalls {
  readonly #machine: GrantMachine;
  readonly #caller: Domain;

  constructor(machine: GrantMachine, caller: Domain) {
    this.#machine = machine;
    this.#caller = caller;
  }

  /** GNTTABOP_map_grant_ref (0). */
  mapGrantRef(ops: readonly MapOp[]): MapResult[] {
    return ops.map((op) => this.#machine.grants.map(this.#caller, op));
  }

  /** GNTTABOP_unmap_grant_ref (1). */
  unmapGrantRef(ops: readonly UnmapOp[]): GrantStatus[] {
    return this.#machine.grants.unmap(this.#caller, ops);
  }

  /** GNTTABOP_unmap_and_replace (7); a translated caller has nothing to replace: general_error. */
  unmapAndReplace(ops: readonly ReplaceOp[]): GrantStatus[] {
    return this.#machine.grants.unmapAndReplace(this.#caller, ops);
  }

  /** GNTTABOP_copy (5). */
  copy(ops: readonly CopyOp[]): GrantStatus[] {
    return this.#machine.grants.copy(this.#caller, ops);
  }

  /** GNTTABOP_transfer (4). Errors: EOPNOTSUPP a translated caller. */
  transfer(ops: readonly TransferOp[]): Result<GrantStatus[]> {
    if (this.#caller.memory.translated) return { ok: false, errno: 'EOPNOTSUPP' };
    return { ok: true, value: this.#machine.grants.transfer(this.#caller, ops) };
  }

  /**
   * GNTTABOP_setup_table (2): let the table have `nrFrames` frames at least, and tell the first so many. Statuses:
   * bad_domain; permission_denied unless for itself or by the control domain; general_error above the limit.
   */
  setupTable(domid: Domid, nrFrames: number): FrameList {
    const target = this.#target('GNTTABOP_setup_table', domid);
    if (typeof target === 'number') return { status: target, frames: [] };
    const { grants } = target;
    if (!grants.grow(nrFrames >>> 0)) return { status: GNTST.general_error, frames: [] };
    return { status: GNTST.okay, frames: grants.frames.slice(0, nrFrames >>> 0).map((f) => f.gfn) };
  }

  /** GNTTABOP_get_status_frames (9): the first so many; general_error if there are fewer. */
  getStatusFrames(domid: Domid, nrFrames: number): FrameList {
    const target = this.#target('GNTTABOP_get_status_frames', domid);
    if (typeof target === 'number') return { status: target, frames: [] };
    const { statusFrames } = target.grants;
    if (nrFrames >>> 0 > statusFrames.length) return { status: GNTST.general_error, frames: [] };
    return { status: GNTST.okay, frames: statusFrames.slice(0, nrFrames >>> 0).map((f) => f.gfn) };
  }

  /** GNTTABOP_query_size (6): frames now and at most. */
  querySize(domid: Domid): { readonly status: GrantStatus; readonly nrFrames: number; readonly maxNrFrames: number } {
    const target = this.#target('GNTTABOP_query_size', domid);
    if (typeof target === 'number') return { status: target, nrFrames: 0, maxNrFrames: 0 };
    const { frames, limits } = target.grants;
    return { status: GNTST.okay, nrFrames: frames.length, maxNrFrames: limits.grantFrames };
  }

  /** GNTTABOP_set_version (8) of the caller's own table. Errors: EINVAL, ENOSYS, EBUSY, EAGAIN, ERANGE (GNT-20). */
  setVersion(version: number): Result<void> {
    return attempt(() => this.#caller.grants.setVersion(version));
  }

  /** GNTTABOP_get_version (10). Errors: ESRCH, EPERM. */
  getVersion(domid: Domid): Result<1 | 2> {
    const target = this.#target('GNTTABOP_get_version', domid);
    if (typeof target === 'number') return { ok: false, errno: errnoOf(target) };
    return { ok: true, value: target.grants.version };
  }

  /** GNTTABOP_swap_grant_ref (11), of the caller's own entries; eagain while either is pinned. */
  swapGrantRef(ops: readonly SwapOp[]): GrantStatus[] {
    return ops.map((op) => this.#swap(op.refA >>> 0, op.refB >>> 0));
  }

  /**
   * XENMEM_add_to_physmap, XENMAPSPACE_grant_table: put frame `index` of the table at `gfn`; the table grows to hold it.
   * With XENMAPIDX_grant_table_status in `index` and version 2: a status frame. Errors: ESRCH, EPERM, EINVAL.
   */
  addToPhysmap(domid: Domid, index: number, gfn: Gfn): Result<void> {
    const target = this.#target('XENMEM_add_to_physmap', domid);
    if (typeof target === 'number') return { ok: false, errno: errnoOf(target) };
    const { grants, memory } = target;
    const isStatus = grants.version === 2 && (index & XENMAPIDX_grant_table_status) !== 0;
    const at = isStatus ? index & 0x7fff_ffff : index >>> 0;
    const list = isStatus ? grants.statusFrames : grants.frames;
    if (at >= list.length) grants.grow(isStatus ? framesForStatus(at + 1) : at + 1);
    const frame = list[at];
    if (frame === undefined) return { ok: false, errno: 'EINVAL' };
    memory.place(frame, gfn);
    return { ok: true, value: undefined };
  }

  /** GNTTABOP_dump_table (3) and, but for Arm, GNTTABOP_cache_flush (12). Errors: ENOSYS. */
  unknown(): { readonly ok: false; readonly errno: Errno } {
    return { ok: false, errno: 'ENOSYS' };
  }

  /**
   * A batch as its continuations see it: `call` gets one element at a time (an unmap: 32) and others run in between; what is
   * done stays done. Use: `yield* gnttab.inSteps(ops, (some) => gnttab.mapGrantRef(some))`.
   */
  *inSteps<Op, R>(ops: readonly Op[], call: (some: readonly Op[]) => R[], atOnce = 1, stepNs = 300): Actor<R[]> {
    const results: R[] = [];
    for (let at = 0; at < ops.length; at += atOnce) {
      if (at > 0) yield stepNs;
      results.push(...call(ops.slice(at, at + atOnce)));
    }
    return results;
  }

  /** unmapGrantRef() with others running between groups of 32. */
  *unmapInSteps(ops: readonly UnmapOp[], stepNs = 300): Actor<GrantStatus[]> {
    return yield* this.inSteps(ops, (some) => this.unmapGrantRef(some), UNMAP_BATCH, stepNs);
  }

  /** The domain of that id, if the caller may do this to it. */
  #target(call: RestrictedCall, domid: Domid): Domain | GrantStatus {
    const target = domid === DOMID_SELF ? this.#caller : this.#machine.domain(domid);
    if (target === undefined) return GNTST.bad_domain;
    return mayCall(call, this.#caller, target) ? target : GNTST.permission_denied;
  }

  #swap(refA: number, refB: number): GrantStatus {
    const table = this.#caller.grants;
    if (refA >= table.size || refB >= table.size) return GNTST.bad_gntref;
    if (refA === refB) return GNTST.okay;
    if (table.active(refA) !== undefined || table.active(refB) !== undefined) return GNTST.eagain;
    const [a, b] = [entryWindow(table, refA), entryWindow(table, refB)];
    const copy = a.slice();
    a.set(b);
    b.set(copy);
    if (table.version === 1) return GNTST.okay;
    const status = loadStatus(table, refA);
    storeStatus(table, refA, loadStatus(table, refB));
    storeStatus(table, refB, status);
    return GNTST.okay;
  }
}

function errnoOf(status: GrantStatus): Errno {
  return status === GNTST.bad_domain ? 'ESRCH' : 'EPERM';
}

function attempt(call: () => void): Result<void> {
  try {
    return { ok: true, value: call() };
  } catch (error) {
    if (error instanceof XenError) return { ok: false, errno: error.errno };
    throw error;
  }
}
