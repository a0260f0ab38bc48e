import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { granting, measure, wrongCells } from '../../../scenarios/lab/measure.ts';
import { GROUPS, observe } from '../../../scenarios/lab/observe.ts';
import { matrixPage, surpriseLines } from '../../../scenarios/lab/page.ts';
import { brokenIn, isAsPredicted, predictBroken, SEEN_BY, tryFormat } from '../../../scenarios/lab/verdict.ts';
import {
  EMPTY_STATE,
  LAB_FORMATS,
  type LabFormat,
  type Mark,
  STATE_ROW_NAMES,
  type StateRow,
} from '../../../store/format/model/index.ts';
import type { ConnectionState, DaemonState } from '../../../store/format/model/state.ts';
import { built } from '../../support/build.ts';
import { xenarium } from '../../support/cli.ts';
import { claiming, forgetting, handingOn, named } from '../../support/odd-formats.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-matrix-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const wrongRows = (format: LabFormat) => wrongCells(measure(format)).map(({ row, observed }) => `${row} ${observed}`);

/** A connection that holds nothing. */
function emptied({ link, readOnly }: ConnectionState): ConnectionState {
  const none = new Uint8Array(0);
  return { link, readOnly, watches: [], transactions: [], delayed: [], input: none, output: none, restBytes: 0 };
}

describe('the matrix', () => {
  it('has a thing in every row', () => {
    const { things } = observe(named('G4.1'), STATE_ROW_NAMES);
    expect(STATE_ROW_NAMES.filter((row) => things.every((thing) => thing.row !== row))).toEqual([]);
  });

  it('sees everything come through where the state itself is handed on', () => {
    const column = measure(handingOn());
    expect(column.failures).toEqual([]);
    expect(column.cells.filter(({ observed }) => observed !== 'full')).toEqual([]);
  });

  it('sees nothing come through of what is not handed on', () => {
    const dom0 = ({ link }: ConnectionState) => link.kind === 'ring' && link.domid === 0;
    const bare = ({ nodes, connections }: DaemonState): DaemonState => ({
      ...EMPTY_STATE,
      nodes: nodes.map(({ path, value }) => ({ path, value, acl: [{ letter: 'n', domid: 0, stale: false }] })),
      connections: connections.filter(dom0).map((conn) => ({ ...emptied(conn), link: { kind: 'ring', domid: 0 } })),
    });
    const seen = measure(handingOn(bare)).cells.filter(({ observed }) => observed !== 'none');
    // Nodes are there, in their order; pages are the guests'.
    expect(seen.map(({ row, observed }) => `${row} ${observed}`)).toEqual([
      'node part',
      'siblingOrder full',
      'ringWords full',
    ]);
  });

  it.each(LAB_FORMATS)('finds for $name what its carriage predicts', (format) => {
    const column = measure(format);
    expect(column.failures).toEqual([]);
    expect(surpriseLines(column)).toEqual([]);
  });

  it('finds what a reader forgets', () => {
    const connections = (change: (conn: ConnectionState) => ConnectionState) =>
      forgetting(named('G4.1'), (s) => ({ ...s, connections: s.connections.map(change) }));
    expect(wrongRows(connections((c) => ({ ...c, delayed: [] })))).toEqual(['delayed none']);
    expect(wrongRows(connections((c) => ({ ...c, delayed: c.delayed.slice(0, 1) })))).toEqual(['delayed part']);
    expect(wrongRows(connections((c) => ({ ...c, input: c.input.slice(0, -1) })))).toEqual(['input none']);
    expect(wrongRows(connections((c) => ({ ...c, restBytes: 0 })))).toEqual(['outputBoundary none']);
    expect(wrongRows(connections((c) => ({ ...c, watches: c.watches.map(({ depth, ...w }) => w) })))).toEqual([
      'watchDepth none',
    ]);
    expect(wrongRows(forgetting(named('Ox-c'), (s) => ({ ...s, specials: [] })))).toEqual(['specialAcl none']);
  });

  it('says of a format that cannot be read back why, and counts nothing as carried', () => {
    const failure = { index: 0, offset: 3, field: 'magic', reason: 'is wrong' } as never;
    const column = measure({ ...named('G4.1'), read: () => ({ ok: false, failure }) });
    expect(column.failures).toHaveLength(GROUPS.length);
    expect(surpriseLines(column)[0]).toContain('the update failed: nodes: ');
    expect(wrongCells(column).find(({ row }) => row === 'node')).toMatchObject({ predicted: 'full', observed: 'none' });
  });

  it('takes what a writer has no record for as a failed update', () => {
    const { failures, things } = observe(granting(named('G2'), 'sockets'), ['sockets']);
    expect(failures).toMatchObject([
      { group: 'connections', reason: expect.stringMatching(/no record for socket \d+/) },
    ]);
    expect(things.some(({ came }) => came)).toBe(false);
  });

  it('does not take a mistake in a writer for something that the format loses', () => {
    const wrong: LabFormat = {
      ...named('G4.1'),
      write() {
        throw new Error('assertion: the writer is wrong');
      },
    };
    expect(() => measure(wrong)).toThrow('the writer is wrong');
  });
});

