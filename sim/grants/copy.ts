import type { DomainBase } from '../domain.ts';
import type { Domain } from '../domains/domain.ts';
import { DOMID_SELF, type Domid, type Gref } from '../ids.ts';
import { type Frame, PAGE_BYTES } from '../memory.ts';
import {
  type CopyOp,
  type CopyPtr,
  GNTCOPY_dest_gref,
  GNTCOPY_source_gref,
  GNTST,
  type GrantStatus,
  GTF_sub_page,
  GTF_transitive,
  GTF_type_mask,
} from './abi.ts';
import type { GrantContext } from './context.ts';
import { loadBody, loadFlags } from './layout.ts';
import { addPin, dropPin, hasWritePin, isRisky, PIN, pageOf, reduceStatus, setStatus } from './pin.ts';
import type { ActiveEntry, Granter } from './table.ts';

/** One side of a copy as it is held from element to element: an element with the same side does not look again. */
interface Side {
  readonly readonly: boolean;
  readonly grefFlag: number;
  ptr: CopyPtr | undefined;
  isGref: boolean;
  domain: Domain | undefined;
  /** Held page with the window that may be touched, octets. */
  held:
    | { readonly frame: Frame; readonly owner: DomainBase; readonly start: number; readonly length: number }
    | undefined;
}

/** Entry and window that a copy may use; `GrantStatus`: why not. */
type Acquired = { readonly record: ActiveEntry; readonly start: number; readonly length: number } | GrantStatus;

/** A GNTTABOP_copy while it is under way: pins are held between elements with the same page, and by close() at the latest
 *  they are gone (GNT-23). Source: gnttab_copy in xen/common/grant_table.c. */
export class Copy {
  readonly #context: GrantContext;
  readonly #caller: Domain;
  readonly #source: Side = side(true, GNTCOPY_source_gref);
  readonly #dest: Side = side(false, GNTCOPY_dest_gref);

  constructor(context: GrantContext, caller: Domain) {
    this.#context = context;
    this.#caller = caller;
  }

  /** One element: its own status; after a failure the next one starts afresh. */
  one(op: CopyOp): GrantStatus {
    const status = this.#one({ ...op, len: op.len & 0xffff });
    if (status !== GNTST.okay) this.#release();
    return status;
  }

  /** The end of the hypercall. */
  close(): void {
    this.#release();
    this.#source.domain = undefined;
    this.#dest.domain = undefined;
  }

  #one(op: CopyOp): GrantStatus {
    if (op.len === 0) return GNTST.okay; // before anything is looked at
    const [source, dest] = [this.#source, this.#dest];
    if (!isSameDomain(source, op.source) || !isSameDomain(dest, op.dest)) {
      this.close();
      const status = this.#find(source, op.source, op.flags) || this.#find(dest, op.dest, op.flags);
      if (status !== GNTST.okay) {
        this.close();
        return status;
      }
    }
    const status = this.#hold(source, op.source, op.flags) || this.#hold(dest, op.dest, op.flags);
    return status !== GNTST.okay ? status : this.#move(op);
  }

  /** Only DOMID_SELF may be named with a frame (GNT-22). */
  #find(side: Side, ptr: CopyPtr, flags: number): GrantStatus {
    if (ptr.domid !== DOMID_SELF && (flags & side.grefFlag) === 0) return GNTST.permission_denied;
    side.domain = ptr.domid === DOMID_SELF ? this.#caller : this.#context.domain(ptr.domid);
    side.ptr = ptr;
    return side.domain === undefined ? GNTST.bad_domain : GNTST.okay;
  }

  #hold(side: Side, ptr: CopyPtr, flags: number): GrantStatus {
    const isGref = (flags & side.grefFlag) !== 0;
    if (side.held !== undefined && side.isGref === isGref && side.ptr?.gfnOrRef === ptr.gfnOrRef) return GNTST.okay;
    this.#drop(side);
    side.ptr = ptr;
    side.isGref = isGref;
    const domain = side.domain;
    if (domain === undefined) throw new Error('assertion: a side without a domain');
    if (!isGref) {
      const page = pageOf(domain, ptr.gfnOrRef, side.readonly);
      if (page.frame === undefined) return page.status;
      if (!isWritable(side, domain, page.frame)) return GNTST.general_error;
      side.held = { frame: page.frame, owner: domain, start: 0, length: PAGE_BYTES };
      return GNTST.okay;
    }
    const wish = { domid: this.#caller.domid, readonly: side.readonly, mayFollow: true };
    const acquired = acquire(this.#context, domain, ptr.gfnOrRef >>> 0, wish);
    if (typeof acquired === 'number') return acquired;
    const { record, start, length } = acquired;
    side.held = { frame: record.frame, owner: record.source, start, length };
    return isWritable(side, record.source, record.frame) ? GNTST.okay : GNTST.general_error;
  }

  #move(op: CopyOp): GrantStatus {
    const from = this.#source.held;
    const to = this.#dest.held;
    if (from === undefined || to === undefined) throw new Error('assertion: a copy without pages');
    const [at, into] = [op.source.offset & 0xffff, op.dest.offset & 0xffff];
    if (at + op.len > PAGE_BYTES || into + op.len > PAGE_BYTES) return GNTST.bad_copy_arg;
    if (at < from.start || at + op.len > from.start + from.length) return GNTST.general_error;
    if (into < to.start || into + op.len > to.start + to.length) return GNTST.general_error;
    to.frame.bytes.set(from.frame.bytes.subarray(at, at + op.len), into);
    to.owner.memory.markDirty(to.frame);
    return GNTST.okay;
  }

  #release(): void {
    this.#drop(this.#source);
    this.#drop(this.#dest);
  }

  #drop(side: Side): void {
    if (side.held !== undefined && side.isGref && side.domain !== undefined && side.ptr !== undefined)
      release(side.domain, side.ptr.gfnOrRef >>> 0, side.readonly);
    side.held = undefined;
  }
}

