import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { LAB_FORMATS } from '../../../store/format/model/index.ts';
import { built } from '../../support/build.ts';

const PROGRAM = built('test/support/survive.js');
/** So many sound files and so many damaged ones of each format; .ci/run asks for 1,000. More of them begin with the same. */
const IMAGES = Number(process.env.XENARIUM_IMAGES ?? 100);
const MIB = 1 << 20;
/** Of memory that is ever taken, for any number of files. */
const TAKEN_MAX = 64 * MIB;
/** Of what is held for good: so little that 10,000 files could not come to 64 MiB either. */
const HELD_MAX = 2 * MIB + (62 * MIB * IMAGES) / 10_000;

interface Line {
  readonly name: string;
  readonly read: number;
  readonly refused: number;
  readonly grownBytes: number;
  readonly residentBytes: number;
}

describe('files made at random, sound and damaged', () => {
  let lines: readonly Line[] = [];
  beforeAll(() => {
    const args = ['--expose-gc', '--max-old-space-size=64', PROGRAM, String(IMAGES)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  }, 3_600_000);

  it.each(LAB_FORMATS.map(({ name }) => name))('of %s are read, validated and annotated in bounded memory', (name) => {
    const line = lines.find((one) => one.name === name);
    if (line === undefined) throw new Error(`nothing of ${name}`);
    expect(line.read + line.refused).toBe(2 * IMAGES);
    expect(line.refused).toBeGreaterThan(0);
    expect(line.grownBytes).toBeLessThan(HELD_MAX);
    expect(line.residentBytes).toBeLessThan(TAKEN_MAX);
  });
});
