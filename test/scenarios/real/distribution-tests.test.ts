import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { start } from '../../support/cli.ts';

// The distribution's own test program of xenstore, as it is: every operation, transactions, and a random mix.
const PROGRAM = '/usr/lib/xen-4.17/bin/test-xenstore';
const isAbsent = !existsSync(PROGRAM);
if (isAbsent) {
  if (process.env.XENARIUM_NO_SKIP !== undefined) throw new Error(`${PROGRAM} is not installed`);
  console.warn(`test-xenstore: skipped, for want of ${PROGRAM}`);
}

const TESTS = ['read 1', 'read 2000', 'write 1', 'write 2000', 'dir', 'rm node', 'rm dir'];
const TRANSACTIONS = ['ta empty', 'ta empty x', 'ta rmw', 'ta rmw x', 'ta err'];

describe.skipIf(isAbsent).each(['4.17', '4.22'])('test-xenstore on serve --compat %s', (compat) => {
  it('passes each of its tests twenty times, and a second of random ones', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'xenarium-test-xenstore-'));
    const socket = join(dir, 'socket');
    const server = await start(['serve', '--socket', socket, '--compat', compat], /serving on/);
    try {
      const env = { ...process.env, XENSTORED_PATH: socket };
      const all = await promisify(execFile)(PROGRAM, ['-i', '20'], { env });
      const lines = all.stdout.trim().split('\n');
      expect(lines.map((line) => line.split(':')[0]?.trim())).toEqual([...TESTS, ...TRANSACTIONS]);
      for (const line of lines) expect(line).toMatch(/: avg: \d+ ns/);
      const random = await promisify(execFile)(PROGRAM, ['-r', '1'], { env });
      expect(random.stdout).not.toContain('failed');
    } finally {
      server.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