function side(readonly: boolean, grefFlag: number): Side {
  return { readonly, grefFlag, ptr: undefined, isGref: false, domain: undefined, held: undefined };
}

function isSameDomain(side: Side, ptr: CopyPtr): boolean {
  return side.domain !== undefined && side.ptr?.domid === ptr.domid;
}

function isWritable(side: Side, owner: DomainBase, frame: Frame): boolean {
  return side.readonly || owner.memory.kind(frame.gfn) !== 'page_table';
}

interface CopyClaim {
  readonly domid: Domid;
  readonly readonly: boolean;
  /** A transitive entry may be followed: at the first level only (GNT-24). */
  readonly mayFollow: boolean;
}

/** Pin an entry for a copy. Source: acquire_grant_for_copy. */
function acquire(context: GrantContext, granter: Domain, gref: Gref, claim: CopyClaim): Acquired {
  const table = granter.grants;
  if (gref >= table.size) return GNTST.bad_gntref;
  const record = table.active(gref);
  const increment = claim.readonly ? PIN.hstr : PIN.hstw;
  if (record !== undefined && (record.domid !== claim.domid || isRisky(record.pin, increment)))
    return GNTST.general_error;
  const isTransitive = table.version === 2 && (loadFlags(table, gref) & GTF_type_mask) === GTF_transitive;
  const mustLook = record === undefined || (!claim.readonly && !hasWritePin(record.pin));
  const wish = { domid: claim.domid, readonly: claim.readonly, forMap: false };
  if (mustLook && !setStatus(granter, gref, wish, context.race)) return GNTST.general_error;
  let found: ActiveEntry | GrantStatus;
  if (isTransitive) found = follow(context, granter, gref, claim);
  else if (mustLook) found = look(context, granter, gref, claim);
  else found = record.source !== granter || granter.dying !== 'alive' ? GNTST.bad_domain : record;
  if (typeof found === 'number' || (record !== undefined && !isSame(record, found))) {
    if (typeof found !== 'number' && isTransitive) release(found.source, found.sourceRef, claim.readonly);
    reduceStatus(table, gref, claim.readonly);
    return typeof found === 'number' ? found : GNTST.general_error;
  }
  const pinned = record ?? found;
  addPin(table, gref, pinned, increment);
  return { record: pinned, start: pinned.start, length: pinned.length };
}

/** Whether a fresh look at a pinned entry finds the page that is pinned. */
function isSame(record: ActiveEntry, found: ActiveEntry): boolean {
  if (record.frame !== found.frame || record.source !== found.source || record.sourceRef !== found.sourceRef)
    return false;
  if (!record.isSubPage) return true;
  return found.isSubPage && record.start === found.start && record.length === found.length;
}

/** The page of an entry that is the granter's own. */
function look(context: GrantContext, granter: Domain, gref: Gref, claim: CopyClaim): ActiveEntry | GrantStatus {
  context.race?.('frame', granter, gref);
  const body = loadBody(granter.grants, gref);
  const isSubPage = granter.grants.version === 2 && (loadFlags(granter.grants, gref) & GTF_sub_page) !== 0;
  const page = pageOf(granter, body.gfn, claim.readonly);
  if (page.frame === undefined) return page.status;
  const [start, length] = isSubPage ? [body.off, body.len] : [0, PAGE_BYTES];
  return fresh(claim, { frame: page.frame, start, length, isSubPage, source: granter, sourceRef: gref });
}

/** The page behind a transitive entry: the granter's own use of another's entry, handed on; pinned there as well. */
function follow(context: GrantContext, granter: Domain, gref: Gref, claim: CopyClaim): ActiveEntry | GrantStatus {
  if (!claim.mayFollow) return GNTST.general_error;
  const { transDomid, transGref } = loadBody(granter.grants, gref);
  const source = transDomid === granter.domid ? undefined : context.domain(transDomid);
  if (source === undefined) return GNTST.general_error;
  const behind = acquire(context, source, transGref, { ...claim, domid: granter.domid, mayFollow: false });
  if (typeof behind === 'number') return behind;
  const { record, start, length } = behind;
  const isSubPage = true; // whatever it is behind: that keeps it from being mapped
  return fresh(claim, { frame: record.frame, start, length, isSubPage, source, sourceRef: transGref });
}

type Found = Pick<ActiveEntry, 'frame' | 'start' | 'length' | 'isSubPage' | 'source' | 'sourceRef'>;

function fresh({ domid }: CopyClaim, found: Found): ActiveEntry {
  return { ...found, pin: 0, domid, shown: 0, isOverwritten: false };
}

/** Undo acquire(). Source: release_grant_for_copy. */
function release(granter: Granter, gref: Gref, isReadonly: boolean): void {
  const record = granter.grants.active(gref);
  if (record === undefined) throw new Error(`assertion: copy of d${granter.domid} gref ${gref} without a pin`);
  const { source, sourceRef, frame } = record;
  if (!isReadonly) granter.memory.markDirty(frame);
  dropPin(granter.grants, gref, isReadonly ? PIN.hstr : PIN.hstw, isReadonly);
  if (source !== granter) release(source, sourceRef, isReadonly);
}
