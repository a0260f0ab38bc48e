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

export type SettingSpec = CountSpec | WordSpec;
export type SettingSpecs = Readonly<Record<string, SettingSpec>>;

/** The values that a scenario with these settings runs with: numbers for counts and flags, for words just these. */
export type SettingsOf<S extends SettingSpecs> = {
  readonly [K in keyof S]: S[K] extends WordSpec<infer W> ? W : S[K] extends CountSpec<infer N> ? N : never;
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
export const FAULTS_SETTING = word(
  'off',
  FAULT_WORDS,
  'faults beside the traffic: none, a random subset with random weights for each seed, or all of them',
);

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
  if ('words' in spec) return `one of ${spec.words.join(', ')}`;
  return spec.max - spec.min === 1 ? `${spec.min} or ${spec.max}` : `a whole number from ${spec.min} to ${spec.max}`;
}

function isWithin(spec: SettingSpec, value: Setting): boolean {
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
  | { readonly ok: false; readonly reason: string };

/** What a user has set, as `key=value` each; of one key the last counts. `whose`: name of the scenario, for the reason. */
export function parseSettings(whose: string, specs: SettingSpecs, pairs: readonly string[]): ParsedSettings {
  const given = new Map<string, Setting>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, Math.max(0, at));
    const spec = Object.hasOwn(specs, key) ? specs[key] : undefined;
    if (spec === undefined)
      return { ok: false, reason: `${pair}: ${whose} has the settings ${Object.keys(specs).join(', ')}` };
    const text = pair.slice(at + 1);
    const value = 'words' in spec ? text : /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!isWithin(spec, value)) return { ok: false, reason: `${pair}: ${key} is ${rangeOf(spec)}` };
    given.set(key, value);
  }
  return { ok: true, settings: completeSettings(specs, Object.fromEntries(given)) };
}
