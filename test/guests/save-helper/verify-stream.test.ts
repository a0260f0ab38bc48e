import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { save, savedBench } from './saved.ts';

const VERIFY = '/usr/lib/xen-4.17/bin/verify-stream-v2';
/** Where the distribution keeps the modules that it imports. */
const MODULES = '/usr/lib/xen-4.17/lib/python';
const isHere = existsSync(VERIFY) && spawnSync('python3', ['--version']).status === 0;
if (!isHere) {
  const line = `verify-stream-v2 on what xl save leaves: skipped, for want of ${VERIFY}`;
  if (process.env.XENARIUM_NO_SKIP !== undefined) throw new Error(line);
  console.warn(line);
}

describe.skipIf(!isHere)('verify-stream-v2 of the distribution', () => {
  const dir = mkdtempSync(join(tmpdir(), 'xenarium-saved-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function verdict(octets: Uint8Array) {
    const file = join(dir, 'guest');
    writeFileSync(file, octets);
    const env = { ...process.env, PYTHONPATH: MODULES };
    const { status, stdout, stderr } = spawnSync('python3', [VERIFY, '-f', 'xl', '-i', file], {
      encoding: 'utf8',
      env,
    });
    return { status, said: stdout + stderr };
  }

  it.each(['pv', 'pvh', 'hvm'] as const)(
    'accepts what xl save leaves of a %s guest, and not with one octet changed',
    (type) => {
      const bench = savedBench(type);
      expect(save(bench, { afterwards: 'resume' }).exit).toBe(0);
      expect(verdict(bench.file.octets)).toMatchObject({ status: 0 });
      const damaged = bench.file.octets;
      damaged[damaged.length - 8] = 0x77; // the type of the last record
      expect(verdict(damaged)).toMatchObject({ status: 1 });
    },
  );
});
