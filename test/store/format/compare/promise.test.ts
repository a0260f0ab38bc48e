import { describe, expect, it } from 'vitest';
import { Streams } from '../../../../sim/random.ts';
import { compareFormats, DIRECTIONS, type Direction } from '../../../../store/format/compare/index.ts';
import { type Format, readerKnobs } from '../../../../store/format/file/format.ts';
import { generateFile } from '../../../../store/format/file/generate.ts';
import { decodeFile } from '../../../../store/format/file/reader.ts';
import { encodeFile } from '../../../../store/format/file/writer.ts';
import { allFormats } from '../../../../store/format/formats.ts';
import { ROWS } from './pairs.ts';

// Not with itself: the daemon of 4.22 does not read the watches with a depth that it writes, and that is no change.
const BUILT_IN = allFormats().flatMap((old) =>
  allFormats().flatMap((fresh) => (old === fresh ? [] : [[old, fresh] as const])),
);
const MADE_UP = ROWS.map(({ old, fresh }) => [old, fresh] as const);

interface Quiet {
  readonly name: string;
  readonly writer: Format;
  readonly reader: Format;
}

/** Directions in which no proof breaks. */
const QUIET: readonly Quiet[] = [...BUILT_IN, ...MADE_UP].flatMap(([old, fresh], i) => {
  const comparison = compareFormats(old, fresh);
  const isQuiet = (direction: Direction) =>
    (direction === DIRECTIONS[0] ? comparison.oldReadsNew : comparison.newReadsOld).breaks === 0;
  const rule = ROWS[i - BUILT_IN.length]?.rule ?? '';
  return DIRECTIONS.filter(isQuiet).map((direction) => {
    const [writer, reader] = direction === DIRECTIONS[0] ? [fresh, old] : [old, fresh];
    return { name: `${rule} ${reader.name} reads ${writer.name}`, writer, reader };
  });
});

describe('where no proof breaks, no file drawn at random does', () => {
  it.each(QUIET)('$name', ({ writer, reader }) => {
    const draws = new Streams('7').for('compare/promise');
    for (let i = 0; i < 12; i++) {
      const file = generateFile(writer, draws, 24, { byteOrders: 'little' });
      const encoded = encodeFile(writer, file);
      if (!encoded.ok) throw new Error(encoded.failure.reason);
      const read = decodeFile(reader, encoded.octets, readerKnobs(reader));
      expect(read).toMatchObject({ ok: true });
      if (read.ok) expect(read.file.records.length).toBe(file.records.length);
    }
  });

  it('is said of many', () => {
    expect(QUIET.length).toBeGreaterThan(60);
  });
});
