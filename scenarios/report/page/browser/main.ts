import type { PageData } from '../layout.ts';
import { coloursNow } from './colours.ts';
import { Picture } from './draw.ts';
import { button, make } from './elements.ts';
import { KEYS, type Key, keyOf } from './keys.ts';
import { Overview } from './overview.ts';
import { findingPanel, recordPanel } from './panel.ts';
import { Run } from './run.ts';
import { search } from './search.ts';
import { GUTTER, ROW, TOP, View } from './view.ts';
import { ms, tame } from './words.ts';

/** Records that a page key goes. */
const PAGE = 100;
const LABELS_MAX = 12;

const data = JSON.parse(document.getElementById('run')!.textContent) as PageData;
const run = new Run(data);
const view = new View(run);

const canvas = make('canvas', { tabindex: '0', 'aria-label': 'lanes over virtual time; arrow keys step' });
const labels = make('div');
const picture = make('main', { class: 'picture' }, canvas, labels);
const strip = make('canvas');
const slider = make('input', {
  type: 'range',
  id: 'slider',
  min: '0',
  max: String(Math.max(0, run.count - 1)),
  'aria-label': 'record',
});
const where = make('output', { id: 'where' });
const query = make('input', { type: 'search', id: 'query', placeholder: '/path, domU3 …', 'aria-label': 'search' });
const hits = make('output', { id: 'hits', class: 'dim' });
const side = make('aside');
const help = make('dialog', { id: 'help' });
const theme = { colours: coloursNow() };

const painter = new Picture(view, canvas.getContext('2d')!, theme.colours);
const overview = new Overview(view, strip.getContext('2d')!);

/** Draws when the browser is about to, once for whatever has changed. */
let isAsked = false;
function changed(): void {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    draw();
  });
}

function draw(): void {
  painter.draw(...sized(canvas), theme.colours);
  overview.draw(...sized(strip), theme.colours);
  drawLabels();
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

function drawLabels(): void {
  const { width } = canvas.getBoundingClientRect();
  const made: HTMLElement[] = [];
  const add = (kind: string, text: string, position: number) => {
    const x = view.x(position, width);
    if (x < GUTTER || x > width || made.length >= LABELS_MAX) return;
    const label = make('span', { class: `label ${kind}` }, tame(text));
    if (x > width - 170) label.style.right = `${width - x}px`;
    else label.style.left = `${x}px`;
    made.push(label);
  };
  const { current } = view;
  if (current !== undefined) add('finding', `${current.name} is broken`, view.position(current.at));
  const near = current === undefined ? [] : current.bands;
  const others = data.bands.map((_, i) => i).filter((i) => !near.includes(i));
  for (const i of [...near, ...others]) {
    const { kind, name, fromNs, first } = data.bands[i]!;
    add(kind, name, view.axis === 'time' ? fromNs : first);
  }
  labels.replaceChildren(...made);
}

function choose(at: number): void {
  view.select(at);
  chosen();
}

function chosen(): void {
  view.scrollTo(canvas.getBoundingClientRect().height);
  const at = view.selected;
  slider.value = String(at);
  where.value = run.count === 0 ? '' : `seq ${run.seq[at]} · ${ms(run.time[at]!)} · ${at + 1} of ${run.count}`;
  side.replaceChildren(findingPanel(view, { choose, finding }), recordPanel(view, { choose, finding }));
  changed();
}

function finding(number: number): void {
  if (data.findings.length === 0) return;
  view.finding = (number + data.findings.length) % data.findings.length;
  view.selected = view.current!.at;
  view.arrange();
  view.scroll = 0;
  view.focus();
  chosen();
}

/** The next band whose begin is beyond what is chosen, or the one before. */
function band(step: 1 | -1): void {
  const begins = data.bands.map(({ first }) => first).sort((a, b) => a - b);
  const next = step === 1 ? begins.find((at) => at > view.selected) : begins.findLast((at) => at < view.selected);
  if (next !== undefined) choose(next);
}

/** The next record of the lane of what is chosen. */
function inLane(step: 1 | -1): void {
  const lane = run.lane[view.selected];
  let at = view.selected + step;
  while (at >= 0 && at < run.count && run.lane[at] !== lane) at += step;
  if (at >= 0 && at < run.count) choose(at);
}

function find(): void {
  view.found = search(run, query.value);
  hits.value = query.value.trim() === '' ? '' : `${view.found.length} found`;
  changed();
}

function nextFound(step: 1 | -1): void {
  const { found, selected } = view;
  const next = step === 1 ? found.find((at) => at > selected) : found.findLast((at) => at < selected);
  const round = step === 1 ? found[0] : found.at(-1);
  if (next !== undefined || round !== undefined) choose((next ?? round)!);
}

function toggleTheme(): void {
  const root = document.documentElement;
  const isDark = getComputedStyle(root).colorScheme === 'dark';
  root.dataset.theme = isDark ? 'light' : 'dark';
  theme.colours = coloursNow();
  changed();
}

const DO: Readonly<Record<Key, () => void>> = {
  ArrowRight: () => choose(view.selected + 1),
  ArrowLeft: () => choose(view.selected - 1),
  'Shift+ArrowRight': () => inLane(1),
  'Shift+ArrowLeft': () => inLane(-1),
  PageDown: () => choose(view.selected + PAGE),
  PageUp: () => choose(view.selected - PAGE),
  Home: () => choose(0),
  End: () => choose(run.count - 1),
  n: () => finding(view.finding + 1),
  N: () => finding(view.finding - 1),
  u: () => band(1),
  U: () => band(-1),
  v: () => finding(view.finding),
  '+': () => zoom(0.6),
  '-': () => zoom(1 / 0.6),
  '0': () => {
    view.whole();
    changed();
  },
  o: () => {
    view.setAxis(view.axis === 'time' ? 'order' : 'time');
    changed();
  },
  '/': () => query.select(),
  Enter: () => nextFound(1),
  d: toggleTheme,
  '?': () => (help.open ? help.close() : help.showModal()),
};

function zoom(factor: number, at?: number): void {
  view.zoom(factor, at);
  changed();
}

function listen(): void {
  addEventListener('keydown', (event) => {
    if (event.target === query) return;
    const key = keyOf(event);
    if (key === undefined || (key === 'Enter' && event.target instanceof HTMLButtonElement)) return;
    event.preventDefault();
    DO[key]();
  });
  query.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') nextFound(event.shiftKey ? -1 : 1);
    if (event.key === 'Escape') canvas.focus();
  });
  query.addEventListener('input', find);
  slider.addEventListener('input', () => choose(Number(slider.value)));
  canvas.addEventListener('wheel', onWheel, { passive: false });
  canvas.addEventListener('pointerdown', onPointer);
  strip.addEventListener('pointerdown', ({ offsetX }) => {
    choose(view.recordAt(overview.positionAt(offsetX, strip.clientWidth)));
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    theme.colours = coloursNow();
    changed();
  });
  new ResizeObserver(changed).observe(picture);
}

