import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf, hostCalls } from './support/code.ts';
import { climbs, FLOORS, jumpedDoors, ROOMS, type Room, roundaboutsOf, strangers } from './support/house.ts';
import { circles, graphOf, type ImportGraph, importsOf, readGraph } from './support/imports.ts';

const ROOT = resolve(import.meta.dirname, '..');
const house = readGraph(ROOT, FLOORS);
const texts = new Map(house.files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));

/** Where promises, sockets and clocks of the host have their place: what meets programs of others, the commands, and what takes
 *  clocks away from a run. */
const OUTSIDE_THE_SCHEDULER = /^scenarios\/(?:cli|real)\/|^scenarios\/cli\.ts$|^scenarios\/engine\/host-guard\.ts$/;

/** Bare sorts, which are by UTF-16 code units, and right where all that is sorted is texts. */
const SORTS_TEXTS: readonly string[] = [
  'scenarios/real/conform/script/octets.ts', // names of connections
  'scenarios/real/conform/known.ts', // names of children
  'store/format/model/diff.ts', // names of fields
];

/** A file is not limited, and from here on it is told: it may do several things. */
const LONG_FILE_LINES = 300;

describe('the house', () => {
  it('has no circle between two files, test files and imports of types among them', () => {
    expect(circles(readGraph(ROOT, [...FLOORS, 'test']))).toEqual([]);
  });

  it('imports only downwards, as the table of rooms says', () => {
    expect(climbs(house)).toEqual([]);
  });

  it('is entered through its doors', () => {
    expect(jumpedDoors(house)).toEqual([]);
  });

  it('takes from npm and from node only what the table of packages says', () => {
    expect(strangers(house)).toEqual([]);
  });

  it('has a table of rooms that allows no circle itself, and names what there is', () => {
    expect(roundaboutsOf(ROOMS)).toEqual([]);
    const empty = ROOMS.filter((room) => !house.files.some((file) => file.startsWith(`${room.path}/`)));
    expect(empty.map(({ path }) => path)).toEqual([]);
  });

  it('asks the host for neither time, chance, order nor language', () => {
    const found = house.files.flatMap((file) =>
      hostCalls(texts.get(file)!, !OUTSIDE_THE_SCHEDULER.test(file)).map((call) => ({ file, call })),
    );
    const isSort = (call: string) => /\.(?:sort|toSorted)\(\): /.test(call);
    const refused = found.filter(({ file, call }) => !(SORTS_TEXTS.includes(file) && isSort(call)));
    expect(refused.map(({ file, call }) => `${file}:${call}`)).toEqual([]);
    expect(new Set(found.filter(({ call }) => isSort(call)).map(({ file }) => file))).toEqual(new Set(SORTS_TEXTS));
  });

  it('has no default export and no export *', () => {
    const found = house.files.filter((file) => /^export (?:default |\*)/m.test(codeOf(texts.get(file)!)));
    expect(found).toEqual([]);
  });

  it(`tells its files of more than ${LONG_FILE_LINES} lines`, () => {
    const long = house.files
      .map((file) => ({ file, lines: texts.get(file)!.split('\n').length - 1 }))
      .filter(({ lines }) => lines > LONG_FILE_LINES)
      .sort((a, b) => b.lines - a.lines);
    const rows = long.map(({ file, lines }) => `  ${String(lines).padStart(4)}  ${file}`);
    console.info(
      `${long.length} of ${house.files.length} files have more than ${LONG_FILE_LINES} lines:\n${rows.join('\n')}`,
    );
  });
});

/** A graph of files that are just their imports: `{ 'a/x.ts': "import '../b/y.ts';" }`. */
const fake = (files: Readonly<Record<string, string>>): ImportGraph => graphOf(new Map(Object.entries(files)));

const room = (path: string, ...imports: readonly string[]): Room => ({ path, about: '', imports });

