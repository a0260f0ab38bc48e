import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { built } from './build.ts';

const CLI = built('bin/xenarium.js');

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Run the program to its end. */
export function xenarium(...args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { code: status, out: stdout, err: stderr };
}

/** Start the program; resolves when it has printed `ready`. */
export function start(args: readonly string[], ready: RegExp): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let seen = '';
    const look = (data: Buffer) => {
      seen += data.toString('latin1');
      if (ready.test(seen)) resolve(child);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready: ${seen}`)));
  });
}
