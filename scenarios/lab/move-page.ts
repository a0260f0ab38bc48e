import { type Fate, type MoveCell, type MoveColumn, moveSurprises, WAY_NAMES, type WayName } from './move-matrix.ts';
import { tableLine } from './page.ts';

const SIGNS: Readonly<Record<Fate, string>> = { same: '=', extra: '+', stays: 's', differs: 'x' };

const INTRODUCTION = `# Who notices a move

Written by \`xenarium matrix --migration --out\`. A guest is caught in the middle of something and moved to another host without its help, its part of the store in an image of each format. What it hears in all, before and after, is compared octet by octet with what a twin hears that is left alone. A cell says what was predicted, by the format's carriage and what the situation needs, and what was observed:

- \`=\` the same, octet for octet, at the other host
- \`+\` the same, and more watch events, as any client has to expect (CL-4)
- \`s\` the store refused, and the guest went on where it was: there, too, octet for octet as its twin
- \`x\` something else: what was lost is what the format has no place for

A \`!\` marks a cell in which the two differ; the command then ends with 1.
`;

const WAYS: Readonly<Record<WayName, string>> = {
  atPause: 'As it stands: what cannot be held is a reason to stay (`lossPolicy` refuse)',
  finishFirst:
    'What is on its way is finished first, while the guest runs (`lossPolicy` finishFirst, `g1Quiesce` beforePause)',
  silent: 'Whatever is lost is lost (`lossPolicy` silent)',
};

/** The page as Markdown: a table for each way, and what differs. */
export function movePage(columns: readonly MoveColumn[]): string {
  return [INTRODUCTION, ...WAY_NAMES.map((way) => wayTable(columns, way)), surprises(columns)]
    .filter((part) => part !== '')
    .join('\n');
}

function wayTable(columns: readonly MoveColumn[], way: WayName): string {
  const of = ({ cells }: MoveColumn) => cells.filter((cell) => cell.way === way);
  const rows = (columns[0] === undefined ? [] : of(columns[0])).map(({ label, play }, i) =>
    tableLine([label, play, ...columns.map((column) => cellText(of(column)[i]))]),
  );
  const head = ['', 'caught with', ...columns.map(({ format }) => format)];
  return `## ${WAYS[way]}\n\n${tableLine(head)}${tableLine(head.map(() => '---'))}${rows.join('')}`;
}

function cellText(cell: MoveCell | undefined): string {
  if (cell === undefined) return '';
  const { predicted, observed } = cell;
  return `${SIGNS[predicted]} ${SIGNS[observed]}${predicted === observed ? '' : ' !'}`;
}

function surprises(columns: readonly MoveColumn[]): string {
  const lines = columns.flatMap(moveSurprises).map((line) => `- ${line}\n`);
  return lines.length === 0 ? '' : `## Predictions that did not hold\n\n${lines.join('')}`;
}
