import { type Item, recordsOf } from '../../../store/format/enclosing/records-of.ts';
import type { UnknownRecord } from '../../../store/format/enclosing/stream.ts';
import { decodeXlHeader, isXl } from '../../../store/format/enclosing/xl.ts';
import { formatFailure } from '../../../store/format/index.ts';
import { print } from '../terminal/output.ts';
import { readOctets, tell } from './io.ts';

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
  const failure = recordsOf(octets, at, ({ at: place, octets: count, layer, item }) =>
    line(place, count, layer, item.header?.kind ?? item.record?.kind ?? '', detailOf(item)),
  );
  return failure === undefined ? 0 : tell([`${file}: ${formatFailure(failure)}`]);
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
