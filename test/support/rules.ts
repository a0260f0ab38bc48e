/**
 * Rules and where they are told: code, tests and pages bear labels (`GNT-30`) and cite sections (`store.md 8.2`); each has a
 * home in `docs/rules`. This finds both sides in the text of the repo.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
export const PAGES = 'docs/rules';

const PLACES = ['sim', 'store', 'guests', 'scenarios', 'test', 'docs', 'README.md', 'CHANGELOG.md'];
/** Recorded octets are no prose; who looks for citations names some that are none, and so does the page that explains them. */
const NOT_READ = /^test\/vectors\/|^test\/support\/rules\.ts$|^test\/rules\.test\.ts$|^docs\/rules\/README\.md$/;

/** Families of labels, with the letters that follow the dash. All else of this shape (`XSA-322`, `UTF-8`) is no label. */
export const FAMILIES: Readonly<Record<string, string>> = {
  BAD: '',
  CHK: '',
  CL: '',
  CON: '',
  DOM: '',
  EVT: '',
  GNT: '',
  HS: '',
  INJ: '[DEGMRT]',
  INV: '[DHLNPQRSTWX]',
  LD: '',
  LS: '',
  LX: '',
  LXO: '',
  MEM: '',
  MIG: '',
  MO: '',
  MT: '',
  NC: '',
  PC: '',
  RM: '',
  RNG: '',
  SC: '',
  SUS: '',
  SV: '',
  TS: '',
  WN: '',
  XSR: '',
};
const LABEL = Object.entries(FAMILIES)
  .map(([family, letter]) => `${family}-${letter}\\d+[a-z]?`)
  .join('|');
const LETTERED = Object.entries(FAMILIES)
  .flatMap(([family, letter]) => (letter === '' ? [] : [`${family}-${letter}`]))
  .join('|');
const AND = ' to |, | and |/';
/** A label with those that follow it in a list: `GNT-2 to GNT-4`; shortened `INJ-G3 to G7`, `INV-S1 to S8, S12`. */
const LABELS = new RegExp(
  `\\b(?:(?:${LETTERED})\\d+\\b(?:(?:${AND})(?:${LABEL}|[A-Z]\\d+)\\b)*|(?:${LABEL})\\b(?:(?:${AND})(?:${LABEL})\\b)*)`,
  'g',
);

