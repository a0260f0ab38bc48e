import type { Domain } from '../domains/domain.ts';
import type { Gref } from '../ids.ts';
import {
  GNTST,
  type GrantStatus,
  GTF_accept_transfer,
  GTF_transfer_committed,
  GTF_transfer_completed,
  type TransferOp,
} from './abi.ts';
import type { GrantContext } from './context.ts';
import { casHeader, loadBody, loadFlags, loadHeader, storeFlags, storeGfn } from './layout.ts';

const MAX_ATTEMPTS = 5;

/**
 * One element of GNTTABOP_transfer. The page leaves the caller before the target entry is looked at: with
 * GNTST_bad_page nothing is lost, with any later failure the page is (GNT-25). Source: gnttab_transfer.
 */
export function transferOne(context: GrantContext, caller: Domain, op: TransferOp): GrantStatus {
  const frame = caller.memory.steal(op.gfn);
  if (frame === undefined) return GNTST.bad_page;
  const target = context.domain(op.domid);
  if (target === undefined) return GNTST.bad_domain;
  const { memory, grants } = target;
  if (target.dying !== 'alive' || memory.size >= memory.maxPages) return GNTST.general_error;
  const gref = op.ref >>> 0;
  if (!commit(context, caller, target, gref)) return GNTST.general_error;
  if (memory.translated) memory.place(frame, loadBody(grants, gref).gfn);
  else storeGfn(grants, gref, memory.adopt(frame));
  storeFlags(grants, gref, loadFlags(grants, gref) | GTF_transfer_completed); // after the frame: who sees it may use it
  return GNTST.okay;
}

/** Lock the target entry, which must wait for a page of this caller's and of nobody else's. */
function commit(context: GrantContext, caller: Domain, target: Domain, gref: Gref): boolean {
  const table = target.grants;
  if (gref >= table.size) return false;
  context.race?.('read', target, gref);
  let word = loadHeader(table, gref);
  for (let attempt = 1; ; attempt++) {
    if ((word & 0xffff) !== GTF_accept_transfer || word >>> 16 !== caller.domid) return false;
    context.race?.('cas', target, gref);
    const found = casHeader(table, gref, word, word | GTF_transfer_committed);
    if (found === word) return true;
    if (attempt === MAX_ATTEMPTS) return false;
    word = found;
  }
}
