import type { LibxcRecord } from './layouts.ts';
import type { LibxcImage } from './libxc.ts';
import type { LibxlItem, LibxlStream } from './libxl.ts';
import type { Padded, UnknownRecord } from './stream.ts';

/** One rule that a stream breaks. */
export interface EnclosingFinding {
  /** `libxl` or `libxc`. */
  readonly layer: 'libxl' | 'libxc';
  /** Number of the record within its layer, from 0; -1 for the header. */
  readonly record: number;
  readonly reason: string;
}

const PAGE_BYTES = 4096;
const CPUID_LEAF_BYTES = 24;
const MSR_ENTRY_BYTES = 16;
const EMULATOR_ID_MAX = 2;
/** Types 0xd, 0xe and 0xf bring no page; 5 to 8 do not exist. */
const NO_PAGE_FROM = 0xdn;

/**
 * What Xen's own verify-stream-v2 would refuse, for what decoding has left open.
 * Source: tools/python/xen/migration/libxl.py and libxc.py. Not followed: it refuses every big endian stream only by
 * accident, and since Python 3 every EMULATOR_XENSTORE_DATA with content.
 */
export function checkLibxl(stream: LibxlStream): readonly EnclosingFinding[] {
  const findings: EnclosingFinding[] = [];
  if ((stream.options & 0xfffc) !== 0)
    findings.push({ layer: 'libxl', record: -1, reason: 'reserved bits in options' });
  for (const [record, item] of stream.records.entries()) {
    for (const reason of libxlReasons(item)) findings.push({ layer: 'libxl', record, reason });
    if (item.libxc !== undefined) findings.push(...checkLibxc(item.libxc));
  }
  return findings;
}

function* libxlReasons(item: LibxlItem): Iterable<string> {
  if (item.pad !== undefined) yield 'padding is not zero';
  switch (item.kind) {
    case 'UNKNOWN':
      yield `type ${item.type} is not known`;
      break;
    case 'XENSTORE_IMAGE':
      yield 'a state image is in no released format';
      break;
    case 'GUEST_PLATFORM':
      yield 'ports and grants are in no released format';
      break;
    case 'EMULATOR_XENSTORE_DATA':
    case 'EMULATOR_CONTEXT':
      if (item.emulatorId > EMULATOR_ID_MAX) yield `emulator ${item.emulatorId} is not known`;
      if (item.kind === 'EMULATOR_XENSTORE_DATA') yield* pairReasons(item.pairs);
      break;
  }
}

function* pairReasons(pairs: Uint8Array): Iterable<string> {
  if (pairs.length === 0) return;
  if (pairs.at(-1) !== 0) yield 'the last string does not end';
  else if (pairs.reduce((n, octet) => n + (octet === 0 ? 1 : 0), 0) % 2 !== 0) yield 'a key without a value';
}

export function checkLibxc(image: LibxcImage): readonly EnclosingFinding[] {
  const findings: EnclosingFinding[] = [];
  const add = (record: number, reason: string) => findings.push({ layer: 'libxc', record, reason });
  if (image.version > 3) add(-1, `version ${image.version}`);
  if ((image.options & 0xfffe) !== 0) add(-1, 'reserved bits in options');
  if (image.headerReserved) add(-1, 'reserved octets are not zero');
  if (image.type !== 1 && image.type !== 2) add(-1, `domain type ${image.type}`);
  for (const [record, value] of image.records.entries())
    for (const reason of libxcReasons(value, image.version)) add(record, reason);
  return findings;
}

function* libxcReasons(record: (LibxcRecord | UnknownRecord) & Padded, version: number): Iterable<string> {
  if (record.pad !== undefined) yield 'padding is not zero';
  if ('reserved1' in record && record.reserved1 !== undefined) yield 'a reserved field is not zero';
  switch (record.kind) {
    case 'UNKNOWN':
      yield `type ${record.type} is not known`;
      break;
    case 'PAGE_DATA': {
      if (record.pfns.length === 0 && record.pages.length === 0) yield 'no page';
      let pages = 0;
      for (const { pfn } of record.pfns) {
        const type = pfn >> 60n;
        if (((pfn >> 52n) & 0xffn) !== 0n) yield 'reserved bits of a pfn';
        if (type >= 5n && type <= 8n) yield `page type ${type}`;
        if (type < NO_PAGE_FROM) pages++;
      }
      if (record.pages.length !== pages * PAGE_BYTES) yield `${pages} pages, ${record.pages.length} octets`;
      break;
    }
    case 'X86_PV_INFO':
      if (record.width !== 4 && record.width !== 8) yield `width ${record.width}`;
      if (record.levels !== 3 && record.levels !== 4) yield `${record.levels} levels`;
      if (record.reserved2 !== undefined) yield 'a reserved field is not zero';
      break;
    case 'X86_PV_P2M_FRAMES':
      if (record.frames.length % 8 !== 0) yield 'not a whole number of frames';
      break;
    case 'SHARED_INFO':
      if (record.page.length !== PAGE_BYTES) yield `${record.page.length} octets`;
      break;
    case 'HVM_CONTEXT':
      if (record.context.length === 0) yield 'no context';
      break;
    case 'TOOLSTACK':
    case 'CHECKPOINT_DIRTY_PFN_LIST':
      yield 'has no place in a saved guest';
      break;
    case 'STATIC_DATA_END':
      if (version < 3) yield 'came with version 3';
      break;
    case 'X86_CPUID_POLICY':
      if (version < 3) yield 'came with version 3';
      if (record.leaves.length === 0 || record.leaves.length % CPUID_LEAF_BYTES !== 0)
        yield 'not a whole number of leaves';
      break;
    case 'X86_MSR_POLICY':
      if (version < 3) yield 'came with version 3';
      if (record.entries.length === 0 || record.entries.length % MSR_ENTRY_BYTES !== 0)
        yield 'not a whole number of entries';
      break;
  }
}
