import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Format } from '../../../store/format/format.ts';
import { binaryFormat, type LabFormat } from '../../../store/format/model/index.ts';
import { Unusable } from './io.ts';

/** The format that a module exports, with all that can be done to a file of it. */
export async function loadFormat(path: string): Promise<LabFormat> {
  return binaryFormat(await importFormat(path));
}

/**
 * The format that a module exports: its default export, or the only one of its exports that is a format. Whoever names
 * the module trusts it, as it is run.
 */
export async function importFormat(path: string): Promise<Format> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new Unusable(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const found = isFormat(module.default) ? [module.default] : Object.values(module).filter(isFormat);
  const [format, ...others] = found;
  if (format === undefined) throw new Unusable(`${path}: exports no format`);
  if (others.length > 0)
    throw new Unusable(
      `${path}: exports several formats, ${found.map(({ name }) => name).join(', ')}; make one the default`,
    );
  return format;
}

function isFormat(value: unknown): value is Format {
  if (typeof value !== 'object' || value === null) return false;
  const { name, records, framing, rules, order, versions } = value as Readonly<Record<string, unknown>>;
  const lists = [records, rules, order, versions];
  return typeof name === 'string' && typeof framing === 'object' && lists.every((list) => Array.isArray(list));
}