describe('a reader of imports', () => {
  it.each([
    ['a value', "import { b } from './b.ts';", [['x/b.ts', 'value']]],
    ['a type', "import type { B } from '../b.ts';", [['b.ts', 'type']]],
    ['a type beside a value', "import { type B, b } from './b.ts';", [['x/b.ts', 'value']]],
    ['names on lines of their own', "import {\n  a,\n  b,\n} from './b.ts';", [['x/b.ts', 'value']]],
    ['a whole module', "import * as b from './b.ts';", [['x/b.ts', 'value']]],
    ['for its effects', "import './b.ts';", [['x/b.ts', 'value']]],
    ['re-exported', "export { b } from './b.ts';", [['x/b.ts', 'value']]],
    ['a type, re-exported', "export type { B } from './b.ts';", [['x/b.ts', 'type']]],
    ['loaded when it is needed', "const b = import('./b.ts');", [['x/b.ts', 'value']]],
    ['a package', "import { join } from 'node:path';", [['node:path', 'value']]],
    ['nothing, in a comment', "// import './b.ts';\n/*\nimport './b.ts';\n*/", []],
    ['nothing, in a text', "const text = `\nimport './b.ts';\n`;", []],
    ['nothing, in an export of its own', "export const from = 'b';\nexport const c = { from: './b.ts' };", []],
  ])('sees %s', (_, text, expected) => {
    expect(importsOf('x/a.ts', text).map(({ to, kind }) => [to, kind])).toEqual(expected);
  });
});

describe('a reader of code', () => {
  it.each([
    ['comments', 'a; // b\n/* c\nd */ e', 'a;     \n    \n     e'],
    ['strings, but for their quotes', `f('a"b', "c\\"d")`, `f('   ', "    ")`],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code that is read.
    ['templates, but not what stands in them', '`a ${b({ c: `d` })} e`', '`  ${b({ c: ` ` })}  `'],
    ['patterns, which are no divisions', "a = /['/]/g.test(b) / c / d", 'a =        .test(b) / c / d'],
  ])('blanks %s', (_, text, expected) => {
    expect(codeOf(text)).toBe(expected);
  });
});