/** For each group of rows: something that G4.1 carries and is denied here, and something that it does not and is claimed. */
const LIES: Readonly<Record<string, { readonly denied: StateRow; readonly claimed: StateRow }>> = {
  nodes: { denied: 'staleAcl', claimed: 'generation' },
  watches: { denied: 'watchDepth', claimed: 'watchDepth' },
  transactions: { denied: 'txDeletes', claimed: 'txWrites' },
  traffic: { denied: 'input', claimed: 'outputBoundary' },
  connections: { denied: 'target', claimed: 'sockets' },
  machine: { denied: 'uniqueId', claimed: 'mfn' },
  limits: { denied: 'features', claimed: 'domainQuotas' },
};
/** A format that lacks what is claimed for the group. */
const LACKING: Readonly<Record<string, string>> = {
  watches: 'G3.2',
  transactions: 'G1',
  traffic: 'G3.0',
  connections: 'G2',
  limits: 'G3.2',
};

describe('a lie in a carriage', () => {
  it('is tried for every group', () => {
    expect(Object.keys(LIES)).toEqual(GROUPS.map(({ name }) => name));
    for (const { name, rows } of GROUPS)
      for (const row of Object.values(LIES[name] ?? {})) expect(rows, name).toContain(row);
  });

  it.each(Object.entries(LIES))('is found among %s where something is denied', (_, { denied }) => {
    const [cell, ...others] = wrongCells(measure(claiming(named('G4.1'), { [denied]: '-' })));
    expect(cell).toMatchObject({ row: denied, predicted: 'none', possible: 'full' });
    expect(others).toEqual([]);
  });

  it.each(Object.entries(LIES))('is found among %s where something is claimed', (group, { claimed }) => {
    const wrong = wrongCells(measure(claiming(named(LACKING[group] ?? 'G4.1'), { [claimed]: 'y' })));
    expect(wrong).toContainEqual(expect.objectContaining({ row: claimed, predicted: 'full' }));
  });

  it.each<[StateRow, Mark]>([
    ['unknownQuotas', '-'],
    ['listeners', '-'],
    ['connections', 'p8'],
    ['binding', '-'],
    ['node', '-'],
  ])('is found of %s, which no reduction follows or no store has', (row, mark) => {
    expect(wrongRows(claiming(named('G4.1'), { [row]: mark })).join()).toMatch(new RegExp(`^${row} `));
  });

  it('makes the command fail, in a format of a user', () => {
    const door = pathToFileURL(built('store/format/index.js')).href;
    const module = join(dir, 'liar.mjs');
    // The name of a known field, for something that is no base: the carriage is taken from names.
    writeFileSync(
      module,
      `import { extend, formatNamed, nodeData, record, transactionData, u64 } from '${door}';
export default extend(formatNamed('G4.1'), { name: 'liar', title: 'Liar', versions: [3], records: [
  record('TRANSACTION_DATA', 4, { base: u64, ...transactionData.fields }),
  record('NODE_DATA', 5, { generation: u64, ...nodeData.fields }),
] });
`,
    );
    const { code, err } = xenarium('matrix', '--format', module);
    expect(code).toBe(1);
    expect(err).toContain('liar: conflict base (generation at start / first access): predicted full, observed none');
  });
});

