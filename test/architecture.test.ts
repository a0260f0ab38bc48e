import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf } from './support/code.ts';
import { FLOORS, type Room, wingOf } from './support/house.ts';
import { graphOf, readGraph } from './support/imports.ts';
import { pictureOf } from './tools/picture.ts';
import { withRooms } from './tools/rooms-table.ts';
import { houseOf } from './tools/wings.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const graph = readGraph(ROOT, FLOORS);

/** A link of a page to a file of the repository. */
interface Link {
  readonly to: string;
  /** Of a heading in it. */
  readonly anchor: string | undefined;
  /** What its title says is declared there. */
  readonly symbol: string | undefined;
}

/** Links of a page that stay in the repository: `[text](to)`, and `[name]: to "symbol"`. */
function linksOf(page: string, text: string): Link[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`(?!\])/g, '');
  const found = [...prose.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)(?: "([^"]+)")?$/gm)];
  return found.flatMap(([, inline, named, symbol]) => {
    const [path = '', anchor] = ((inline ?? named) as string).split('#');
    if (/^[a-z]+:/.test(path)) return [];
    return [{ to: path === '' ? page : join(dirname(page), path), anchor, symbol }];
  });
}

/** Files of the repository that a page names in backticks; without an ending it may be a node of xenstore. */
function pathsOf(text: string): string[] {
  return [...text.matchAll(/`((?:sim|store|guests|scenarios|test)\/[\w./-]+(?:\.ts|\/))`/g)].map(
    ([, path]) => path as string,
  );
}

/** The anchors that a page's headings get. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

/** Names that a page refers to and does not define, as in `[the view][view]` and `[dump]`. */
function danglingOf(text: string): string[] {
  const defined = new Set([...text.matchAll(/^\[([^\]]+)\]: /gm)].map(([, name]) => name));
  const used = [...text.matchAll(/\[[^\]]+\]\[([^\]]+)\]|\[([a-z][a-z-]*)\](?![(:[])/g)].map(([, a, b]) => a ?? b);
  return used.filter((name) => !defined.has(name)) as string[];
}

/** Whether `text` declares `symbol`: as a function, class, type, value, or method. */
function declares(text: string, symbol: string): boolean {
  const code = codeOf(text);
  const declared = new RegExp(`\\b(?:function\\*?|class|interface|type|const)\\s+\\*?${symbol}\\b`);
  const method = new RegExp(`^ {2}(?:readonly |static |get |\\*)*${symbol}(?:<[^>]*>)?\\(`, 'm');
  return declared.test(code) || method.test(code);
}

function staleLinks(page: string, text: string): string[] {
  const links = linksOf(page, text).flatMap(({ to, anchor, symbol }) => {
    if (to !== page && !existsSync(join(ROOT, to))) return [`${page}: there is no ${to}`];
    const inThere = to === page ? text : symbol === undefined && anchor === undefined ? '' : read(to);
    if (anchor !== undefined && !anchorsOf(inThere).includes(anchor)) return [`${page}: ${to} has no #${anchor}`];
    return symbol === undefined || declares(inThere, symbol) ? [] : [`${page}: ${to} declares no ${symbol}`];
  });
  const named = pathsOf(text).filter((path) => !existsSync(join(ROOT, path)));
  return [...links, ...named.map((path) => `${page}: there is no ${path}`)];
}

