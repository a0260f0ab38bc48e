import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { emptyRows, measure, wrongCells } from '../../scenarios/matrix/measure.ts';
import { matrixPage } from '../../scenarios/matrix/page.ts';
import { populatedState } from '../../scenarios/matrix/populated.ts';
import { formatOf, LAB_FORMATS, type LabFormat, type Mark, type StateRow } from '../../store/format/model/index.ts';
import type { DaemonState } from '../../store/format/model/state.ts';
import { xenarium } from '../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-matrix-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function named(name: string): LabFormat {
  const format = formatOf(name);
  if (format === undefined) throw new Error(`no format ${name}`);
  return format;
}

/** A reader that loses something. */
function forgetting(format: LabFormat, change: (state: DaemonState) => DaemonState): LabFormat {
  return {
    ...format,
    read(octets, options) {
      const read = format.read(octets, options);
      return read.ok ? { ok: true, value: { ...read.value, state: change(read.value.state) } } : read;
    },
  };
}

function claiming(format: LabFormat, row: StateRow, mark: Mark): LabFormat {
  const { carriage } = format;
  return { ...format, carriage: { ...carriage, marks: { ...carriage.marks, [row]: mark } } };
}

const wrongRows = (format: LabFormat) => wrongCells(measure(format)).map(({ row, observed }) => `${row} ${observed}`);

describe('the matrix', () => {
  it('has something in every row', () => {
    expect(emptyRows(populatedState())).toEqual([]);
  });

  it.each(LAB_FORMATS)('finds for $name what its carriage predicts', (format) => {
    const column = measure(format);
    expect(column.failure).toBeUndefined();
    expect(wrongCells(column)).toEqual([]);
  });

  it('finds what a reader forgets', () => {
    const connections = (change: (c: DaemonState['connections'][number]) => DaemonState['connections'][number]) =>
      forgetting(named('G4.1'), (s) => ({ ...s, connections: s.connections.map(change) }));
    expect(wrongRows(connections((c) => ({ ...c, delayed: [] })))).toEqual(['delayed none']);
    expect(wrongRows(connections((c) => ({ ...c, delayed: c.delayed.slice(0, 1) })))).toEqual(['delayed part']);
    expect(wrongRows(connections((c) => ({ ...c, input: c.input.slice(1) })))).toEqual(['input none']);
    expect(wrongRows(connections((c) => ({ ...c, restBytes: 0 })))).toEqual(['outputBoundary none']);
    expect(wrongRows(forgetting(named('Ox-c'), (s) => ({ ...s, specials: [] })))).toEqual(['specialAcl none']);
  });

  it('finds a claim that the octets do not bear out', () => {
    expect(wrongRows(claiming(named('G4.1'), 'generation', 'y'))).toEqual(['generation none']);
    expect(wrongRows(claiming(named('G3.2'), 'uniqueId', 'y'))).toEqual(['uniqueId none']);
  });

  it('says of a format that cannot be read back why, and counts nothing as carried', () => {
    const failure = { index: 0, offset: 3, field: 'magic', reason: 'is wrong' } as never;
    const column = measure({ ...named('G4.1'), read: () => ({ ok: false, failure }) });
    expect(column.failure).toContain('cannot be read back: ');
    expect(wrongCells(column).find(({ row }) => row === 'node')).toMatchObject({ predicted: 'full', observed: 'none' });
  });
});

describe('xenarium matrix', () => {
  it('writes the page in docs/', () => {
    const file = join(dir, 'matrix.md');
    const { code, out, err } = xenarium('matrix', '--out', file);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(readFileSync(file, 'utf8')).toBe(out);
    expect(out).toBe(readFileSync(join(import.meta.dirname, '../../docs/matrix.md'), 'utf8'));
  });

  it('takes single formats, for people and programs', () => {
    expect(xenarium('matrix', '--format', 'v2', '--format', 'Ox-c').out).toBe(
      matrixPage([measure(named('G4.1')), measure(named('Ox-c'))]),
    );
    const { formats } = JSON.parse(xenarium('matrix', '--format', 'G1', '--json').out);
    expect(formats[0]).toMatchObject({ format: 'G1' });
    expect(formats[0].cells).toContainEqual(
      expect.objectContaining({
        row: 'sockets',
        predicted: 'none',
        observed: 'none',
        lost: ['socket 11', 'socket 12'],
      }),
    );
  });

  it('ends with 2 for a format that there is not', () => {
    expect(xenarium('matrix', '--format', 'G9')).toMatchObject({ code: 2, out: '' });
  });
});
