import type { PageData } from '../layout.ts';
import { coloursNow } from './colours.ts';
import { Picture } from './draw.ts';
import { button, make } from './elements.ts';
import { KEYS, type Key, keyOf, takesKeys } from './keys.ts';
import { Overview } from './overview.ts';
import { findingPanel, recordPanel } from './panel.ts';
import { listenToPointer } from './pointer.ts';
import { Run } from './run.ts';
import { search } from './search.ts';
import { GUTTER, View } from './view.ts';
import { ms, tame } from './words.ts';

/** Records that a page key goes. */
const PAGE = 100;
const LABELS_MAX = 12;

/** Where a run is shown, and who else is told. */
export interface ViewerPlace {
  /** Gets the class `run`, and the parts of the picture as its children. */
  readonly root: HTMLElement;
  /** When it ends, nothing is listened to any more. */
  readonly signal: AbortSignal;
  /** Called with each record that is chosen. */
  readonly chosen?: (at: number) => void;
  /** Keys of the page around it, for the help; left out: none. */
  readonly keys?: readonly (readonly [key: string, what: string])[];
}

/** A run as a picture: lanes, the record that is chosen with what has to do with it, steps, search, help. */
export class Viewer {
  readonly #data: PageData;
  readonly #place: ViewerPlace;
  readonly #run: Run;
  readonly #view: View;
  readonly #canvas = make('canvas', { tabindex: '0', 'aria-label': 'lanes over virtual time; arrow keys step' });
  readonly #labels = make('div');
  readonly #picture = make('main', { class: 'picture' }, this.#canvas, this.#labels);
  readonly #strip = make('canvas');
  readonly #slider: HTMLInputElement;
  readonly #where = make('output', { id: 'where' });
  readonly #query = make('input', {
    type: 'search',
    id: 'query',
    placeholder: '/path, domU3 …',
    'aria-label': 'search',
  });
  readonly #hits = make('output', { id: 'hits', class: 'dim' });
  readonly #side = make('aside');
  readonly #help = make('dialog', { id: 'help' });
  readonly #painter: Picture;
  readonly #overview: Overview;
  readonly #do: Readonly<Record<Key, () => void>>;
  #colours = coloursNow();
  #isAsked = false;

  constructor(data: PageData, place: ViewerPlace) {
    this.#data = data;
    this.#place = place;
    const run = new Run(data);
    const view = new View(run);
    this.#run = run;
    this.#view = view;
    this.#slider = make('input', {
      type: 'range',
      id: 'slider',
      min: '0',
      max: String(Math.max(0, run.count - 1)),
      'aria-label': 'record',
    });
    this.#painter = new Picture(view, this.#canvas.getContext('2d')!, this.#colours);
    this.#overview = new Overview(view, this.#strip.getContext('2d')!);
    this.#do = this.#deeds();
    this.#build();
    this.#listen();
    this.#chosen();
    this.#draw();
    this.#canvas.focus();
  }

  get run(): Run {
    return this.#run;
  }

  /** The record that is chosen. */
  get at(): number {
    return this.#view.selected;
  }

  choose(at: number): void {
    this.#view.select(at);
    this.#chosen();
  }

  /** Whether what comes after the chosen record is veiled: it has not happened yet. */
  set hidesFuture(hides: boolean) {
    this.#view.hidesFuture = hides;
    this.#changed();
  }

  /** Draws when the browser is about to, once for whatever has changed. */
  #changed(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      if (!this.#place.signal.aborted) this.#draw();
    });
  }

  #draw(): void {
    this.#painter.draw(...sized(this.#canvas), this.#colours);
    this.#overview.draw(...sized(this.#strip), this.#colours);
    this.#drawLabels();
  }

  #drawLabels(): void {
    const view = this.#view;
    const { bands } = this.#data;
    const { width } = this.#canvas.getBoundingClientRect();
    const made: HTMLElement[] = [];
    const add = (kind: string, text: string, position: number) => {
      const x = view.x(position, width);
      if (x < GUTTER || x > width || made.length >= LABELS_MAX || view.isHidden(position)) return;
      const label = make('span', { class: `label ${kind}` }, tame(text));
      if (x > width - 170) label.style.right = `${width - x}px`;
      else label.style.left = `${x}px`;
      made.push(label);
    };
    const { current } = view;
    if (current !== undefined) add('finding', `${current.name} is broken`, view.position(current.at));
    const near = current === undefined ? [] : current.bands;
    const others = bands.map((_, i) => i).filter((i) => !near.includes(i));
    for (const i of [...near, ...others]) {
      const { kind, name, fromNs, first } = bands[i]!;
      add(kind, name, view.axis === 'time' ? fromNs : first);
    }
    this.#labels.replaceChildren(...made);
  }

  #chosen(): void {
    const run = this.#run;
    this.#view.scrollTo(this.#canvas.getBoundingClientRect().height);
    const at = this.#view.selected;
    this.#slider.value = String(at);
    this.#where.value = run.count === 0 ? '' : `seq ${run.seq[at]} · ${ms(run.time[at]!)} · ${at + 1} of ${run.count}`;
    const go = { choose: (to: number) => this.choose(to), finding: (number: number) => this.#finding(number) };
    this.#side.replaceChildren(findingPanel(this.#view, go), recordPanel(this.#view, go));
    this.#changed();
    this.#place.chosen?.(at);
  }

  #finding(number: number): void {
    const { length } = this.#data.findings;
    if (length === 0) return;
    const view = this.#view;
    view.finding = (number + length) % length;
    view.selected = view.current!.at;
    view.arrange();
    view.scroll = 0;
    view.focus();
    this.#chosen();
  }

  /** The next band whose begin is beyond what is chosen, or the one before. */
  #band(step: 1 | -1): void {
    const begins = this.#data.bands.map(({ first }) => first).sort((a, b) => a - b);
    const next = step === 1 ? begins.find((at) => at > this.at) : begins.findLast((at) => at < this.at);
    if (next !== undefined) this.choose(next);
  }

  /** The next record of the lane of what is chosen. */
  #inLane(step: 1 | -1): void {
    const { lane, count } = this.#run;
    let at = this.at + step;
    while (at >= 0 && at < count && lane[at] !== lane[this.at]) at += step;
    if (at >= 0 && at < count) this.choose(at);
  }

  #find(): void {
    const view = this.#view;
    view.found = search(this.#run, this.#query.value);
    this.#hits.value = this.#query.value.trim() === '' ? '' : `${view.found.length} found`;
    this.#changed();
  }

  #nextFound(step: 1 | -1): void {
    const { found, selected } = this.#view;
    const next = step === 1 ? found.find((at) => at > selected) : found.findLast((at) => at < selected);
    const round = step === 1 ? found[0] : found.at(-1);
    if (next !== undefined || round !== undefined) this.choose((next ?? round)!);
  }

  #toggleTheme(): void {
    const root = document.documentElement;
    const isDark = getComputedStyle(root).colorScheme === 'dark';
    root.dataset.theme = isDark ? 'light' : 'dark';
    this.#recolour();
  }

  #recolour(): void {
    this.#colours = coloursNow();
    this.#changed();
  }

  #zoom(factor: number): void {
    this.#view.zoom(factor);
    this.#changed();
  }

  #deeds(): Record<Key, () => void> {
    const view = this.#view;
    return {
      ArrowRight: () => this.choose(this.at + 1),
      ArrowLeft: () => this.choose(this.at - 1),
      'Shift+ArrowRight': () => this.#inLane(1),
      'Shift+ArrowLeft': () => this.#inLane(-1),
      PageDown: () => this.choose(this.at + PAGE),
      PageUp: () => this.choose(this.at - PAGE),
      Home: () => this.choose(0),
      End: () => this.choose(this.#run.count - 1),
      n: () => this.#finding(view.finding + 1),
      N: () => this.#finding(view.finding - 1),
      u: () => this.#band(1),
      U: () => this.#band(-1),
      v: () => this.#finding(view.finding),
      '+': () => this.#zoom(0.6),
      '-': () => this.#zoom(1 / 0.6),
      '0': () => {
        view.whole();
        this.#changed();
      },
      o: () => {
        view.setAxis(view.axis === 'time' ? 'order' : 'time');
        this.#changed();
      },
      '/': () => this.#query.select(),
      Enter: () => this.#nextFound(1),
      d: () => this.#toggleTheme(),
      '?': () => (this.#help.open ? this.#help.close() : this.#help.showModal()),
    };
  }

  #listen(): void {
    const { signal } = this.#place;
    const query = this.#query;
    addEventListener(
      'keydown',
      (event) => {
        if (takesKeys(event.target)) return;
        const key = keyOf(event);
        if (key === undefined || (key === 'Enter' && event.target instanceof HTMLButtonElement)) return;
        event.preventDefault();
        this.#do[key]();
      },
      { signal },
    );
    query.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.#nextFound(event.shiftKey ? -1 : 1);
      if (event.key === 'Escape') this.#canvas.focus();
    });
    query.addEventListener('input', () => this.#find());
    this.#slider.addEventListener('input', () => this.choose(Number(this.#slider.value)));
    listenToPointer({
      view: this.#view,
      canvas: this.#canvas,
      choose: (at) => this.choose(at),
      changed: () => this.#changed(),
    });
    this.#strip.addEventListener('pointerdown', ({ offsetX }) => {
      this.choose(this.#view.recordAt(this.#overview.positionAt(offsetX, this.#strip.clientWidth)));
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#recolour(), { signal });
    const resized = new ResizeObserver(() => this.#changed());
    resized.observe(this.#picture);
    signal.addEventListener('abort', () => resized.disconnect());
  }

  #build(): void {
    const data = this.#data;
    const deeds = this.#do;
    const keys = make('table');
    const all = [...(this.#place.keys ?? []), ...KEYS];
    for (const [key, what] of all) keys.append(make('tr', {}, make('td', {}, key), make('td', {}, what)));
    const facts = make('table');
    for (const [what, value] of data.facts)
      facts.append(make('tr', {}, make('td', {}, what), make('td', {}, tame(value))));
    const about = make(
      'p',
      { class: 'dim' },
      'An event is drawn from the last change of its path before it was written.',
    );
    this.#help.append(
      make('h2', {}, 'This run'),
      facts,
      make('h2', {}, 'Keys'),
      keys,
      about,
      button('close', 'Escape', () => this.#help.close()),
    );
    const outcome = make('span', { class: data.outcome === 'pass' ? 'outcome pass' : 'outcome' }, data.outcome);
    this.#place.root.classList.add('run');
    this.#place.root.append(
      make(
        'header',
        {},
        outcome,
        make('h1', {}, tame(data.title)),
        make('span', { class: 'room' }),
        this.#query,
        this.#hits,
        button('−', 'further (-)', deeds['-']),
        button('+', 'nearer (+)', deeds['+']),
        button('all', 'the whole run (0)', deeds['0']),
        button('time / order', 'by time, or every record as far from the next (o)', deeds.o),
        button('◐', 'dark or light (d)', deeds.d),
        button('?', 'keys, and what this run is', deeds['?']),
      ),
      this.#picture,
      make('div', { class: 'whole' }, this.#strip),
      make(
        'div',
        { class: 'steps' },
        button('◂', 'the record before', deeds.ArrowLeft),
        this.#slider,
        button('▸', 'the next record', deeds.ArrowRight),
        this.#where,
      ),
      this.#side,
      this.#help,
    );
  }
}

/** Makes a canvas as large as it is shown, in pixels of the screen; width and height in CSS pixels. */
function sized(element: HTMLCanvasElement): readonly [number, number] {
  const { width, height } = element.getBoundingClientRect();
  const scale = devicePixelRatio;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (element.width !== wide || element.height !== high) {
    element.width = wide;
    element.height = high;
  }
  element.getContext('2d')!.setTransform(scale, 0, 0, scale, 0, 0);
  return [width, height];
}
