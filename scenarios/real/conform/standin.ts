import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { packageFile } from '../package-file.ts';

/** Whether a daemon is an oxenstored: by its name, as there is no other way to tell before it runs. */
export function isOcaml(binary: string): boolean {
  return basename(binary).startsWith('oxenstored');
}

/** Where the distribution's packages put the daemons. */
export const INSTALLED_DAEMONS = {
  xenstored: '/usr/lib/xen-4.17/bin/xenstored',
  oxenstored: '/usr/lib/xen-4.17/bin/oxenstored',
} as const;

let compiled: Promise<Uint8Array> | undefined;

/** Compile the stand-in, once per process; returns the library's octets. Errors: no `cc`, or what it says. */
export function compileStandin(): Promise<Uint8Array> {
  compiled ??= (async () => {
    const dir = await mkdtemp(join(tmpdir(), 'xenarium-standin-'));
    try {
      const library = join(dir, 'standin.so');
      await promisify(execFile)('cc', [
        '-O1',
        '-shared',
        '-fPIC',
        '-o',
        library,
        packageFile('scenarios/real/conform/standin.c'),
        '-ldl',
      ]);
      return await readFile(library);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  })();
  return compiled;
}

/** Why no daemon can be run here, in words; `undefined` when one can. */
export async function whyNot(binary: string): Promise<string | undefined> {
  if (!existsSync(binary)) return `${binary} is not installed`;
  try {
    await compileStandin();
    return undefined;
  } catch (error) {
    return `the hypervisor stand-in does not compile: ${error instanceof Error ? error.message : String(error)}`;
  }
}
