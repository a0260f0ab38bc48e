import type { Knobs } from '../../../store/format/index.ts';
import {
  binaryFormat,
  detectFormat,
  formatOf,
  LAB_FORMATS,
  type LabFormat,
} from '../../../store/format/model/index.ts';
import { isModulePath } from '../load-module.ts';
import { meant, Unusable } from './io.ts';
import { knobsOfFormat } from './knob.ts';
import { loadFormat } from './load-format.ts';

/** How files of a format are taken. */
export interface Reading {
  /** `name=value`, over the format's own choices. */
  readonly knob?: readonly string[];
  /** As the format's own reader takes them, where it differs from its writer. */
  readonly asRead?: true;
}

/** The format of this name, or the one in the module at this path. Errors: `Unusable`. */
export async function namedFormat(name: string): Promise<LabFormat> {
  return formatOf(name) ?? (isModulePath(name) ? await loadFormat(name) : noFormat(name));
}

/** The same, with other choices than its own. */
export async function formatTaken(name: string, reading: Reading): Promise<LabFormat> {
  return asTaken(await namedFormat(name), reading);
}

function noFormat(name: string): never {
  const known = LAB_FORMATS.flatMap((one) => [one.name, ...one.aliases]);
  throw new Unusable(`there is no format '${name}'${meant(name, known)}: see xenarium format list`);
}

/** The format asked for, or the one that the first octets tell. Errors: `Unusable`. */
export async function formatFor(
  file: string,
  octets: Uint8Array,
  name: string | undefined,
  reading: Reading = {},
): Promise<LabFormat> {
  if (name !== undefined) return formatTaken(name, reading);
  const found = detectFormat(octets);
  if (found !== undefined) return asTaken(found, reading);
  if (octets.length === 0) throw new Unusable(`${file}: is empty; say --format NAME to read it as one all the same`);
  throw new Unusable(`${file}: the first octets do not tell what it is; say --format NAME`);
}

/** The same format with other choices. Errors: `Unusable` for a choice that makes no difference to it. */
function asTaken(lab: LabFormat, { knob = [], asRead }: Reading): LabFormat {
  const { format } = lab;
  const knobs = knobsOfFormat(format ?? lab, knob);
  const all: Partial<Knobs> = { ...(asRead ? format?.reads : {}), ...knobs };
  return format === undefined || Object.keys(all).length === 0 ? lab : binaryFormat(format, all);
}
