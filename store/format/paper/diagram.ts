import type { Fields } from '../schema/schema.ts';
import { kebab, labelOf, type Piece, runsOf } from './segments.ts';

const PER_ROW = 8;
/** Characters to an octet, its left border counted; more where a name is longer than its cell. */
const OCTET_WIDTH = 8;

interface Cell {
  readonly label: string;
  /** First octet in the row, and how many. */
  readonly from: number;
  readonly octets: number;
}
type Row = { readonly cells: readonly Cell[] } | { readonly open: string };

/** A picture of a body in the manner of docs/designs/xenstore-migration.md: eight octets a row, `...` for any number. */
export function diagram(fields: Fields): string {
  const rows = runsOf(fields).flatMap(({ pieces }) => rowsOf(pieces));
  const needed = rows.flatMap((row) =>
    'open' in row ? [] : row.cells.map((c) => Math.ceil((c.label.length + 3) / c.octets)),
  );
  const width = Math.max(OCTET_WIDTH, ...needed);
  const numbers = Array.from({ length: PER_ROW }, (_, i) => String(i).padStart(5).padEnd(width)).join('');
  const lines = [`${numbers.trimEnd()}    octet`];
  for (const [i, row] of rows.entries()) {
    lines.push(border(rows[i - 1], row, width));
    if ('open' in row) lines.push(`| ${row.open}`, '...');
    else lines.push(`${row.cells.map(({ label, octets }) => `| ${label}`.padEnd(octets * width)).join('')}|`);
  }
  lines.push(border(rows.at(-1), undefined, width));
  return lines.join('\n');
}

function rowsOf(pieces: readonly Piece[]): Row[] {
  const rows: Row[] = [];
  let cells: Cell[] = [];
  const flush = () => {
    if (cells.length > 0) rows.push({ cells });
    cells = [];
  };
  for (const { name, bytes, at, field } of pieces) {
    if (bytes === undefined) {
      flush();
      rows.push({ open: openLabel(name, field) });
      continue;
    }
    // A field that does not end in its row goes on in the next one.
    for (let done = 0; done < bytes; ) {
      const from = (at + done) % PER_ROW;
      const octets = Math.min(PER_ROW - from, bytes - done);
      cells.push({ label: done === 0 ? labelOf(name, field) : `(${labelOf(name, field)})`, from, octets });
      if (from + octets === PER_ROW) flush();
      done += octets;
    }
  }
  flush();
  return rows;
}

function openLabel(name: string, field: Piece['field']): string {
  switch (field.what) {
    case 'align':
      return `padding to a multiple of ${field.to} (0 to ${field.to - 1} octets)`;
    case 'list':
      return `${labelOf(name, field)} (${kebab(field.count)} entries)`;
    case 'table':
      return field.called ?? `${kebab(name)} (values, then names)`;
    case 'optional':
      return field.align > 1
        ? `padding to a multiple of ${field.align}, then ${labelOf(name, field)}`
        : labelOf(name, field);
    default:
      return labelOf(name, field);
  }
}

/** The line between two rows: a corner where either has one. */
function border(above: Row | undefined, below: Row | undefined, width: number): string {
  const ends = [above, below].map((row) => new Set(row === undefined ? [] : cornersOf(row)));
  const last = Math.max(...ends.flatMap((one) => [...one]), 1);
  let line = '+';
  for (let octet = 1; octet <= last; octet++)
    line += '-'.repeat(width - 1) + (ends.some((one) => one.has(octet)) ? '+' : '-');
  return line;
}

function cornersOf(row: Row): number[] {
  return 'open' in row ? [PER_ROW] : row.cells.map(({ from, octets }) => from + octets);
}