/** Numbered steps of a sequence are labels only among those who take part in it; elsewhere `D1` may be anything. */
const STEPS: readonly { readonly step: string; readonly among: RegExp }[] = [
  { step: 'T', among: /^(?:test\/)?sim\// },
  { step: 'F', among: /^(?:test\/)?sim\/grants\// },
  { step: '[CDM]', among: /^(?:test\/)?guests\/libxl\// },
];

const PAGE = '(?<![\\w/-])(store|guests|hypervisor|state-image|migration)\\.md\\b';
/** The sections that follow a page's name, and what may stand between two of them: labels, steps, a letter, a word in capitals. */
const SECTIONS = new RegExp(
  `${PAGE}((?:(?:,| and| to|)\\s(?:\\d+(?:\\.\\d+)?(?![\\w]|\\.\\d)|step \\d+|${LABEL}|[A-Z]+\\d*\\b|[a-z]\\b))*)`,
  'g',
);
/** A section without a page is one of the hypervisor's. */
const BARE_SECTION = /\bsection (\d+\.\d+)\b/g;

export interface Citation {
  /** A label or a section: `GNT-30`, `store.md 8.2`, `store.md` for a page as a whole. */
  readonly rule: string;
  readonly file: string;
  readonly line: number;
}

export interface Home {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  /** What is told there: the cells between label and source, or the lines between heading and source. */
  readonly text: string;
  readonly source: string;
  readonly test: string;
}

/** Every file that may cite a rule, relative to the root, in order. */
function texts(): string[] {
  const files = PLACES.flatMap((place) => {
    if (place.endsWith('.md')) return [place];
    return readdirSync(join(ROOT, place), { recursive: true, encoding: 'utf8' }).map((name) => `${place}/${name}`);
  });
  return files.filter((file) => /\.(?:ts|c|md)$/.test(file) && !NOT_READ.test(file)).sort();
}

export function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** `GNT-2`, `GNT-4` to all three; the two ends of a range differ in their numbers alone. */
function between(first: string, last: string): string[] {
  const stem = first.replace(/\d+[a-z]?$/, '');
  const from = Number.parseInt(first.slice(stem.length), 10);
  const to = Number.parseInt(last.replace(/^.*?(\d+)$/, '$1'), 10);
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => `${stem}${from + i}`);
}

/** The labels of one list of them, ranges and shortened ones written out. */
function labelsOf(list: string): string[] {
  const found: string[] = [];
  let isRange = false;
  for (const part of list.split(new RegExp(`(${AND})`))) {
    if (new RegExp(`^(?:${AND})$`).test(part)) {
      isRange = part === ' to ';
      continue;
    }
    const before = found.at(-1) ?? '';
    const label = part.includes('-') ? part : `${before.slice(0, before.indexOf('-') + 1)}${part}`;
    if (isRange) found.push(...between(before, label).slice(1));
    else found.push(label);
  }
  return found;
}

function sectionsOf(page: string, list: string): string[] {
  const numbers = [...list.matchAll(/( to)?(?<!step)\s(\d+(?:\.\d+)?)(?!\w)/g)];
  if (numbers.length === 0) return list === '' ? [`${page}.md`] : [];
  const found: string[] = [];
  for (const [, to, number = ''] of numbers) {
    const before = found.at(-1);
    if (to !== undefined && before !== undefined) found.push(...between(before, `${page}.md ${number}`).slice(1));
    else found.push(`${page}.md ${number}`);
  }
  return found;
}

/** What one line of a file cites. */
export function citedIn(file: string, line: string): string[] {
  const cited: string[] = [];
  for (const [list] of line.matchAll(LABELS)) cited.push(...labelsOf(list));
  for (const [, page = '', list = ''] of line.matchAll(SECTIONS)) cited.push(...sectionsOf(page, list));
  for (const [, number = ''] of line.matchAll(BARE_SECTION)) cited.push(`hypervisor.md ${number}`);
  for (const { step, among } of STEPS) {
    if (!among.test(file)) continue;
    const steps = new RegExp(`(?<![\\w-])(${step}\\d+)(?: to (${step}\\d+))?\\b`, 'g');
    for (const [, first = '', last = first] of line.matchAll(steps)) cited.push(...between(first, last));
  }
  return cited;
}

/** Everything that is cited anywhere, in the order of files and lines. */
export function citations(): Citation[] {
  return texts().flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((text, i) => citedIn(file, text).map((rule) => ({ rule, file, line: i + 1 }))),
  );
}

const HEADING = /^(#{1,6}) (.*)$/;
const RULE_OF_HEADING = /^((?:store|guests|hypervisor|state-image|migration)\.md \d+(?:\.\d+)?)(?=:|$)/;

/** The pages that give rules a home, relative to the root, in order. */
export function pages(): string[] {
  return readdirSync(join(ROOT, PAGES))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${PAGES}/${name}`)
    .sort();
}

function cellsOf(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** Homes of labels: rows of the tables that begin with `label` and end with `source` and `test`. */
function rowsOf(file: string): Home[] {
  const rows: Home[] = [];
  let inTable = false;
  for (const [i, line] of read(file).split('\n').entries()) {
    if (!line.startsWith('|')) inTable = false;
    else {
      const cells = cellsOf(line);
      if (cells[0] === 'label') inTable = true;
      else if (inTable && !/^-+$/.test(cells[0] ?? '')) {
        const [rule = '', source = '', test = ''] = [cells[0], cells.at(-2), cells.at(-1)];
        rows.push({ rule, file, line: i + 1, text: cells.slice(1, -2).join(' | '), source, test });
      }
    }
  }
  return rows;
}

/** Homes of sections: headings that begin with their name; below, a line `Source: ….` and a line `Test: ….`. */
function headingsOf(file: string): Home[] {
  const lines = read(file).split('\n');
  return lines.flatMap((line, i) => {
    const rule = RULE_OF_HEADING.exec(HEADING.exec(line)?.[2] ?? '')?.[1];
    if (rule === undefined) return [];
    const length = lines.slice(i + 1).findIndex((other) => HEADING.test(other));
    const below = lines.slice(i + 1, length < 0 ? undefined : i + 1 + length);
    const [source = '', test = ''] = ['Source: ', 'Test: '].map((start) =>
      below
        .find((text) => text.startsWith(start))
        ?.slice(start.length)
        .replace(/\.$/, ''),
    );
    const text = below
      .slice(
        0,
        below.findIndex((other) => other.startsWith('Source: ')),
      )
      .join('\n')
      .trim();
    return [{ rule, file, line: i + 1, text, source, test }];
  });
}

/** Every home, in the order of pages and lines; a page is the home of its own name. */
export function homes(): Home[] {
  return pages().flatMap((file) => [...rowsOf(file), ...headingsOf(file)]);
}
