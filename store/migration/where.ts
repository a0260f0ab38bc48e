import type { FormatFailure } from '../format/index.ts';
import type { LabFormat, StateFormat } from '../format/model/index.ts';
import type { Fault } from './admit.ts';

/** Where in an image a fault is: its field by its name and its octets; the beginning, if the format does not tell. */
export function whereIs(
  format: StateFormat,
  octets: Uint8Array,
  { field, octets: sought, reason }: Fault,
): FormatFailure {
  let found: { offset: number; record: number; name: string } | undefined;
  if (hasRows(format))
    for (const row of format.rows(octets)) {
      if (!isSame(row.bytes, sought)) continue;
      found = { offset: row.offset, record: row.record, name: row.name };
      if (row.path === field) break;
    }
  return { offset: 0, record: 0, name: '', ...found, path: field, reason };
}

function hasRows(format: StateFormat): format is LabFormat {
  return 'rows' in format;
}

/** Strings may end in a NUL that is counted or not, and numbers may be wider. */
function isSame(there: Uint8Array, sought: Uint8Array): boolean {
  if (sought.length === 0 || there.length < sought.length) return false;
  return sought.every((octet, i) => there[i] === octet) && there.subarray(sought.length).every((octet) => octet === 0);
}
