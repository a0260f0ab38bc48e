import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { built } from '../../support/build.ts';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-image-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const STREAMS = join(import.meta.dirname, '../../vectors/streams');
const NODES_417 = join(STREAMS, 'c-4.17-nodes.bin');
const NODES_422 = join(STREAMS, 'c-4.22-nodes.bin');
const TEXT = join(STREAMS, 'oxenstored-4.17-nodes.txt');
const file = (name: string) => join(dir, name);

/** A copy of a stream with other octets from an offset on. */
function broken(name: string, from: string, at: number, ...octets: readonly number[]): string {
  const copy = new Uint8Array(readFileSync(from));
  copy.set(octets, at);
  writeFileSync(file(name), copy);
  return file(name);
}

describe('xenarium image convert', () => {
  it('writes the same octets for the same format', () => {
    for (const [from, to] of [
      [NODES_417, 'v1'],
      [NODES_422, 'v2'],
      [TEXT, 'Ox-c'],
    ] as const) {
      expect(xenarium('image', 'convert', from, '--to', to, '--out', file('same'))).toEqual({
        code: 0,
        out: '',
        err: '',
      });
      expect(readFileSync(file('same'))).toEqual(readFileSync(from));
    }
  });

  it('refuses losses unless told otherwise, and writes no file then', () => {
    const args = ['image', 'convert', NODES_422, '--to', 'v1', '--out', file('refused')];
    const { code, err, out } = xenarium(...args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('xenarium: lost: domain 1: domain unique id dropped: 0x2\n');
    expect(err).toMatch(/\nxenarium: refused: 10 losses; --on-loss warn accepts them\n$/);
    expect(() => readFileSync(file('refused'))).toThrow();
  });

  it('warns, or is silent', () => {
    const args = ['image', 'convert', NODES_422, '--to', 'v1', '--out', file('v1')];
    const warned = xenarium(...args, '--on-loss', 'warn');
    expect(warned.code).toBe(0);
    expect(warned.err.trimEnd().split('\n')).toHaveLength(10);
    expect(xenarium(...args, '--on-loss', 'silent')).toEqual({ code: 0, out: '', err: '' });
    // All that 4.22 had beyond 4.17 is gone: what is left differs in the values that the daemons were given.
    expect(xenarium('image', 'decode', file('v1')).out).toMatch(/version 1/);
    const diff = xenarium('image', 'diff', NODES_417, file('v1'));
    expect(diff.out).not.toMatch(/quota|unique|features/);
  });

  it('writes what it is told of frames and ports, and says what it made up', () => {
    const args = ['image', 'convert', NODES_417, '--to', 'Ox-c', '--out', file('ox'), '--on-loss', 'warn'];
    const { code, err } = xenarium(...args, '--fill', '1.mfn=1234', '--fill', '1.guestPort=7');
    expect(code).toBe(0);
    expect(err).toContain('assumed: domain 2: ring frame number not known: written as 0');
    expect(err).not.toContain('assumed: domain 1:');
    expect(readFileSync(file('ox'), 'latin1')).toContain('\ndom,1,1234,7,101\ndom,2,0,0,102\nsocket,11\n');
  });
});

describe('xenarium image convert, between generations', () => {
  const to = (name: string, from: string, ...args: string[]) =>
    xenarium('image', 'convert', from, '--to', name, '--out', file(name), '--on-loss', 'warn', ...args);

  it('makes one file for each domain where the format has one in each', () => {
    const { code, err } = to('G1', NODES_417);
    expect(code).toBe(0);
    expect(err).toContain('lost: socket 11: socket connections (fd) dropped: with 19 octets of output\n');
    const [first, second] = [0, 1].map((domid) => file(`G1.${domid}`));
    expect(() => readFileSync(file('G1'))).toThrow();
    expect(xenarium('image', 'decode', first as string, '--format', 'G1').out).toContain(
      'NODE_DATA: path "/", perms [n0], value ""',
    );
    const back = xenarium(
      'image',
      'convert',
      second as string,
      '--from',
      'G1',
      '--from-domid',
      '1',
      '--to',
      'v1',
      '--out',
      file('one'),
    );
    expect(back).toEqual({ code: 0, out: '', err: '' });
    expect(xenarium('image', 'decode', file('one')).out).toMatch(/conn 1 ring domid 1 port 0/);
  });

  it('makes one file where only one domain is asked for, and says what stays behind', () => {
    const { code, err } = to('R1', NODES_417, '--domid', '2');
    expect(code).toBe(0);
    expect(err).toMatch(/lost: domain 1: more than one connection dropped/);
    expect(err).toMatch(/lost: daemon: node path, value dropped: [0-9]+ nodes outside the home of domain 2/);
    expect(xenarium('image', 'decode', file('R1'), '--format', 'r1').out).toMatch(/^header .*domid 2/);
  });

  it('goes down step by step as it goes down at once', () => {
    let from = NODES_422;
    for (const name of ['G4.0', 'G3.2', 'G3.1', 'G3.0', 'G2']) {
      expect(to(name, from, '--from', from === NODES_422 ? 'v2' : (from.split('/').at(-1) as string)).code).toBe(0);
      from = file(name);
    }
    const steps = readFileSync(file('G2'));
    expect(to('G2', NODES_422).code).toBe(0);
    expect(readFileSync(file('G2'))).toEqual(steps);
  });
});

describe('a format from a module', () => {
  const module = file('own.mjs');
  writeFileSync(
    module,
    `import { extend, formatNamed } from '${pathToFileURL(built('store/format/index.js')).href}';
     export const own = extend(formatNamed('G4.1'), { name: 'own', title: 'no quotas', without: ['GLOBAL_QUOTA_DATA'] });`,
  );

  it('is read and written, and its losses are those of its fields', () => {
    const { code, err } = xenarium(
      'image',
      'convert',
      NODES_422,
      '--to',
      module,
      '--out',
      file('own'),
      '--on-loss',
      'warn',
    );
    expect(code).toBe(0);
    expect(err).toMatch(/^xenarium: lost: daemon: default quotas dropped: nodes=1000 .*\n$/);
    const diff = xenarium('image', 'diff', NODES_422, file('own'), '--format-b', module);
    expect(diff.out).toMatch(/^(- default quota \(domain\) [a-z-]+: [0-9]+\n){10}$/);
  });

  it.each([
    ['nothing.ts', undefined, ': no such file'],
    ['broken.ts', 'export default {};\nconst a: = 1;', ':2: Unexpected token'],
    ['broken.mjs', 'export const = 1', ':1: Unexpected token'],
    ['throws.ts', 'const one: number = 1;\n\nthrow new Error(`no\nway` + one);', ':3: no'],
    ['import.ts', "import { one } from './two.ts';\nexport default one;", ":1: Cannot find module './two.ts'"],
    ['name.ts', "import { one } from 'xenarium/format';\nexport default one();", ':2: one is not a function'],
    ['empty.ts', '', ': exports no format; it needs `export default extend(...)`'],
    ['other.ts', 'export const a = 1', ': exports no format; it needs `export default extend(...)`'],
    [
      'several.ts',
      "import { g1, g2 } from 'xenarium/format'; export { g1, g2 };",
      ': exports several formats, g1, g2; make one the default',
    ],
    ['number.ts', 'export default 3', ': its default export is no format: it is a number, not an object'],
    [
      'record.ts',
      "import { extend, g41, u8 } from 'xenarium/format'; export default extend(g41, { name: 'x', records: [{ u8 } as any] });",
      ': its default export is no format: record 9 of its records is not made by record()',
    ],
    [
      'layout.ts',
      "import { list, record, u8 } from 'xenarium/format';\nexport default record('X', 1, { a: list({ count: 'n' }, { u8 }) });",
      ':2: layout: n must come before a',
    ],
  ])('%s is none: one line, exit 2', (name, text, reason) => {
    if (text !== undefined) writeFileSync(file(name), text);
    const failed = { code: 2, out: '', err: `xenarium: ${file(name)}${reason}\n` };
    expect(xenarium('image', 'decode', NODES_422, '--format', file(name))).toEqual(failed);
    expect(xenarium('format', 'doc', file(name))).toEqual(failed);
  });

  it('can be in several files, and know others by the name of the package', () => {
    writeFileSync(file('part.ts'), 'export const title: string = "two files";');
    writeFileSync(
      file('whole.ts'),
      "import { extend, g41 } from 'xenarium/format'; import { title } from './part.ts'; export default extend(g41, { name: 'whole', title });",
    );
    expect(xenarium('format', 'doc', file('whole.ts')).out).toMatch(/^# whole: two files\n/);
  });

  it('finds what the package exports', () => {
    const { exports } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')) as {
      readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
    };
    const paths = Object.values(exports).flatMap((one) => (typeof one === 'string' ? [one] : Object.values(one)));
    expect(paths.length).toBeGreaterThan(8);
    for (const path of paths) expect(existsSync(join(import.meta.dirname, '../../..', path)), path).toBe(true);
  });
});

describe('xenarium image diff', () => {
  it('finds no difference between a file and itself, whatever the format', () => {
    expect(xenarium('image', 'diff', TEXT, TEXT)).toEqual({ code: 0, out: '', err: '' });
    xenarium('image', 'convert', NODES_417, '--to', 'v2', '--out', file('up'));
    expect(xenarium('image', 'diff', NODES_417, file('up'))).toEqual({ code: 0, out: '', err: '' });
  });

  it('says what differs, as text and as data', () => {
    const { code, out } = xenarium('image', 'diff', NODES_417, TEXT);
    expect(code).toBe(1);
    expect(out).toContain('+ domain 1 mfn: 1234\n');
    expect(out).toContain('~ node "/local/domain" children: 1 2 -> 2 1\n');
    const data = JSON.parse(xenarium('image', 'diff', NODES_417, TEXT, '--json').out);
    expect(data).toContainEqual({ row: 'mfn', thing: 'domain 1', field: 'mfn', b: '1234' });
  });
});

describe('xenarium image decode, annotate, validate', () => {
  it.each([NODES_417, NODES_422, TEXT])('%s is sound, and each of its octets has a field', (image) => {
    expect(xenarium('image', 'validate', image)).toEqual({ code: 0, out: '', err: '' });
    const rows = JSON.parse(xenarium('image', 'annotate', image, '--json').out) as { offset: number; length: number }[];
    let at = 0;
    for (const { offset, length } of rows) {
      expect(offset).toBe(at);
      at += length;
    }
    expect(at).toBe(readFileSync(image).length);
    expect(JSON.parse(xenarium('image', 'decode', image, '--json').out)).toBeTypeOf('object');
    expect(JSON.parse(xenarium('image', 'validate', image, '--json').out)).toEqual([]);
  });

  it('reads an image of version 1 that has records of version 2 as its writer meant it', () => {
    const image = broken('four-twenty-two-v1', NODES_422, 8, 0, 0, 0, 1);
    expect(xenarium('image', 'decode', image).out).toMatch(/GLOBAL_QUOTA_DATA/);
  });

  it('says where an image is broken: offset, field, reason; exit 1', () => {
    const image = broken('short', NODES_417, 0x24, 0xff, 0xff);
    for (const command of ['decode', 'annotate']) {
      const { code, out, err } = xenarium('image', command, image);
      expect(code).toBe(1);
      expect(out).toContain('GLOBAL_DATA');
      expect(err).toMatch(/short: offset 36 \(0x24\), record 1 CONNECTION_DATA, len: is 65535/);
    }
    const { code, out } = xenarium('image', 'validate', image);
    expect([code, out]).toEqual([1, expect.stringMatching(/^offset 36 .*len: is 65535/)]);
    const told = JSON.parse(xenarium('image', 'validate', image, '--json').out) as object[];
    expect(told).toEqual([expect.objectContaining({ offset: 36, record: 1, path: 'len', severity: 'error' })]);
    expect(xenarium('image', 'convert', image, '--to', 'v2', '--out', file('never')).code).toBe(1);
    expect(xenarium('image', 'diff', image, NODES_417).code).toBe(1);
  });

  it('notes that a daemon’s state has no root, which whoever restores it makes', () => {
    writeFileSync(file('rootless'), '$xenstored-dump-format\nglobal,3,4\n');
    const { code, out } = xenarium('image', 'validate', file('rootless'));
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^note: offset 34 .*tree, \/: no node \/ in it: .* \[root\]\n$/),
    ]);
    writeFileSync(file('rooted'), '$xenstored-dump-format\nglobal,3,4\nstore,2f,6e30,\n');
    expect(xenarium('image', 'validate', file('rooted')).out).toBe('');
  });

  it('names the lines of a text that a daemon skips', () => {
    writeFileSync(file('text'), '$xenstored-dump-format\nglobal,3\nstore,2f,6e30\n');
    const { code, out } = xenarium('image', 'validate', file('text'));
    expect([code, out]).toEqual([1, 'offset 32 (0x20), record 1 store: has 2 fields, not 3 [line]\n']);
  });

  it.each([
    [['decode', join(STREAMS, 'nothing')], /nothing: no such file or directory\n$/],
    [['decode', join(STREAMS, 'README.md')], /do not tell what it is; say --format NAME/],
    [['decode', NODES_417, '--format', 'g9'], /there is no format 'g9'/],
    [['convert', NODES_417, '--to', 'v2'], /--out/],
    [['convert', NODES_417, '--to', 'v2', '--out', '/nowhere/at/all'], /: no such file or directory\n$/],
    [['decode', STREAMS], /streams: is a directory\n$/],
    [['decode', '/dev/null'], /null: is empty; say --format NAME/],
    [['generate', '--format', 'v2', '--seed', '1', '--size', '100001', '--out', 'x'], /at most 100000/],
    [['convert', NODES_417, '--to', 'v2', '--out', 'x', '--on-loss', 'maybe'], /refuse, warn, silent/],
    [['convert', NODES_417, '--to', 'v2', '--out', 'x', '--fill', 'mfn=1'], /as 5.mfn/],
    [['diff', NODES_417], /missing required argument/],
  ])('%j is bad usage: exit 2', (args, reason) => {
    const { code, err, out } = xenarium('image', ...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(reason);
  });
});

