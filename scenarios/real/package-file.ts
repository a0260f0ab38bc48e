import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A file of this package, from wherever in it this module is: the tree, what is compiled of it, or the bundle.
 * @param path from the package's own folder, as `scenarios/real/lockstep/standin.c`. Throws where there is none.
 */
export function packageFile(path: string): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const file = join(folder, path);
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) throw new Error(`${path} is missing in what was installed`);
  }
}
