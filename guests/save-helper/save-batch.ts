import { type Actor, type Frame, type Gfn, hasStreamData, PAGE_BYTES, PAGE_TYPE } from '../../sim/index.ts';
import type { LibxcRecord } from '../../store/format/enclosing/layouts.ts';
import { HOLE_NS, PAGE_NS } from './costs.ts';
import type { SaveContext } from './save-context.ts';

/** MAX_BATCH_SIZE in tools/libs/guest/xg_sr_common.h. */
export const BATCH_PAGES = 1024;
/** Bits 63..60 of a pfn in the stream are its page's type. */
const TYPE_SHIFT = 60n;
const PRESENT = 1;
/** Bits 51..12 of a page table entry, of which as many as a number of ours has. */
const PTE_SHIFT = 12n;
const PTE_MASK = (1n << 40n) - 1n;

export type PageData = Extract<LibxcRecord, { readonly kind: 'PAGE_DATA' }>;

/**
 * Type, map and read pages, at most BATCH_PAGES, as one PAGE_DATA record. A page that is not there is named without octets; one
 * that cannot be read as it is now waits for the final set, and is named as not there for the time being (PC-4, SUS-11).
 * @returns a reason if one cannot be mapped or read although the guest is parked. Source: write_batch in xg_sr_save.c.
 */
export function* batchRecord(save: SaveContext, gfns: readonly Gfn[]): Actor<PageData | string> {
  const { paging } = save.os.hyper;
  const typed = paging.pageTypes(save.domid, gfns);
  if (!typed.ok) return 'Failed to get types for pfn batch';
  const types = typed.value;
  if (!save.isHvm) putOff(save, gfns, types);
  const toMap = gfns.filter((_, i) => hasStreamData(types[i] as number));
  const mapped = paging.map(save.domid, toMap, false);
  if (!mapped.ok) return 'Failed to map guest pages';
  const mapping = save.helper.hold(mapped.value);
  const data: Uint8Array[] = [];
  let at = 0;
  for (const [i, gfn] of gfns.entries()) {
    const type = types[i] as number;
    if (!hasStreamData(type)) continue;
    const page = mapping.pages[at++];
    if (page === undefined) return `Mapping of pfn 0x${gfn.toString(16)} failed`;
    if (isReadable(save, type, page)) data.push(page.bytes);
    else if (save.isLive) {
      save.deferred.add(gfn);
      types[i] = PAGE_TYPE.XTAB;
    } else return `Bad mfn in the page table at pfn 0x${gfn.toString(16)}`;
  }
  const pages = new Uint8Array(data.length * PAGE_BYTES);
  for (const [i, page] of data.entries()) pages.set(page, i * PAGE_BYTES);
  save.helper.release(mapping);
  yield data.length * PAGE_NS + (gfns.length - data.length) * HOLE_NS;
  const pfns = gfns.map((gfn, i) => ({ pfn: (BigInt(types[i] as number) << TYPE_SHIFT) | BigInt(gfn) }));
  return { kind: 'PAGE_DATA', pfns, pages };
}

/** Where a PV guest's list of its pages has no frame, likely of a ballooned page: but for what lies below its first page, which in life
 *  is its kernel, and not after its last. */
function putOff(save: SaveContext, gfns: readonly Gfn[], types: readonly number[]): void {
  for (const [i, gfn] of gfns.entries()) {
    if (types[i] !== PAGE_TYPE.XTAB) save.firstPage = Math.min(save.firstPage, gfn);
    else if (gfn > save.firstPage && gfn <= save.lastPage) save.deferred.add(gfn);
  }
}

/** A page table of a PV guest can be sent only when each of its entries names a page of the guest. Source: normalise_pagetable. */
function isReadable(save: SaveContext, type: number, page: Frame): boolean {
  if (save.isHvm || type === PAGE_TYPE.NOTAB) return true;
  const { bytes } = page;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const named: Gfn[] = [];
  for (let at = 0; at < PAGE_BYTES; at += 8) {
    const entry = view.getBigUint64(at, true);
    if ((Number(entry & 0xffn) & PRESENT) !== 0) named.push(Number((entry >> PTE_SHIFT) & PTE_MASK));
  }
  for (let from = 0; from < named.length; from += BATCH_PAGES) {
    const types = save.os.hyper.paging.pageTypes(save.domid, named.slice(from, from + BATCH_PAGES));
    if (!types.ok || types.value.some((each) => !hasStreamData(each))) return false;
  }
  return true;
}
