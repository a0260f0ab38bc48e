import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { LAB_FORMATS } from '../../../store/format/model/index.ts';
import { built } from '../../support/build.ts';

const PROGRAM = built('test/support/survive.js');
/** So many sound files and so many damaged ones of each format; .ci/run asks for 10,000. */
const IMAGES = Number(process.env.XENARIUM_IMAGES ?? 200);
const MIB = 1 << 20;
/** Of memory that is ever taken, for any number of files. */
const TAKEN_MAX = 64 * MIB;
/** Of what is held for good: so little that 10,000 files could not come to 64 MiB either. */
const HELD_MAX = 2 * MIB + (62 * MIB * IMAGES) / 10_000;

describe('files made at random, sound and damaged', () => {
  it.each(LAB_FORMATS.map(({ name }) => name))(
    'of %s are read, validated and annotated in bounded memory',
    (name) => {
      const args = ['--expose-gc', '--max-old-space-size=64', PROGRAM, name, String(IMAGES)];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      expect([status, stderr]).toEqual([0, '']);
      const { read, refused, grownBytes, residentBytes } = JSON.parse(stdout) as Readonly<Record<string, number>>;
      expect((read ?? 0) + (refused ?? 0)).toBe(2 * IMAGES);
      expect(refused).toBeGreaterThan(0);
      expect(grownBytes).toBeLessThan(HELD_MAX);
      expect(residentBytes).toBeLessThan(TAKEN_MAX);
    },
    900_000,
  );
});