describe('the checkers of the headline scenario', () => {
  it.each<[StateRow, readonly string[]]>([
    ['siblingOrder', ['replies', 'transactions']],
    ['watchDepth', ['watch-events']],
    ['txId', ['transactions']],
    ['txReads', ['transactions']],
    ['txEvents', ['watch-events']],
    ['output', ['replies', 'final-tree']],
    ['input', ['ring-octets', 'replies', 'watch-events', 'final-tree']],
    ['sockets', ['replies', 'watch-events', 'final-tree']],
  ])('catch the loss of %s alone', (row, families) => {
    const format = claiming(handingOn(), { [row]: '-' });
    expect(SEEN_BY[row]).toEqual(families);
    const found = ['1', '2', '3', '4'].flatMap((seed) => brokenIn(format, seed));
    const { sure, possible } = predictBroken(format.carriage);
    expect(new Set(found.filter((family) => !possible.includes(family)))).toEqual(new Set(sure));
  });

  it.each(STATE_ROW_NAMES.filter((row) => typeof SEEN_BY[row] === 'string' && row !== 'ringWords'))(
    'do not notice the loss of %s alone',
    (row) => {
      const format = claiming(handingOn(), { [row]: '-' });
      expect(predictBroken(format.carriage)).toEqual({ sure: [], possible: [] });
      expect(brokenIn(format, '1')).toEqual([]);
    },
  );

  it('break what no carriage foretells', () => {
    const format = forgetting(named('G4.1'), (s) => ({
      ...s,
      connections: s.connections.map((conn) => ({ ...conn, watches: conn.watches.slice(1) })),
    }));
    const trial = tryFormat(format);
    expect(trial.observed).toContain('watch-events');
    expect(isAsPredicted(trial)).toBe(false);
  });
});

describe('xenarium matrix', () => {
  it('writes the page in docs/', { timeout: 600_000 }, () => {
    const file = join(dir, 'matrix.md');
    const { code, out, err } = xenarium('matrix', '--out', file);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(readFileSync(file, 'utf8')).toBe(out);
    expect(out).toBe(readFileSync(join(import.meta.dirname, '../../../docs/matrix.md'), 'utf8'));
  });

  it('takes single formats, for people and programs', { timeout: 300_000 }, () => {
    const two = ['G4.1', 'Ox-c'].map(named);
    expect(xenarium('matrix', '--format', 'v2', '--format', 'Ox-c').out).toBe(
      matrixPage(two.map(measure), two.map(tryFormat)),
    );
    const { formats, trials } = JSON.parse(xenarium('matrix', '--format', 'G1', '--json').out);
    expect(formats[0]).toMatchObject({ format: 'G1' });
    expect(formats[0].cells).toContainEqual(
      expect.objectContaining({ row: 'sockets', predicted: 'none', observed: 'none' }),
    );
    expect(trials[0]).toMatchObject({ format: 'G1', observed: expect.arrayContaining(['ring-octets', 'replies']) });
    expect(trials[0].seeds).toBeGreaterThan(1);
  });

  it('ends with 2 for a format that there is not', () => {
    expect(xenarium('matrix', '--format', 'G9')).toMatchObject({ code: 2, out: '' });
  });
});
