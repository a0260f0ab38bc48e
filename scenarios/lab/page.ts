import { STATE_ROW_NAMES, STATE_ROWS, type StateRow } from '../../store/format/model/index.ts';
import { FAMILIES, type Family } from '../judge/invariants/index.ts';
import type { Extent } from './extent.ts';
import { type Cell, type Column, wrongCells } from './measure.ts';
import type { Witness } from './things.ts';
import { type Forecast, isAsPredicted, isFamilyAsPredicted, SEEN_BY, type Trial } from './verdict.ts';

const SIGNS: Readonly<Record<Extent, string>> = { full: 'y', part: 'p', none: '-' };

const INTRODUCTION = `# What is lost where

Written by \`xenarium matrix --out\`. For each format, running stores with something in every row are live-updated through its files. A cell says what was predicted, by the format's carriage, and what was observed: \`y\` all came through, \`p\` some of it, \`-\` nothing. A \`!\` marks a cell in which the two differ; the command then ends with 1.

What was observed does not depend on the carriage. It is what guests and programs are answered, sent and refused after the update, and what they find in their rings and ports: a carried transaction commits or does not, a half-sent request is answered when its rest arrives, a watch of depth 1 is silent about grandchildren. What none of them can notice is looked up in what the successor read (rows with \`s\`); what no store here ever has, in files written and read without a store (rows with \`f\`). Where a row is predicted to be lost, the update is done once more with nothing of the row kept back: if more comes through then, the carriage is wrong, unless a note says why the daemon does not write it.

Images are of version 2 where a format has two; transactions' reads are listed where a format can list them without saying so; formats of one domain have one file for each, all read together. Where a format tells no port, the store asks dom0's kernel for its own, and takes a guest's from the ring page, where domains that Xen has built have it.
`;

/** The page as Markdown: the table, what it is seen by, what the marks mean, and what differs. */
export function matrixPage(columns: readonly Column[], trials: readonly Trial[]): string {
  return [
    INTRODUCTION,
    table(columns),
    evidence(columns),
    notes(columns),
    trialSection(trials),
    surprises(columns, trials),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

const TRIALS = `## What the checkers catch

The headline scenario is live-updated through each format in mid-traffic, with two seeds or more, guests asking for watches with a depth in any case. Its checkers know nothing of formats. A cell says which families the losses were predicted to break, and which broke: \`x\` broken, \`-\` held, \`~\` one or the other, by what the traffic happens to be; \`!\` the two differ.
`;

function trialSection(trials: readonly Trial[]): string {
  const sign = (families: readonly Family[], family: Family) => (families.includes(family) ? 'x' : '-');
  const forecast = ({ sure, possible }: Forecast, family: Family) =>
    possible.includes(family) ? '~' : sign(sure, family);
  const rows = trials.map((trial) =>
    tableLine([
      trial.format,
      ...FAMILIES.map((family) => {
        const cell = `${forecast(trial.predicted, family)} ${sign(trial.observed, family)}`;
        return isFamilyAsPredicted(trial, family) ? cell : `${cell} !`;
      }),
      String(trial.seeds),
    ]),
  );
  const unseen = STATE_ROW_NAMES.flatMap((row) => {
    const why = SEEN_BY[row];
    return typeof why === 'string' ? [`- ${STATE_ROWS[row]}: ${why}\n`] : [];
  });
  const head = ['format', ...FAMILIES, 'seeds'];
  const lines = [tableLine(head), tableLine(head.map(() => '---')), ...rows];
  return `${TRIALS}\n${lines.join('')}\nLosses that this scenario does not notice:\n\n${unseen.join('')}`;
}

/** A line for a family that broke unforeseen, or did not break. */
export function trialLines(trial: Trial): string[] {
  if (isAsPredicted(trial)) return [];
  const named = (families: readonly Family[]) => (families.length === 0 ? 'none' : families.join(', '));
  return [
    `${trial.format}: checkers: predicted ${named(trial.predicted.sure)}; broken ${named(trial.observed)} with ${trial.seeds} seeds`,
  ];
}

export function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}

function table(columns: readonly Column[]): string {
  const rows = STATE_ROW_NAMES.map((row) =>
    tableLine([rowName(columns, row), ...columns.map(({ cells }) => cellText(cells.find((cell) => cell.row === row)))]),
  );
  const names = columns.map(({ format }) => format);
  return tableLine(['state', ...names]) + tableLine(['---', ...names.map(() => '---')]) + rows.join('');
}

const LETTERS: Readonly<Record<Witness, string>> = { guests: '', successor: 's', files: 'f' };

function rowName(columns: readonly Column[], row: StateRow): string {
  const things = columns[0]?.cells.find((cell) => cell.row === row)?.things ?? [];
  const letters = [...new Set(things.map(({ by }) => LETTERS[by]))].filter((letter) => letter !== '');
  return `${STATE_ROWS[row]}${letters.length === 0 ? '' : ` (${letters.join(', ')})`}`;
}

function cellText(cell: Cell | undefined): string {
  if (cell === undefined) return '';
  return `${SIGNS[cell.predicted]} ${SIGNS[cell.observed]}${cell.isWrong ? ' !' : ''}`;
}

const WITNESSES: Readonly<Record<Witness, string>> = {
  guests: '',
  successor: ' (as the successor read it)',
  files: ' (in files alone)',
};

/** The things of each row, which are the same for all formats. */
function evidence(columns: readonly Column[]): string {
  const [first] = columns;
  if (first === undefined) return '';
  const lines = first.cells.map(
    ({ row, things }) =>
      `- ${STATE_ROWS[row]}: ${things.map(({ name, by }) => `${name}${WITNESSES[by]}`).join('; ')}\n`,
  );
  return `## What is looked at\n\n${lines.join('')}`;
}

/** Why a cell is not simply all or nothing. */
function notes(columns: readonly Column[]): string {
  const found = new Map<string, string[]>();
  for (const { format, cells } of columns)
    for (const { row, notes: texts } of cells)
      for (const note of texts) {
        const key = `${STATE_ROWS[row]}: ${note}`;
        found.set(key, [...(found.get(key) ?? []), format]);
      }
  const lines = [...found].map(([note, formats]) => `- ${note} (${formats.join(', ')})\n`);
  return lines.length === 0 ? '' : `## Notes\n\n${lines.join('')}`;
}

function surprises(columns: readonly Column[], trials: readonly Trial[]): string {
  const lines = [...columns.flatMap(surpriseLines), ...trials.flatMap(trialLines)].map((line) => `- ${line}\n`);
  return lines.length === 0 ? '' : `## Predictions that did not hold\n\n${lines.join('')}`;
}

/** A line for each failed update and each wrong cell. */
export function surpriseLines(column: Column): string[] {
  const { format, failures } = column;
  return [
    ...failures.map((failure) => `${format}: the update failed: ${failure}`),
    ...wrongCells(column).map((cell) => surpriseText(format, cell)),
  ];
}

function surpriseText(format: string, { row, predicted, observed, possible, things }: Cell): string {
  if (possible !== undefined)
    return `${format}: ${STATE_ROWS[row]}: predicted ${predicted}, observed ${possible} when nothing is kept back`;
  const named = things.map(({ name, came }) => `${came ? 'came' : 'lost'}: ${name}`);
  return `${format}: ${STATE_ROWS[row]}: predicted ${predicted}, observed ${observed} (${named.join('; ')})`;
}
