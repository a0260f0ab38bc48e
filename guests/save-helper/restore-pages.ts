import { type Actor, type Gfn, hasStreamData, isKnownPageType, isPopulated, PAGE_BYTES } from '../../sim/index.ts';
import { HOLE_NS, PAGE_NS } from './costs.ts';
import type { RestoreContext, RestoreFailure, RestorerOps } from './restore-context.ts';
import type { PageData } from './save-batch.ts';

const TYPE_SHIFT = 60n;
/** PAGE_DATA_PFN_MASK. */
const PFN_MASK = (1n << 52n) - 1n;

/**
 * Pages of a record into the new domain: those that are new to it are asked for, those that have octets are copied, or, in verify
 * mode, compared. Source: handle_page_data, process_page_data in tools/libs/guest/xg_sr_restore.c.
 */
export function* takePages(
  restore: RestoreContext,
  ops: RestorerOps,
  data: PageData,
): Actor<RestoreFailure | undefined> {
  const missing = yield* restore.needsStaticData();
  if (missing !== undefined) return missing;
  if (data.pfns.length < 1) return fail('count', 'Expected at least 1 pfn in PAGE_DATA record');
  const gfns: Gfn[] = [];
  const types: number[] = [];
  for (const [i, { pfn }] of data.pfns.entries()) {
    const gfn = Number(pfn & PFN_MASK);
    const type = Number(pfn >> TYPE_SHIFT);
    const path = `pfns[${i}].pfn`;
    if (!ops.isValid(gfn)) return fail(path, `pfn 0x${gfn.toString(16)} outside domain maximum`);
    if (!isKnownPageType(type)) return fail(path, `Unknown type 0x${type.toString(16)} for pfn 0x${gfn.toString(16)}`);
    gfns.push(gfn);
    types.push(type);
  }
  const withData = types.filter(hasStreamData).length;
  if (data.pages.length !== withData * PAGE_BYTES)
    return fail('pages', `PAGE_DATA record wrong size: ${data.pages.length} octets for ${withData} pages`);
  const refused = yield* populate(restore, gfns, types);
  return refused ?? (yield* copy(restore, gfns, types, data.pages));
}

/** Ask for memory for those that have none yet. Source: populate_pfns. */
export function* populate(
  restore: RestoreContext,
  gfns: readonly Gfn[],
  types?: readonly number[],
): Actor<RestoreFailure | undefined> {
  yield* restore.step('populate');
  const fresh: Gfn[] = [];
  for (const [i, gfn] of gfns.entries()) {
    if (types !== undefined && !isPopulated(types[i] as number)) continue;
    if (restore.populated.has(gfn)) continue;
    restore.populated.add(gfn);
    fresh.push(gfn);
  }
  if (fresh.length === 0) return undefined;
  const done = restore.os.hyper.paging.populate(restore.domid, fresh);
  yield fresh.length * PAGE_NS;
  if (!done.ok || done.value < fresh.length) return { reason: 'Failed to populate physmap' };
  return undefined;
}

function* copy(
  restore: RestoreContext,
  gfns: readonly Gfn[],
  types: readonly number[],
  pages: Uint8Array,
): Actor<RestoreFailure | undefined> {
  yield* restore.step('copy');
  for (const [i, gfn] of gfns.entries()) restore.types.set(gfn, types[i] as number);
  const toMap = gfns.filter((_, i) => hasStreamData(types[i] as number));
  yield toMap.length * PAGE_NS + (gfns.length - toMap.length) * HOLE_NS;
  if (toMap.length === 0) return undefined;
  const mapped = restore.os.hyper.paging.map(restore.domid, toMap, true);
  if (!mapped.ok) return { reason: `Unable to map ${toMap.length} mfns for ${gfns.length} pages of data` };
  const mapping = restore.helper.hold(mapped.value);
  let failure: RestoreFailure | undefined;
  for (const [i, gfn] of toMap.entries()) {
    const page = mapping.pages[i];
    if (page === undefined) {
      failure = { reason: `Mapping pfn 0x${gfn.toString(16)} failed` };
      break;
    }
    const octets = pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
    if (!restore.isVerifying) page.bytes.set(octets);
    else {
      restore.stats.verified++;
      if (octets.some((octet, at) => page.bytes[at] !== octet)) restore.stats.differing.push(gfn);
    }
  }
  restore.helper.release(mapping);
  restore.stats.pages += toMap.length;
  return failure;
}

function fail(path: string, reason: string): RestoreFailure {
  return { path, reason };
}
