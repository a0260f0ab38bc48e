import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Streams } from '../../../../sim/index.ts';
import {
  allFormats,
  decodeFile,
  decodeImage,
  encodeFile,
  FileWriter,
  type FormatFailure,
  generateFile,
  octetsOf,
  planOf,
  recordsInPieces,
  type StateRecord,
  v1,
  v2,
} from '../../../../store/format/index.ts';

const STREAMS = resolve(import.meta.dirname, '../../../vectors/streams');
const streams = readdirSync(STREAMS).filter((name) => name.endsWith('.bin'));

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

function collect(pieces: Iterable<Uint8Array>): { records: StateRecord[]; failure: FormatFailure | undefined } {
  const records: StateRecord[] = [];
  const walk = recordsInPieces(v2, pieces);
  for (let step = walk.next(); ; step = walk.next()) {
    if (step.done === true) return { records, failure: step.value };
    records.push(step.value);
  }
}

describe('an image in pieces', () => {
  it.each(streams)('%s reads as it does in one piece, whatever the pieces', (name) => {
    const bytes = new Uint8Array(readFileSync(join(STREAMS, name)));
    const whole = decodeImage(bytes);
    if (!whole.ok) throw new Error(whole.failure.reason);
    for (const size of [1, 7, 8, 100, 4096, bytes.length])
      expect(collect(cut(bytes, size)), `pieces of ${size}`).toEqual({
        records: whole.value.records,
        failure: undefined,
      });
  });

  it('has the failures that it has in one piece, at the same offsets', () => {
    const bytes = new Uint8Array(readFileSync(join(STREAMS, 'c-4.17-nodes.bin')));
    const draws = new Streams('1').for('test/pieces');
    let failures = 0;
    for (let i = 0; i < 400; i++) {
      const damaged = bytes.slice(0, draws.oneIn(3) ? draws.below(bytes.length) : bytes.length);
      if (damaged.length > 0) damaged[draws.below(damaged.length)] = draws.below(256);
      const whole = decodeImage(damaged);
      const { failure } = collect(cut(damaged, 1 + draws.below(200)));
      // How much would have followed a length that is beyond all bounds is not waited for.
      const told = (one: FormatFailure | undefined) =>
        one && { ...one, reason: one.reason.replace(/, \d+ octets left/, '') };
      expect(told(failure)).toEqual(told(whole.ok ? undefined : whole.failure));
      if (!whole.ok) failures++;
    }
    expect(failures).toBeGreaterThan(50);
  });

  it.each(allFormats())(
    '$name reads as it does in one piece, records that tell no length or a wrong one as well',
    (format) => {
      const draws = new Streams('1').for(`test/pieces/${format.name}`);
      for (let i = 0; i < 60; i++) {
        const { header, byteOrder, records } = generateFile(format, draws, 1 + (i % 20));
        const knobs = format.name === 'G2' && i % 2 === 1 ? ({ g2Framing: 'libxl' } as const) : {};
        const encoded = encodeFile(format, { header, byteOrder, records }, knobs);
        if (!encoded.ok) throw new Error(encoded.failure.reason);
        const whole = decodeFile(format, encoded.octets, knobs, byteOrder);
        const walk = recordsInPieces(planOf(format, knobs), cut(encoded.octets, 1 + draws.below(60)), { byteOrder });
        expect([...walk]).toEqual(whole.ok && whole.file.records);
      }
    },
  );

  it('does not wait for a record that is larger than any can be', () => {
    const header = Uint8Array.from([...octetsOf('xenstore'), 0, 0, 0, 1, 0, 0, 0, 0]);
    const record = Uint8Array.from([5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    let asked = 0;
    const endless = function* () {
      yield header;
      yield record;
      for (; asked < 1000; asked++) yield new Uint8Array(1 << 16);
    };
    expect(collect(endless()).failure).toMatchObject({ offset: 20, path: 'len' });
    expect(asked).toBe(0);
  });
});

describe('an image written piece by piece', () => {
  it.each([v1, v2])('$name is the same as in one', (dialect) => {
    const node = (i: number): StateRecord => ({
      kind: 'NODE_DATA',
      connId: 0,
      txId: 0,
      access: 0,
      perms: [{ letter: 'n', flags: 0, domid: 0 }],
      path: octetsOf(`/n${i}`),
      value: new Uint8Array(i % 3000).fill(i),
    });
    const pieces: Uint8Array[] = [];
    const writers = [new FileWriter(dialect), new FileWriter(dialect, { sink: (piece) => pieces.push(piece.slice()) })];
    for (let i = 0; i < 3000; i++) for (const writer of writers) expect(writer.append(node(i))).toBeUndefined();
    const tooLong = { ...node(1), path: new Uint8Array(70_000) };
    const [one, other] = writers.map((writer) => writer.append(tooLong));
    expect(other).toEqual(one);
    expect(one?.offset).toBeGreaterThan(2 << 20);
  });

  it('comes out whole, in pieces of about a mebibyte', () => {
    const pieces: Uint8Array[] = [];
    const writer = new FileWriter(v2, { sink: (piece) => pieces.push(piece.slice()) });
    const plain = new FileWriter(v2);
    for (let i = 0; i < 3000; i++) {
      const record: StateRecord = { kind: 'UNKNOWN', type: 99, body: new Uint8Array(1000).fill(i) };
      writer.append(record);
      plain.append(record);
    }
    for (const one of [writer, plain]) one.append({ kind: 'END' });
    const [piecewise, whole] = [writer.finish(), plain.finish()];
    expect(piecewise.ok && whole.ok).toBe(true);
    if (!whole.ok) return;
    expect(Buffer.concat(pieces).equals(whole.value)).toBe(true);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan((1 << 20) + 2000);
    expect(writer.offset).toBe(whole.value.length);
  });
});
