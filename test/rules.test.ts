import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAULT_RULES } from '../scenarios/faults/catalogue.ts';
import { citations, citedIn, FAMILIES, type Home, homes, PAGES, pages, ROOT, read } from './support/rules.ts';

/** Homes that nobody cites, and why they are there all the same. */
const UNCITED: Readonly<Record<string, string>> = {};

const cited = citations();
const all = homes();
const home = new Map(all.map((h) => [h.rule, h]));
const isSection = (rule: string): boolean => rule.includes('.md');

/** What a text in a page may name as its source: a file of some tree, or rules that it follows from. */
const FILE = /[\w./-]+\.(?:c|h|in|ml|py|go|txt|md|pandoc)\b|tools\/hotplug\/Linux\/\w+/;
const NO_TEST = 'no test bears it';

/** Paths within the repo that a text names. */
function pathsIn(text: string): string[] {
  return [...text.matchAll(/`([\w./-]+\/[\w./-]+)`/g)].map(([, path = '']) => path);
}

/** Every rule that a file cites, by file. */
const citedBy = new Map<string, Set<string>>();
for (const { rule, file } of cited) citedBy.set(file, (citedBy.get(file) ?? new Set()).add(rule));

/** What is wrong with the test that a home names; `undefined`: nothing. */
function badTest({ rule, test }: Home): string | undefined {
  const paths = pathsIn(test);
  const missing = paths.filter((path) => !existsSync(join(ROOT, path)));
  if (missing.length > 0) return `${missing.join(', ')} is not there`;
  if (test.startsWith(NO_TEST)) {
    if (!/^no test bears it(?: by this label)?: ./.test(test)) return 'it does not say why no test bears it';
    const liar = [...citedBy].find(([file, rules]) => file.endsWith('.test.ts') && rules.has(rule));
    return liar === undefined ? undefined : `${liar[0]} bears it`;
  }
  if (!paths.some((path) => path.endsWith('.test.ts'))) return 'it names no test';
  if (isSection(rule)) return undefined;
  // A test that runs each entry of a catalogue names none of them: then the catalogue, which does, is named beside it.
  const bears = (path: string) => citedBy.get(path)?.has(rule) === true;
  const idle = test.split(';').flatMap((some) => {
    const [tests = '', ways = ''] = some.split('by way of');
    return pathsIn(ways).some(bears) ? [] : pathsIn(tests).filter((path) => !bears(path));
  });
  return idle.length === 0 ? undefined : `${idle.join(', ')} does not bear it`;
}

describe('how citations are found', () => {
  it.each([
    ['labels and lists of them', 'sim/a.ts', '// GNT-30, LX-19a (INJ-G3)', ['GNT-30', 'LX-19a', 'INJ-G3']],
    ['ranges', 'sim/a.ts', 'CHK-1 to CHK-3 and CHK-12', ['CHK-1', 'CHK-2', 'CHK-3', 'CHK-12']],
    ['shortened ones', 'a', 'guests.md 6.3 INV-S7 to S8, S12', ['INV-S7', 'INV-S8', 'INV-S12', 'guests.md 6.3']],
    ['sections', 'a', 'Source: store.md 1.4, 2, 6; x 7', ['store.md 1.4', 'store.md 2', 'store.md 6']],
    [
      'ranges of sections',
      'a',
      'guests.md 2.3 to 2.5, 6.11',
      ['guests.md 2.3', 'guests.md 2.4', 'guests.md 2.5', 'guests.md 6.11'],
    ],
    [
      'sections between labels',
      'a',
      'guests.md 6.11 INV-H5, 2.7 HS-9',
      ['INV-H5', 'HS-9', 'guests.md 6.11', 'guests.md 2.7'],
    ],
    ['what stands behind a section', 'a', 'store.md 8.6, step 2) 3.4', ['store.md 8.6']],
    ['a section and prose', 'a', 'what guests.md 4.2 says, within 5', ['guests.md 4.2']],
    ['a page', 'a', 'docs/misc/xenstore.txt; store.md. */', ['store.md']],
    ['sections of no page', 'sim/a.ts', '(section 4.9)', ['hypervisor.md 4.9']],
    ['steps where they are steps', 'sim/domains/a.ts', 'T1 to T2, T11', ['T1', 'T2', 'T11']],
    ['steps elsewhere', 'store/format/a.ts', 'D1, G3.0, T1', []],
    ['what only looks like a label', 'a', 'XSA-322, UTF-8, FNV-1a, CAP-4.17, xenstore-migration.md 2.1', []],
  ])('%s', (_, file, line, rules) => {
    expect(citedIn(file, line)).toEqual(rules);
  });
});

describe('every rule that is cited has a home in docs/rules', () => {
  it('which a reader of its file and line finds', () => {
    const lost = cited.filter(({ rule }) => !home.has(rule) && !pages().includes(`${PAGES}/${rule}`));
    expect(lost.map(({ rule, file, line }) => `${file}:${line} cites ${rule}, which has no home in ${PAGES}`)).toEqual(
      [],
    );
  });

  it('and one only', () => {
    const twice = all.filter((h) => home.get(h.rule) !== h);
    expect(twice.map(({ rule, file, line }) => `${file}:${line} is a home of ${rule} beside the last one`)).toEqual([]);
  });

  it('that says something and names a source', () => {
    const bad = all.filter(({ rule, text, source }) => {
      const isFromRules = citedIn('sim/grants/', source).some((other) => other !== rule);
      return text === '' || !(FILE.test(source) || isFromRules || source.startsWith('none in Xen: '));
    });
    expect(bad.map(({ rule, file, line }) => `${file}:${line} gives ${rule} no text or no source`)).toEqual([]);
  });

  it('that names tests which bear the label, or says why there is none', () => {
    const bad = all.flatMap((h) => {
      const why = badTest(h);
      return why === undefined ? [] : [`${h.file}:${h.line} ${h.rule}: ${why}`];
    });
    expect(bad).toEqual([]);
  });

  it('that somebody needs', () => {
    const needed = new Set(cited.filter(({ file }) => !file.startsWith(`${PAGES}/`)).map(({ rule }) => rule));
    const idle = all.filter(({ rule }) => !needed.has(rule) && UNCITED[rule] === undefined);
    expect(idle.map(({ rule, file, line }) => `${file}:${line} ${rule} is cited nowhere`)).toEqual([]);
    expect(Object.keys(UNCITED).filter((rule) => needed.has(rule) || !home.has(rule))).toEqual([]);
  });

  it('that says of a fault what its rule says', () => {
    const wrong = FAULT_RULES.filter(({ id, what, mustHold }) => home.get(id)?.text !== `${what} | ${mustHold}`);
    expect(wrong.map(({ id }) => `${home.get(id)?.file}:${home.get(id)?.line} ${id} is told otherwise`)).toEqual([]);
  });

  it('in a page that the index names, under a family that it explains', () => {
    const index = read(`${PAGES}/README.md`);
    expect(
      pages().filter((page) => !index.includes(`(${page.slice(PAGES.length + 1)})`) && !page.endsWith('/README.md')),
    ).toEqual([]);
    expect(Object.keys(FAMILIES).filter((family) => !index.includes(`${family}-`))).toEqual([]);
  });
});
