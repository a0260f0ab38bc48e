import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startDaemon } from '../../scenarios/real/conform/daemon.ts';
import { INSTALLED_DAEMONS, whyNot } from '../../scenarios/real/conform/standin.ts';

/** One operation of the distribution's test-xenstore, best of all rounds, microseconds. */
export interface OperationTimes {
  readonly name: string;
  readonly daemonUs: number;
  readonly oursUs: number;
}

const TEST_XENSTORE = '/usr/lib/xen-4.17/bin/test-xenstore';
const ITERATIONS = 200;
const ROUNDS = 5;

/**
 * The distribution's test-xenstore against the installed C daemon and against `xenarium serve`, by turns.
 * @param cli path of the compiled program.
 * @returns the times, or why they cannot be taken.
 */
export async function besideDaemon(cli: string): Promise<readonly OperationTimes[] | string> {
  if (!existsSync(TEST_XENSTORE)) return 'test-xenstore is not installed';
  const reason = await whyNot(INSTALLED_DAEMONS.xenstored);
  if (reason !== undefined) return reason;
  const dir = mkdtempSync(join(tmpdir(), 'xenarium-bench-'));
  const socket = join(dir, 'socket');
  const server = spawn(process.execPath, [cli, 'serve', '--socket', socket, '--compat', '4.17'], { stdio: 'pipe' });
  const daemon = await startDaemon({ binary: INSTALLED_DAEMONS.xenstored });
  try {
    await new Promise<void>((resolve, reject) => {
      server.stdout.once('data', () => resolve());
      server.stderr.once('data', () => resolve());
      server.once('exit', () => reject(new Error('serve ended')));
    });
    const best = new Map<string, { daemonUs: number; oursUs: number }>();
    for (let round = 0; round < ROUNDS; round++) {
      const [theirs, ours] = [await averages(join(daemon.dir, 'socket')), await averages(socket)];
      for (const [name, us] of theirs) {
        const so = best.get(name) ?? { daemonUs: Infinity, oursUs: Infinity };
        best.set(name, {
          daemonUs: Math.min(so.daemonUs, us),
          oursUs: Math.min(so.oursUs, ours.get(name) ?? Infinity),
        });
      }
    }
    return [...best].map(([name, times]) => ({ name, ...times }));
  } finally {
    server.kill('SIGKILL');
    await daemon.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Average time of each operation, microseconds. */
async function averages(socket: string): Promise<Map<string, number>> {
  const env = { ...process.env, XENSTORED_PATH: socket };
  const { stdout } = await promisify(execFile)(TEST_XENSTORE, ['-i', String(ITERATIONS)], { env });
  const found = new Map<string, number>();
  for (const [, name, ns] of stdout.matchAll(/^(.*?)\s*: avg: (\d+) ns/gm))
    if (name !== undefined) found.set(name, Number(ns) / 1000);
  return found;
}
