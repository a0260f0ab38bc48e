import { describe, expect, it } from 'vitest';
import { Streams } from '../../../../sim/index.ts';
import { damageFile } from '../../../../store/format/index.ts';
import { diffStates, LAB_FORMATS, writeState } from '../../../../store/format/model/index.ts';

const SEEDS = Array.from({ length: 40 }, (_, i) => String(i + 1));

describe.each(LAB_FORMATS.map((format) => [format.name, format] as const))('a damaged file of %s', (name, format) => {
  it('is a failure or a state, never an exception, and each of its octets has a row', () => {
    let failures = 0;
    for (const seed of SEEDS) {
      const streams = new Streams(seed);
      const made = format.generate(streams.for(`test/${name}`), 20);
      if (!made.ok) throw new Error(made.failure.reason);
      const octets = damageFile(made.value, streams.for('test/damage'));
      expect(format.show(octets)).toBeTypeOf('string');
      const rows = format.annotate(octets).rows;
      expect(
        rows.reduce((sum, row) => sum + row.bytes.length, 0),
        `seed ${seed}`,
      ).toBe(octets.length);
      const read = format.read(octets);
      expect(format.json(octets).ok).toBe(read.ok);
      if (!read.ok) {
        failures++;
        expect(format.validate(octets).some(({ severity }) => severity === 'error')).toBe(true);
        continue;
      }
      expect(diffStates(read.value.state, read.value.state)).toEqual([]);
      for (const to of LAB_FORMATS) {
        const written = writeState(read.value.state, to, { onLoss: 'silent' });
        if (!written.ok) expect(written.failure?.reason, `seed ${seed} to ${to.name}`).toBeTypeOf('string');
      }
    }
    expect(failures).toBeGreaterThan(0);
  });
});