describe('docs/architecture.svg', () => {
  it('shows the imports as they are (npm run architecture)', () => {
    expect(read('docs/architecture.svg') === pictureOf(houseOf(graph))).toBe(true);
  });

  const room = (path: string, ...imports: readonly string[]): Room => ({ path, about: `${path} & co`, imports });
  const rooms = [
    ...FLOORS.map((floor) => room(floor)),
    room('store/protocol'),
    room('store/tree', 'store/protocol'),
    room('store/daemon', 'store/protocol', 'store/tree'),
  ];
  const files = {
    'store/protocol/a.ts': '',
    'store/tree/a.ts': "import '../protocol/a.ts';",
    'store/daemon/a.ts': "import '../protocol/a.ts';\nimport '../tree/a.ts';",
  };
  const house = (more: Readonly<Record<string, string>>) =>
    houseOf(graphOf(new Map(Object.entries({ ...files, ...more }))), rooms);

  it('leaves out an arrow that follows from others', () => {
    expect(house({}).arrows).toEqual([
      { from: 'store/daemon', to: 'store/tree', climbs: false },
      { from: 'store/tree', to: 'store/protocol', climbs: false },
    ]);
  });

  it('shows an import that climbs in red, and moves no room for it', () => {
    const climbing = house({ 'store/tree/b.ts': "import type { A } from '../daemon/a.ts';" });
    expect(climbing.arrows).toContainEqual({ from: 'store/tree', to: 'store/daemon', climbs: true });
    expect(climbing.floors).toEqual(house({}).floors);
    expect(pictureOf(climbing)).toContain('class="climb"');
    expect(pictureOf(house({}))).not.toContain('class="climb"');
  });

  it('shows what is entered from another floor, and escapes what it writes', () => {
    const entered = house({ 'guests/a.ts': "import '../store/protocol/a.ts';" });
    expect(entered.crossings).toEqual([{ from: 'guests', to: 'store', into: ['protocol'] }]);
    expect(pictureOf(entered)).toContain('store/protocol &amp; co');
  });
});

describe('docs/architecture.md', () => {
  const page = read('docs/architecture.md');

  it('has the table of rooms as they are (npm run architecture)', () => {
    expect(page).toBe(withRooms(page, graph));
  });

  it('says of each room of the picture what may be changed in it alone', () => {
    const free = page.slice(page.indexOf('## What may be changed alone'), page.indexOf('## All rooms'));
    const told = [...free.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) => {
      const names = [...(cell as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
      const floor = names[0]?.split('/')[0];
      return names.map((name) => (name === floor || name.includes('/') ? name : `${floor}/${name}`));
    });
    const wings = graph.files.map((file) => wingOf(dirname(file)));
    const doors = ['store', 'guests', 'scenarios'];
    expect(new Set(told)).toEqual(new Set(wings.filter((wing) => !doors.includes(wing))));
  });
});

describe('the pages', () => {
  const pages = [
    'README.md',
    ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).flatMap((name) =>
      name.endsWith('.md') ? [`docs/${name}`] : [],
    ),
  ];

  it.each(pages)('%s links only to what is there', (page) => {
    expect(staleLinks(page, read(page))).toEqual([]);
  });

  it('architecture.md and contributing.md define each name that they link by', () => {
    expect(danglingOf(read('docs/architecture.md'))).toEqual([]);
    expect(danglingOf(read('docs/contributing.md'))).toEqual([]);
  });

  it.each([
    ['a file that is gone', '[x](gone.md)', 'docs/a.md: there is no docs/gone.md'],
    ['a named file that is gone', '[x]: ../sim/gone.ts "Gone"', 'docs/a.md: there is no sim/gone.ts'],
    ['a heading that is gone', '# Here it is\n[x](#here-it-is) [y](#gone)', 'docs/a.md: docs/a.md has no #gone'],
    ['a file in backticks that is gone', 'see `sim/gone.ts` and `sim/ring.ts`', 'docs/a.md: there is no sim/gone.ts'],
    ['a symbol that is gone', '[x]: ../sim/ring.ts "Gone"', 'docs/a.md: sim/ring.ts declares no Gone'],
    [
      'a symbol that is only used there',
      '[x]: ../sim/index.ts "Machine"',
      'docs/a.md: sim/index.ts declares no Machine',
    ],
  ])('bark at %s', (_, text, complaint) => {
    expect(staleLinks('docs/a.md', text)).toEqual([complaint]);
    expect(danglingOf('[a][b] and [c]\n\n[b]: x')).toEqual(['c']);
  });
});