function onWheel(event: WheelEvent): void {
  event.preventDefault();
  const width = canvas.clientWidth;
  if (event.ctrlKey || event.shiftKey || event.deltaX !== 0) {
    const by = event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (event.ctrlKey) zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, view.positionAt(event.offsetX, width));
    else view.pan((by / width) * (view.to - view.from));
  } else {
    const room = canvas.clientHeight - TOP - view.stores * ROW;
    const most = Math.max(0, (view.rows.length - view.stores) * ROW - room);
    view.scroll = Math.min(most, Math.max(0, view.scroll + event.deltaY));
  }
  changed();
}

/** A click chooses the record that is nearest; a drag moves the picture. */
function onPointer(down: PointerEvent): void {
  canvas.setPointerCapture(down.pointerId);
  let last = down.clientX;
  let far = 0;
  const move = ({ clientX }: PointerEvent) => {
    far += Math.abs(clientX - last);
    view.pan(((last - clientX) / (canvas.clientWidth - GUTTER)) * (view.to - view.from));
    last = clientX;
    changed();
  };
  const up = ({ offsetX, offsetY }: PointerEvent) => {
    canvas.removeEventListener('pointermove', move);
    if (far > 4) return;
    const at = nearest(offsetX, offsetY);
    if (at !== undefined) choose(at);
  };
  canvas.addEventListener('pointermove', move);
  canvas.addEventListener('pointerup', up, { once: true });
}

/** How far a click may be from a record, pixels. */
const REACH = 12;

function nearest(x: number, y: number): number | undefined {
  const { width, height } = canvas.getBoundingClientRect();
  const middle = view.recordAt(view.positionAt(x, width));
  let best: number | undefined;
  let least = REACH * 2;
  for (const step of [1, -1])
    for (let at = step === 1 ? middle + 1 : middle; at >= 0 && at < run.count; at += step) {
      const across = Math.abs(view.x(view.position(at), width) - x);
      if (across > REACH) break;
      const laneY = view.y(run.lane[at]!, height);
      if (laneY === undefined || Math.abs(laneY - y) > ROW / 2) continue;
      // Messages are what a lane is looked at for: moves beside one are found with the keys.
      const cost = across + (run.isMessage(at) ? 0 : 2);
      if (cost < least) {
        least = cost;
        best = at;
      }
    }
  return best;
}

function build(): void {
  const keys = make('table');
  for (const [key, what] of KEYS) keys.append(make('tr', {}, make('td', {}, key), make('td', {}, what)));
  const facts = make('table');
  for (const [what, value] of data.facts)
    facts.append(make('tr', {}, make('td', {}, what), make('td', {}, tame(value))));
  const about = make(
    'p',
    { class: 'dim' },
    'An event is drawn from the last change of its path before it was written.',
  );
  help.append(
    make('h2', {}, 'This run'),
    facts,
    make('h2', {}, 'Keys'),
    keys,
    about,
    button('close', 'Escape', () => help.close()),
  );
  const outcome = make('span', { class: data.outcome === 'pass' ? 'outcome pass' : 'outcome' }, data.outcome);
  document.body.append(
    make(
      'header',
      {},
      outcome,
      make('h1', {}, tame(data.title)),
      make('span', { class: 'room' }),
      query,
      hits,
      button('−', 'further (-)', DO['-']),
      button('+', 'nearer (+)', DO['+']),
      button('all', 'the whole run (0)', DO['0']),
      button('time / order', 'by time, or every record as far from the next (o)', DO.o),
      button('◐', 'dark or light (d)', DO.d),
      button('?', 'keys, and what this run is', DO['?']),
    ),
    picture,
    make('div', { class: 'whole' }, strip),
    make(
      'div',
      { class: 'steps' },
      button('◂', 'the record before', DO.ArrowLeft),
      slider,
      button('▸', 'the next record', DO.ArrowRight),
      where,
    ),
    side,
    help,
  );
}

build();
listen();
chosen();
draw();
canvas.focus();
