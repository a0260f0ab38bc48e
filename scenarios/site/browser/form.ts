import type { SettingSpec } from '../../engine/settings.ts';
import { make } from '../../report/page/browser/elements.ts';
import type { Done, Offered, WantedRun } from '../messages.ts';

/** Settings with which a run is quick to look at, where a scenario has them; whoever wants more says so. */
const QUICK: Readonly<Record<string, number>> = { requests: 1500, domains: 6, updates: 2, block: 300, net: 300 };

/** What a run is made from, to be filled in: scenario, seed, format and settings. */
export class Form {
  readonly #offered: readonly Offered[];
  readonly #scenario = make('select', { id: 'scenario', 'aria-label': 'scenario' });
  readonly #seed = make('input', { id: 'seed', inputmode: 'numeric', size: '6', value: '1', 'aria-label': 'seed' });
  readonly #format = make('select', { id: 'format', 'aria-label': 'format of the image' });
  readonly #story = make('p', { class: 'dim' });
  readonly #settings = make('div', { class: 'settings' });
  readonly #fields = new Map<string, HTMLInputElement | HTMLSelectElement>();
  /** Scenario, seed and format, for the bar. */
  readonly bar: readonly HTMLElement[];
  /** All settings, with what each means. */
  readonly more: HTMLElement;

  constructor(scenarios: readonly Offered[], formats: readonly string[]) {
    this.#offered = scenarios;
    for (const { name } of scenarios) this.#scenario.append(make('option', { value: name }, name));
    for (const name of formats) this.#format.append(make('option', { value: name }, name));
    this.#format.value = 'v2';
    this.#scenario.addEventListener('change', () => this.#fill({}));
    this.bar = [this.#scenario, make('label', {}, 'seed ', this.#seed), make('label', {}, 'format ', this.#format)];
    this.more = make('div', {}, this.#story, this.#settings);
    this.#fill({});
  }

  wanted(asks: WantedRun['asks']): WantedRun {
    return {
      scenario: this.#scenario.value,
      seed: this.#seed.value.trim(),
      format: this.#format.value,
      settings: [...this.#fields].map(([key, field]) => `${key}=${field.value.trim()}`),
      asks,
    };
  }

  nextSeed(): void {
    this.#seed.value = String(BigInt(/^\d+$/.test(this.#seed.value) ? this.#seed.value : '0') + 1n);
  }

  /** As a run was made. */
  show({ scenario, seed, format, settings }: Pick<Done, 'scenario' | 'seed' | 'format' | 'settings'>): void {
    this.#scenario.value = scenario;
    this.#seed.value = seed;
    this.#format.value = format;
    this.#fill(settings);
  }

  /** A field for each setting of the scenario. */
  #fill(values: Readonly<Record<string, string | number>>): void {
    const offered = this.#offered.find(({ name }) => name === this.#scenario.value);
    if (offered === undefined) return;
    this.#story.textContent = offered.story;
    this.#fields.clear();
    const rows = Object.entries(offered.settings).map(([key, spec]) => {
      const field = fieldFor(spec, values[key] ?? quick(key, spec));
      field.id = `set-${key}`;
      this.#fields.set(key, field);
      return make(
        'label',
        { title: spec.meaning },
        make('span', {}, key),
        field,
        make('i', { class: 'dim' }, spec.meaning),
      );
    });
    this.#settings.replaceChildren(...rows);
  }
}

/** No more than quick, and no less than the least. */
function quick(key: string, spec: SettingSpec): string | number {
  const most = QUICK[key];
  if (most === undefined || !('max' in spec) || spec.default <= most) return spec.default;
  return Math.max(most, spec.min);
}

function fieldFor(spec: SettingSpec, value: string | number): HTMLInputElement | HTMLSelectElement {
  if ('words' in spec) {
    const field = make('select', {}, ...spec.words.map((word) => make('option', { value: word }, word)));
    field.value = String(value);
    return field;
  }
  return make('input', { value: String(value), size: '9', ...('max' in spec ? { inputmode: 'numeric' } : {}) });
}
