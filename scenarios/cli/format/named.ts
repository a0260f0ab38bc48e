import type { Comparable } from '../../../store/format/compare/index.ts';
import { enclosingFormats } from '../../../store/format/enclosing/formats.ts';
import { allFormats, type Format, formatNamed } from '../../../store/format/index.ts';
import { formatOf } from '../../../store/format/model/index.ts';
import { meant, Unusable } from '../image/io.ts';
import { knobsOfFormat } from '../image/knob.ts';
import { importFormat } from '../image/load-format.ts';
import { isModulePath } from '../load-module.ts';

/** The same, or a text. */
export async function comparable(name: string, knob: readonly string[] = []): Promise<Comparable> {
  const text = formatOf(name)?.text;
  if (text === undefined) return recordFormat(name, knob);
  knobsOfFormat(text, knob);
  return text;
}

/** The format of records of this name, or the one in the module at this path, with these choices (`name=value`) as its own. */
export async function recordFormat(name: string, knob: readonly string[] = []): Promise<Format> {
  const format = await found(name);
  const knobs = knobsOfFormat(format, knob);
  return { ...format, knobs: { ...format.knobs, ...knobs } };
}

async function found(name: string): Promise<Format> {
  const known = formatNamed(name) ?? enclosingFormats.find((one) => one.name === name.toLowerCase());
  if (known !== undefined) return known;
  if (isModulePath(name)) return importFormat(name);
  const text = formatOf(name);
  if (text !== undefined)
    throw new Unusable(`${text.name} is a text, not a format of records: this command has nothing for it`);
  const names = [...allFormats(), ...enclosingFormats].flatMap((one) => [one.name, ...(one.aliases ?? [])]);
  throw new Unusable(`there is no format '${name}'${meant(name, names)}: see xenarium format list`);
}
