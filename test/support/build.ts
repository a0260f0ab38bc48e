import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const CONFIGS = [
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
  'rolldown.config.ts',
  'rolldown.page.config.ts',
  'tsconfig.page.json',
];
const PAUSE_MS = 50;

/** Some tests run the program as users do: the path of a file of it, compiled if its sources have changed since the last time. */
export function built(file: string): string {
  buildOnce(ROOT, () => {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const rolldown = join(ROOT, 'node_modules/rolldown/bin/cli.mjs');
    const run = (args: readonly string[]) => execFileSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
    run([tsc, '-p', 'tsconfig.build.json']);
    run([rolldown, '-c', 'rolldown.page.config.ts']);
    run([rolldown, '-c']);
  });
  return join(ROOT, 'dist', file);
}

/** Compiles unless `dist` says that it was made of just these sources. Whoever asks meanwhile waits: test files run side by side. */
export function buildOnce(root: string, compile: () => void): void {
  const stamp = join(root, 'dist/.sources');
  const lock = join(root, 'dist/.building');
  if (isText(stamp, sourcesOf(root))) return;
  mkdirSync(join(root, 'dist'), { recursive: true });
  while (!isTaken(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
  try {
    // As they are before: what changes while it is compiled is seen by the next who asks.
    const sources = sourcesOf(root);
    if (isText(stamp, sources)) return;
    compile();
    writeFileSync(stamp, sources);
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Tells the sources from what they were, by names, sizes and times. */
function sourcesOf(root: string): string {
  const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8')) as {
    readonly include: readonly string[];
  };
  const hash = createHash('sha256');
  const add = (path: string) => {
    const stat = statSync(join(root, path), { throwIfNoEntry: false });
    if (stat?.isDirectory()) for (const name of readdirSync(join(root, path)).sort()) add(`${path}/${name}`);
    else if (stat !== undefined) hash.update(`${path} ${stat.size} ${stat.mtimeMs}\n`);
  };
  for (const path of [...CONFIGS, ...include]) add(path);
  return hash.digest('hex');
}

function isText(file: string, text: string): boolean {
  return textOf(file) === text;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // it is not there
  }
}

/** Takes the lock, also from a process that has died over it. */
function isTaken(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = Number(textOf(lock));
    if (owner > 0 && !isAlive(owner)) rmSync(lock, { force: true });
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
