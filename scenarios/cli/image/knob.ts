import { type Format, KNOBS, type KnobSpec, type Knobs, usefulKnobs } from '../../../store/format/index.ts';
import { WISHES, type Wishes } from '../../../store/format/model/index.ts';
import { meant, Unusable } from './io.ts';

export const KNOB = '--knob <name=value>';
export const KNOB_TEXT = 'a choice other than the usual one (repeatable; see xenarium format list --knobs)';

/** What `--knob` has set: choices of a format, and choices about the state that is converted. */
export interface KnobsSet {
  readonly knobs: Partial<Knobs>;
  readonly wishes: Wishes;
  /** The texts of the former. */
  readonly ofFormat: readonly string[];
}

/** Collects `--knob`. */
export function addKnob(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

/** Errors: `Unusable` for what is no `name=value`, and for names and values that there are not. */
export function knobsSet(texts: readonly string[]): KnobsSet {
  const knobs: Record<string, string | boolean> = {};
  const wishes: Record<string, string | boolean> = {};
  const ofFormat: string[] = [];
  for (const text of texts) {
    const at = text.indexOf('=');
    const name = text.slice(0, Math.max(0, at));
    if (at < 1) throw new Unusable(`--knob ${text}: has to be name=value`);
    const format: KnobSpec | undefined = Object.hasOwn(KNOBS, name) ? KNOBS[name as keyof typeof KNOBS] : undefined;
    const wish: KnobSpec | undefined = Object.hasOwn(WISHES, name) ? WISHES[name as keyof typeof WISHES] : undefined;
    const spec = format ?? wish;
    if (spec === undefined) {
      const near = meant(name, [...Object.keys(KNOBS), ...Object.keys(WISHES)]);
      throw new Unusable(`--knob ${text}: there is no choice '${name}'${near}: see xenarium format list --knobs`);
    }
    const value = spec.values.find((one) => String(one) === text.slice(at + 1));
    if (value === undefined) throw new Unusable(`--knob ${text}: ${name} is one of ${spec.values.join(', ')}`);
    (format === undefined ? wishes : knobs)[name] = value;
    if (format !== undefined) ofFormat.push(text);
  }
  return { knobs: knobs as Partial<Knobs>, wishes: wishes as Wishes, ofFormat };
}

/** Those of a format. Errors: `Unusable`, also for a choice that makes no difference to it; a text has none. */
export function knobsOfFormat(format: Format | { readonly name: string }, texts: readonly string[]): Partial<Knobs> {
  const { knobs, wishes } = knobsSet(texts);
  const [wish] = Object.keys(wishes);
  if (wish !== undefined) throw new Unusable(`--knob ${wish}: is for image convert only`);
  const useful: readonly string[] = 'records' in format ? usefulKnobs(format) : [];
  const useless = Object.keys(knobs).find((name) => !useful.includes(name));
  if (useless === undefined) return knobs;
  const has = useful.length === 0 ? 'it has none' : `it has ${useful.join(', ')}`;
  throw new Unusable(`--knob ${useless}: makes no difference to ${format.name}; ${has}`);
}
