import { FAULT_WORDS } from '../faults/plan.ts';

/** A value that a user can set with `--set key=value`: a whole number or a word, so that a line replays a run. */
export type Setting = number | string;

export type Settings = Readonly<Record<string, Setting>>;

/** A whole number. */
export interface CountSpec<N extends number = number> {
  readonly default: N;
  /** What it means, with its unit. */
  readonly meaning: string;
  /** What lies outside would mean nothing, or would keep a run from ever coming to its end. */
  readonly min: number;
  readonly max: number;
}

/** One of some words. */
export interface WordSpec<W extends string = string> {
  readonly default: W;
  readonly meaning: string;
  readonly words: readonly W[];
}

/** Some of some words, with commas between them; one with `-` before it is taken out again. */
export interface ListSpec {
  readonly default: string;
  readonly meaning: string;
  readonly items: readonly string[];
  /** Where the words are told one by one, if they are too many to be told everywhere. */
  readonly told: string;
}

export type SettingSpec = CountSpec | WordSpec | ListSpec;
export type SettingSpecs = Readonly<Record<string, SettingSpec>>;

/** The values that a scenario with these settings runs with: numbers for counts and flags, for words just these. */
export type SettingsOf<S extends SettingSpecs> = {
  readonly [K in keyof S]: S[K] extends ListSpec
    ? string
    : S[K] extends WordSpec<infer W>
      ? W
      : S[K] extends CountSpec<infer N>
        ? N
        : never;
};

/** A setting that is a whole number, from `min` to `max`. `meaning`: for `list`, with its unit. Errors: none. */
export function count(initial: number, range: Pick<CountSpec, 'min' | 'max'>, meaning: string): CountSpec {
  return { default: initial, meaning, ...range };
}

/** A setting that is on or off. 1: `meaning` is so; 0: it is not. Errors: none. */
export function flag(initial: 0 | 1, meaning: string): CountSpec<0 | 1> {
  return { default: initial, meaning, min: 0, max: 1 };
}

/** A setting that is one of some words. `meaning`: for `list`. Errors: none; a first word that is none does not compile. */
export function word<const W extends string>(initial: NoInfer<W>, words: readonly W[], meaning: string): WordSpec<W> {
  return { default: initial, meaning, words };
}

/** The setting `faults`, which openRun knows: every scenario of the catalogue offers it. */
export const FAULTS_SETTING: ListSpec = {
  default: 'off',
  items: FAULT_WORDS,
  told: 'xenarium list --faults',
  meaning:
    'faults beside the traffic: none, a random subset with random weights for each seed, all of them, or some by their labels (INJ-T5,INJ-G4; all,-INJ-G5)',
};

/** In which domain the store runs. */
export const STORE_HOMES = ['dom0', 'stubdom'] as const;
export type StoreHome = (typeof STORE_HOMES)[number];

/**
 * The setting `store`, which openRun knows: where the store runs. Those scenarios offer it whose programs in dom0 can do
 * without its socket.
 */
export const STORE_SETTING = word(
  'dom0',
  STORE_HOMES,
  'where xenstored runs: as a daemon of dom0, or in a stub domain of its own, without sockets',
);

/** What may be set, in words that go behind `is`. */
export function rangeOf(spec: SettingSpec): string {
  if ('items' in spec) {
    const words = spec.items.filter((item) => /^[a-z]+$/.test(item));
    return `${words.join(', ')}, or labels with commas between them: see ${spec.told}`;
  }
  if ('words' in spec) return `one of ${spec.words.join(', ')}`;
  return spec.max - spec.min === 1 ? `${spec.min} or ${spec.max}` : `a whole number from ${spec.min} to ${spec.max}`;
}

/** Words of a list that it does not have. */
function strangersIn({ items }: ListSpec, value: Setting): string[] {
  return String(value)
    .split(',')
    .map((item) => item.replace(/^-/, ''))
    .filter((item) => !items.includes(item));
}

function isWithin(spec: SettingSpec, value: Setting): boolean {
  if ('items' in spec) return strangersIn(spec, value).length === 0;
  if ('words' in spec) return spec.words.some((each) => each === value);
  return typeof value === 'number' && Number.isInteger(value) && value >= spec.min && value <= spec.max;
}

/** Values for all settings: those given, and the defaults of the others. Throws for what no parser lets through. */
export function completeSettings<S extends SettingSpecs>(specs: S, given: Settings): SettingsOf<S> {
  for (const key of Object.keys(given)) if (!Object.hasOwn(specs, key)) throw new Error(`assertion: no setting ${key}`);
  const values = Object.entries(specs).map(([key, spec]) => {
    const value = Object.hasOwn(given, key) ? (given[key] as Setting) : spec.default;
    if (!isWithin(spec, value)) throw new Error(`assertion: ${key}=${value}: ${key} is ${rangeOf(spec)}`);
    return [key, value] as const;
  });
  return Object.fromEntries(values) as SettingsOf<S>;
}

export type ParsedSettings =
  | { readonly ok: true; readonly settings: Settings }
  /** `given`: the word that is not `known`, where a near one may have been meant. */
  | { readonly ok: false; readonly reason: string; readonly given: string; readonly known: readonly string[] };

/** What a user has set, as `key=value` each; of one key the last counts. `whose`: name of the scenario, for the reason. */
export function parseSettings(whose: string, specs: SettingSpecs, pairs: readonly string[]): ParsedSettings {
  const given = new Map<string, Setting>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, Math.max(0, at));
    const spec = Object.hasOwn(specs, key) ? specs[key] : undefined;
    if (spec === undefined) {
      const known = Object.keys(specs);
      return { ok: false, reason: `${pair}: ${whose} has the settings ${known.join(', ')}`, given: key || pair, known };
    }
    const text = pair.slice(at + 1);
    const isCount = 'max' in spec;
    const value = !isCount ? text : /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!isWithin(spec, value)) {
      const reason = `${pair}: ${key} is ${rangeOf(spec)}`;
      if (isCount) return { ok: false, reason, given: '', known: [] };
      if ('words' in spec) return { ok: false, reason, given: text, known: spec.words };
      return { ok: false, reason, given: strangersIn(spec, text)[0] ?? '', known: spec.items };
    }
    given.set(key, value);
  }
  return { ok: true, settings: completeSettings(specs, Object.fromEntries(given)) };
}