describe('a rule of the house barks at', () => {
  it('a circle of values', () => {
    const found = circles(fake({ 'a.ts': "import './b.ts';", 'b.ts': "import './c.ts';", 'c.ts': "import './a.ts';" }));
    expect(found).toEqual(['circle of 3 files: a.ts -> b.ts -> c.ts -> a.ts; all of them: a.ts b.ts c.ts']);
  });

  it('a circle that is one of types only', () => {
    const found = circles(
      fake({ 'a.ts': "import type { B } from './b.ts';", 'b.ts': "export type { A } from './a.ts';" }),
    );
    expect(found).toEqual(['circle of 2 files: a.ts -> b.ts -> a.ts; all of them: a.ts b.ts']);
  });

  it('two circles, each for itself, and a file that imports itself', () => {
    const found = circles(
      fake({
        'a.ts': "import './b.ts';",
        'b.ts': "import './a.ts';\nimport './c.ts';",
        'c.ts': "import './d.ts';",
        'd.ts': "import './c.ts';\nimport './d.ts';",
      }),
    );
    expect(found).toHaveLength(3);
    expect(found[0]).toBe('d.ts imports itself');
  });

  it('no way that only meets again', () => {
    const way = {
      'a.ts': "import './b.ts';\nimport './c.ts';",
      'b.ts': "import './d.ts';",
      'c.ts': "import './d.ts';",
    };
    expect(circles(fake({ ...way, 'd.ts': '' }))).toEqual([]);
  });

  it('an import that climbs, also for a type', () => {
    const rooms = [room('low'), room('high', 'low')];
    const files = { 'low/a.ts': "import type { B } from '../high/b.ts';", 'high/b.ts': "import '../low/a.ts';" };
    expect(climbs(fake(files), rooms)).toEqual(['low/a.ts (low) imports high/b.ts (type)']);
  });

  it('an import into a room within a room that is allowed, unless all within it is', () => {
    const files = { 'high/b.ts': "import '../low/cellar/a.ts';", 'low/cellar/a.ts': '' };
    const inner = [room('low'), room('low/cellar')];
    expect(climbs(fake(files), [...inner, room('high', 'low')])).toHaveLength(1);
    expect(climbs(fake(files), [...inner, room('high', 'low/')])).toEqual([]);
    expect(climbs(fake(files), [...inner, room('high', 'low/cellar/a.ts')])).toEqual([]);
  });

  it('a file in no room', () => {
    expect(climbs(fake({ 'yard/a.ts': "import './b.ts';", 'yard/b.ts': '' }), [room('low')])).toEqual([
      'yard/a.ts lies in no room',
    ]);
  });

  it('a door that is passed by, from another floor and from a room beside', () => {
    const files = {
      'low/index.ts': "export { a } from './inner/a.ts';",
      'low/inner/index.ts': "export { a } from './a.ts';",
      'low/inner/a.ts': '',
      'low/beside.ts': "import './inner/a.ts';", // of the same folder: it may
      'high/b.ts': "import '../low/inner/a.ts';",
      'high/c.ts': "import '../low/index.ts';\nimport '../low/inner/index.ts';",
    };
    expect(jumpedDoors(fake(files), [], [])).toEqual(['high/b.ts imports low/inner/a.ts, past low/index.ts']);
  });

  it('a side door that nobody takes', () => {
    const files = { 'low/index.ts': '', 'low/a.ts': '', 'high/b.ts': "import '../low/a.ts';" };
    const taken = { into: 'low/a.ts', from: 'high/', why: '' };
    const unused = { into: 'low/index.ts', from: 'high/', why: '' };
    expect(jumpedDoors(fake(files), [taken, unused], [])).toEqual([
      'nobody takes the side door from high/ into low/index.ts',
    ]);
  });

  it('a package in a room that may not have it', () => {
    const graph = fake({ 'low/a.ts': "import 'node:fs';", 'high/b.ts': "import 'node:fs';\nimport 'left-pad';" });
    expect(strangers(graph, { 'node:': ['high'] }, [room('low'), room('high')])).toEqual([
      'high/b.ts imports left-pad',
      'low/a.ts imports node:fs',
    ]);
  });

  it('a table of rooms that goes in a circle', () => {
    expect(roundaboutsOf([room('a/b', 'a/c'), room('a/c', 'a/b')])).toEqual(['a/b -> a/c -> a/b']);
  });

  it.each([
    'Date.now()',
    'new Date()',
    'performance.now()',
    'Math.random()',
    'Math.exp(1)',
    'setTimeout(f, 1)',
    'queueMicrotask(f)',
    'process.env',
    'globalThis.process',
    'crypto.randomUUID()',
    'async () => f()',
    'await f()',
    'Promise.resolve()',
    'a.localeCompare(b)',
    'n.toLocaleString()',
    'new Intl.Collator()',
    'Buffer.from(a)',
    'new TextDecoder()',
    'new WeakRef(a)',
    'names.sort()',
    'names.toSorted()',
  ])('the call %s', (call) => {
    expect(hostCalls(`const a =\n  ${call};`, true)).toEqual([expect.stringMatching(/^2: /)]);
    expect(hostCalls(`// ${call}\nconst a = ${JSON.stringify(call)};`, true)).toEqual([]);
  });

  it('no name that only looks like a call', () => {
    expect(hostCalls('tools.process(1); update(Dated); sort((a, b) => a - b); crypt(o);', true)).toEqual([]);
  });

  it('chance and language outside the scheduler too, where time and promises are allowed', () => {
    expect(hostCalls('await f(Date.now())', false)).toEqual([]);
    expect(hostCalls('Math.random()', false)).toHaveLength(1);
    expect(hostCalls('a.localeCompare(b)', false)).toHaveLength(1);
  });
});
