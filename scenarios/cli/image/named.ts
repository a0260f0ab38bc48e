import { detectFormat, formatOf, type LabFormat } from '../../../store/format/model/index.ts';
import { Unusable } from './io.ts';
import { isModulePath, loadFormat } from './load-format.ts';

/** The format of this name, or the one in the module at this path. */
export async function namedFormat(name: string): Promise<LabFormat> {
  const found = formatOf(name);
  if (found !== undefined) return found;
  if (isModulePath(name)) return loadFormat(name);
  throw new Unusable(`there is no format '${name}': see xenarium format list`);
}

/** The format asked for, or the one that the first octets tell. */
export async function formatFor(file: string, octets: Uint8Array, name: string | undefined): Promise<LabFormat> {
  if (name !== undefined) return namedFormat(name);
  const found = detectFormat(octets);
  if (found !== undefined) return found;
  throw new Unusable(`${file}: the first octets do not tell what it is; say --format NAME`);
}
