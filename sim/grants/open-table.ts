import { DOMID_SELF } from '../ids.ts';
import type { Memory } from '../memory.ts';
import type { GrantHypercalls } from './hypercalls.ts';
import { statusFramesFor, type TableBytes } from './layout.ts';

/** A guest's own view of its table, from the gfns that setup_table and get_status_frames tell it; stale once it has grown
 *  or changed its version. */
export function openTable(gnttab: GrantHypercalls, memory: Memory): TableBytes {
  const version = gnttab.getVersion(DOMID_SELF);
  const size = gnttab.querySize(DOMID_SELF).nrFrames;
  const pages = (gfns: readonly number[]) => gfns.flatMap((gfn) => memory.frame(gfn) ?? []);
  const isV2 = version.ok && version.value === 2;
  return {
    version: isV2 ? 2 : 1,
    frames: pages(gnttab.setupTable(DOMID_SELF, size).frames),
    statusFrames: isV2 ? pages(gnttab.getStatusFrames(DOMID_SELF, statusFramesFor(size)).frames) : [],
  };
}
