import type { Format } from '../../../store/format/format.ts';
import { formatNamed } from '../../../store/format/formats.ts';
import { Unusable } from '../image/io.ts';
import { importFormat, isModulePath } from '../image/load-format.ts';

/** The format of records of this name, or the one in the module at this path. */
export async function recordFormat(name: string): Promise<Format> {
  const found = formatNamed(name);
  if (found !== undefined) return found;
  if (isModulePath(name)) return importFormat(name);
  throw new Unusable(`there is no format of records '${name}': see xenarium format list`);
}
