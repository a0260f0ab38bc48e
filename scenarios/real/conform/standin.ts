import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

/** Whether a daemon is an oxenstored: by its name, as there is no other way to tell before it runs. */
export function isOcaml(binary: string): boolean {
  return basename(binary).startsWith('oxenstored');
}

/** Where the distribution's packages put the daemons. */
export const INSTALLED_DAEMONS = {
  xenstored: '/usr/lib/xen-4.17/bin/xenstored',
  oxenstored: '/usr/lib/xen-4.17/bin/oxenstored',
} as const;

/** The stand-in's source: beside this file in the tree, else in the package's, four folders up from this module, two from the bundle. */
function standinSource(): string {
  const here = import.meta.dirname;
  const places = [
    'standin.c',
    '../../../../scenarios/real/conform/standin.c',
    '../../scenarios/real/conform/standin.c',
  ];
  return places.map((place) => join(here, place)).find((file) => existsSync(file)) ?? join(here, 'standin.c');
}

let compiled: Promise<Uint8Array> | undefined;

/** Compile the stand-in, once per process; returns the library's octets. Errors: no `cc`, or what it says. */
export function compileStandin(): Promise<Uint8Array> {
  compiled ??= (async () => {
    const dir = await mkdtemp(join(tmpdir(), 'xenarium-standin-'));
    try {
      const library = join(dir, 'standin.so');
      await promisify(execFile)('cc', ['-O1', '-shared', '-fPIC', '-o', library, standinSource(), '-ldl']);
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
