import { type Arrived, arrivingLibxc, arrivingLibxl } from '../../../store/format/enclosing/arriving.ts';
import type { LibxcRecord, LibxlRecord } from '../../../store/format/enclosing/layouts.ts';
import { isFailure, type UnknownRecord } from '../../../store/format/enclosing/stream.ts';
import { decodeXlHeader, isXl } from '../../../store/format/enclosing/xl.ts';
import { type FormatFailure, formatFailure } from '../../../store/format/index.ts';
import { print } from '../terminal/output.ts';
import { readOctets, tell } from './io.ts';

type Stream = ReturnType<typeof arrivingLibxl> | ReturnType<typeof arrivingLibxc>;
type Item = Arrived<{ readonly kind: string }, LibxcRecord | LibxlRecord>;

/** Bits 63..60 of a pfn: no octets from here on. */
const NO_OCTETS_FROM = 0xdn;

/**
 * A saved or migrated guest record by record, each with its place in the file, as far as it goes. Exit 1: it ends in a record that
 * is not whole, or not what it says.
 */
export function recordsCommand(file: string): number {
  const octets = readOctets(file);
  let at = 0;
  if (isXl(octets)) {
    const header = decodeXlHeader(octets);
    if (!header.ok) return tell([`${file}: ${formatFailure(header.failure)}`]);
    at = header.value.end;
    line(0, at, 'xl', 'header', `flags 0x${header.value.mandatoryFlags.toString(16)}`);
  }
  const failure = walk(octets, at);
  return failure === undefined ? 0 : tell([`${file}: ${formatFailure(failure)}`]);
}

function walk(octets: Uint8Array, from: number): FormatFailure | undefined {
  const outer = arrivingLibxl();
  let at = from;
  for (;;) {
    const next = take(outer, octets, at);
    if (next === undefined) return undefined;
    if (isFailure(next)) return next;
    line(at, next.octets, 'libxl', next.header?.kind ?? next.record?.kind ?? '', detailOf(next));
    at += next.octets;
    if (next.record?.kind !== 'LIBXC_CONTEXT') continue;
    const inner = arrivingLibxc();
    for (;;) {
      const item = take(inner, octets, at);
      if (item === undefined) break;
      if (isFailure(item)) return item;
      line(at, item.octets, 'libxc', item.header?.kind ?? item.record?.kind ?? '', detailOf(item));
      at += item.octets;
    }
  }
}

/** The thing that begins at `at`; a failure's offset is that in the file. */
function take(stream: Stream, octets: Uint8Array, at: number): Item | FormatFailure | undefined {
  const before = stream.taken;
  for (let pos = at; stream.wants > 0; ) {
    const some = octets.subarray(pos, pos + stream.wants);
    const got = some.length === 0 ? stream.endedEarly() : (stream.take(some) as Item | FormatFailure | undefined);
    pos += some.length;
    if (got === undefined) continue;
    return isFailure(got) ? { ...got, offset: got.offset - before + at } : got;
  }
  return undefined;
}

function detailOf({ record }: Item): string {
  switch (record?.kind) {
    case 'PAGE_DATA': {
      const pages = record.pfns.filter(({ pfn }) => pfn >> 60n < NO_OCTETS_FROM).length;
      return `${record.pfns.length} pfns, ${pages} pages`;
    }
    case 'HVM_PARAMS':
      return record.params.map(({ index, value }) => `${index} = 0x${value.toString(16)}`).join(', ');
    case 'X86_PV_P2M_FRAMES':
      return `pfns ${record.start} to ${record.end}`;
    case 'UNKNOWN':
      return `type 0x${(record as UnknownRecord).type.toString(16)}`;
    default:
      return '';
  }
}

function line(at: number, octets: number, layer: string, kind: string, detail: string): void {
  print(
    `${String(at).padStart(10)} ${String(octets).padStart(9)}  ${layer.padEnd(5)}  ${`${kind.padEnd(22)} ${detail}`.trimEnd()}\n`,
  );
}
