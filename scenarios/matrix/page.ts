import { STATE_ROW_NAMES, STATE_ROWS } from '../../store/format/model/index.ts';
import { type Cell, type Column, type Extent, noteOf, wrongCells } from './measure.ts';

const SIGNS: Readonly<Record<Extent, string>> = { full: 'y', part: 'p', none: '-' };

const INTRODUCTION = `# What is lost where

Written by \`xenarium matrix --out\`. A state that has something in every row is written in each format, and the files are read back. A cell says what was predicted, by the format's carriage, and what was observed, by comparing the two states thing by thing: \`y\` all came back, \`p\` some of it, \`-\` nothing. A \`!\` marks a cell in which the two differ; the command then ends with 1.

The state is made for the purpose, not taken from a running store, and no successor is started from the files. A conversion takes away what the carriage does not grant before it writes: a wrong \`y\` or \`p\` is found here, but a format that could hold more than its carriage grants is not. Images are of version 2 where a format has two versions; transactions' reads are listed where a format can list them without saying so; formats of one domain have one file for each.
`;

/** The page as Markdown: the table, what the marks mean, and what differs. */
export function matrixPage(columns: readonly Column[]): string {
  return [INTRODUCTION, table(columns), notes(columns), surprises(columns)].filter((part) => part !== '').join('\n');
}

function table(columns: readonly Column[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  const rows = STATE_ROW_NAMES.map((row) =>
    line([STATE_ROWS[row], ...columns.map(({ cells }) => cellText(cells.find((cell) => cell.row === row)))]),
  );
  const names = columns.map(({ format }) => format);
  return line(['state', ...names]) + line(['---', ...names.map(() => '---')]) + rows.join('');
}

function cellText(cell: Cell | undefined): string {
  if (cell === undefined) return '';
  const { predicted, observed } = cell;
  if (observed === undefined) return 'memory';
  return `${SIGNS[predicted]} ${SIGNS[observed]}${predicted === observed ? '' : ' !'}`;
}

/** Why a cell is not simply all or nothing. */
function notes(columns: readonly Column[]): string {
  const found = new Map<string, string[]>();
  for (const { format, cells } of columns)
    for (const { row, mark } of cells) {
      const note = noteOf(mark);
      if (note === '' || mark === '-' || mark === 'memory') continue;
      const key = `${STATE_ROWS[row]}: ${note}`;
      found.set(key, [...(found.get(key) ?? []), format]);
    }
  const lines = [...found].map(([note, formats]) => `- ${note} (${formats.join(', ')})\n`);
  return lines.length === 0 ? '' : `## Notes\n\n${lines.join('')}`;
}

function surprises(columns: readonly Column[]): string {
  const lines = columns.flatMap((column) => [
    ...(column.failure === undefined ? [] : [`- ${column.format}: ${column.failure}\n`]),
    ...wrongCells(column).map((cell) => `- ${surpriseText(column.format, cell)}\n`),
  ]);
  return lines.length === 0 ? '' : `## Predictions that did not hold\n\n${lines.join('')}`;
}

/** One line: format, row, both extents, and the things that tell. */
export function surpriseText(format: string, { row, predicted, observed, lost, added }: Cell): string {
  const things = [...lost.map((name) => `lost ${name}`), ...added.map((name) => `added ${name}`)];
  const which = things.length === 0 ? '' : ` (${things.join('; ')})`;
  return `${format}: ${STATE_ROWS[row]}: predicted ${predicted}, observed ${observed}${which}`;
}