describe('xenarium image generate', () => {
  it.each(['G1', 'R1', 'D1', 'v1', 'v2', 'C-4.22', 'Ox-c'])(
    'makes a sound file of %s, the same for the same seed',
    (name) => {
      const make = (out: string, seed: string, ...more: string[]) =>
        xenarium('image', 'generate', '--format', name, '--seed', seed, '--out', file(out), ...more);
      expect(make('made', '7')).toEqual({ code: 0, out: '', err: '' });
      expect(make('again', '7').code).toBe(0);
      expect(make('other', '8').code).toBe(0);
      expect(readFileSync(file('again'))).toEqual(readFileSync(file('made')));
      expect(readFileSync(file('other'))).not.toEqual(readFileSync(file('made')));
      expect(xenarium('image', 'validate', file('made'), '--format', name).code).toBe(0);
      expect(make('damaged', '7', '--damage').code).toBe(0);
      expect(readFileSync(file('damaged'))).not.toEqual(readFileSync(file('made')));
    },
  );
});

describe('xenarium format list', () => {
  it('names every format once', () => {
    const names = (JSON.parse(xenarium('format', 'list', '--json').out) as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual([...new Set(names)]);
    expect(names).toEqual(expect.arrayContaining(['G1', 'G3.2', 'G4.1', 'C-4.22', 'Ox-a', 'Ox-b', 'Ox-c']));
    expect(xenarium('format', 'list').out.trimEnd().split('\n')).toHaveLength(names.length);
  });
});
