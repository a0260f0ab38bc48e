import { button, make } from '../../report/page/browser/elements.ts';
import { takesKeys } from '../../report/page/browser/keys.ts';
import { Viewer } from '../../report/page/browser/viewer.ts';
import type { Done, Told, WantedRun } from '../messages.ts';
import { Form } from './form.ts';
import { Player } from './player.ts';
import { Simulator } from './simulator.ts';

type Ask = WantedRun['asks'][number];

/** Records a second that can be chosen. */
const SPEEDS = [5, 20, 100, 500, 2000] as const;
const USUAL_SPEED = 20;

/** What keys do here, beside those of the picture. */
const KEYS = [
  ['Space', 'play or pause'],
  ['l', 'ask for a live update right after this record'],
  ['b', 'break the ring of the guest of this record'],
  ['r', 'run what is filled in, with nothing asked for'],
  ['x', 'the next seed'],
  ['s', 'all settings of the scenario'],
] as const;

/** The page with the simulator in it: what is wanted above, the run below, and what can be done to it in between. */
class Site {
  readonly #simulator = new Simulator((told) => this.#told(told));
  readonly #player: Player;
  readonly #run = make('div', { id: 'stage' });
  readonly #status = make('output', { id: 'status', class: 'dim', 'aria-live': 'polite' });
  readonly #line = make('input', { id: 'replay', readonly: '', 'aria-label': 'the command that runs it again' });
  readonly #digest = make('output', { id: 'digest' });
  readonly #asked = make('span', { id: 'asked' });
  readonly #bar = make('div', { class: 'bar', role: 'toolbar', 'aria-label': 'what is run' });
  readonly #deeds = make('div', { class: 'bar', role: 'toolbar', 'aria-label': 'what is done to it' });
  readonly #settings = make('dialog', { id: 'settings' });
  readonly #update = button('live update now', 'ask for a live update after this record (l)', () => this.#askUpdate());
  readonly #break = button('break the ring', '', () => this.#askBreak());
  readonly #play = button('▶ play', 'play or pause (space)', () => this.#toggle());
  #form: Form | undefined;
  #viewer: Viewer | undefined;
  #leaves = new AbortController();
  #done: Done | undefined;
  /** Virtual time at which the next run is shown, and whether it goes on by itself; left out: where it stands by itself. */
  #resume: { readonly atNs: number; readonly isPlaying: boolean } | undefined;

  constructor() {
    this.#player = new Player(
      USUAL_SPEED,
      (records) => this.#go(records),
      () => this.#playing(),
    );
    this.#update.id = 'update';
    this.#break.id = 'break';
    this.#play.id = 'play';
  }

  start(): void {
    const speed = make('select', { id: 'speed', 'aria-label': 'records a second' });
    for (const each of SPEEDS) speed.append(make('option', { value: String(each) }, `${each} records/s`));
    speed.value = String(USUAL_SPEED);
    speed.addEventListener('change', () => {
      this.#player.perSecond = Number(speed.value);
    });
    const copy = button('copy', 'the command that runs it again', () => {
      this.#line.select();
      document.execCommand('copy'); // works for pages that were opened from disk, too
    });
    this.#deeds.append(this.#play, speed, this.#update, this.#break, this.#asked, this.#line, copy, this.#digest);
    this.#bar.append(this.#status);
    document.body.append(this.#bar, this.#deeds, this.#run, this.#settings);
    document.body.classList.add('site');
    addEventListener('keydown', (event) => this.#key(event));
    this.#simulator.want({ kind: 'catalogue' });
  }

  #told(told: Told): void {
    switch (told.kind) {
      case 'catalogue':
        this.#offer(told);
        return;
      case 'progress':
        this.#status.value = `${Math.floor(told.virtualNs / 1_000_000)} virtual ms, ${told.requests} requests …`;
        return;
      case 'refused':
        this.#status.value = told.reason;
        return;
      case 'done':
        this.#show(told);
    }
  }

  #offer({ scenarios, formats, version }: Extract<Told, { kind: 'catalogue' }>): void {
    const form = new Form(scenarios, formats);
    this.#form = form;
    const token = make('input', { id: 'token', placeholder: 'XS1-…', size: '12', 'aria-label': 'token of a run' });
    token.addEventListener('keydown', ({ key }) => {
      if (key === 'Enter') this.#open(token.value.trim());
    });
    const run = button('run', 'run it (r)', () => this.#make([]));
    run.id = 'go';
    this.#settings.append(
      form.more,
      button('run', '', () => this.#make([])),
    );
    this.#bar.append(
      make('strong', { title: `version ${version}` }, 'Xenarium'),
      ...form.bar,
      button('settings', 'all settings of the scenario (s)', () => this.#settings.showModal()),
      run,
      button('next seed', 'the next seed (x)', () => this.#next()),
      token,
      this.#status,
    );
    const named = decodeURIComponent(location.hash.slice(1));
    if (named !== '') this.#open(named);
    else this.#make([]);
  }

  #open(token: string): void {
    this.#status.value = 'reading …';
    this.#resume = undefined;
    this.#simulator.want({ kind: 'open', token });
  }

  #next(): void {
    this.#form?.nextSeed();
    this.#make([]);
  }

  #make(asks: readonly Ask[]): void {
    if (this.#form === undefined) return;
    if (this.#settings.open) this.#settings.close();
    if (asks.length === 0) this.#resume = undefined;
    this.#status.value = 'running …';
    this.#simulator.want({ kind: 'run', run: this.#form.wanted(asks) });
  }

  /** Ask for something right behind the chosen record: all up to there stays as it is, and the rest is run anew. */
  #ask(what: (atNs: number) => Ask): void {
    const [done, viewer] = [this.#done, this.#viewer];
    if (done === undefined || viewer === undefined || viewer.run.count === 0) return;
    const atNs = viewer.run.time[viewer.at]! + 1;
    this.#resume = { atNs, isPlaying: this.#player.isPlaying };
    this.#player.pause();
    this.#form?.show(done);
    // What was asked for later belongs to a future that does not come.
    this.#make([...done.asks.filter((ask) => ask.atNs <= atNs), what(atNs)]);
  }

  #askUpdate(): void {
    if (this.#update.disabled) return;
    const host = this.#hostNow();
    this.#ask((atNs) => ({ kind: 'update', atNs, host }));
  }

  #askBreak(): void {
    const victim = this.#victim();
    if (victim === undefined || this.#break.disabled) return;
    const { domid, host } = victim;
    this.#ask((atNs) => ({ kind: 'break-ring', atNs, domid, host }));
  }

  #hostNow(): number {
    const viewer = this.#viewer;
    return viewer?.run.data.lanes[viewer.run.lane[viewer.at] ?? 0]?.host ?? 0;
  }

  /** Whose ring the chosen record is about; `undefined`: nobody's that may break. */
  #victim(): { readonly domid: number; readonly host: number } | undefined {
    const viewer = this.#viewer;
    if (viewer === undefined || this.#done?.mayBreak !== true) return undefined;
    const conn = viewer.run.data.conns[(viewer.run.conn[viewer.at] ?? 0) - 1];
    return conn === undefined || conn.domid === 0 ? undefined : conn;
  }

  #show(done: Done): void {
    this.#leaves.abort();
    this.#leaves = new AbortController();
    this.#run.replaceChildren();
    this.#done = done;
    this.#form?.show(done);
    this.#status.value = '';
    this.#line.value = done.line;
    this.#digest.value = `digest ${done.digest}`;
    this.#asked.textContent = done.asks.length === 0 ? '' : `asked: ${done.asked.join(', ')}`;
    history.replaceState(null, '', `#${done.token}`);
    document.title = `${done.outcome}: ${done.page.title}`;
    const viewer = new Viewer(done.page, {
      root: this.#run,
      signal: this.#leaves.signal,
      chosen: () => this.#chosen(),
      keys: KEYS,
    });
    this.#viewer = viewer;
    const resume = this.#resume;
    if (resume !== undefined) {
      viewer.hidesFuture = true;
      viewer.choose(viewer.run.lastUpTo(resume.atNs, (at) => viewer.run.time[at]!));
      if (resume.isPlaying) this.#player.play();
    }
    this.#chosen();
  }

  #chosen(): void {
    const victim = this.#victim();
    this.#update.disabled = (this.#viewer?.run.count ?? 0) === 0;
    this.#break.disabled = victim === undefined;
    this.#break.textContent = victim === undefined ? 'break a ring' : `break the ring of domain ${victim.domid}`;
    this.#break.title =
      this.#done?.mayBreak === true
        ? 'the guest of the chosen record moves its producer index out of the ring (b)'
        : 'somebody waits for each guest of this run: with five domains or more nobody does';
  }

  #toggle(): void {
    const viewer = this.#viewer;
    if (viewer === undefined) return;
    if (this.#player.isPlaying) return this.#player.pause();
    if (viewer.at >= viewer.run.count - 1) viewer.choose(0);
    viewer.hidesFuture = true;
    this.#player.play();
  }

  #go(records: number): boolean {
    const viewer = this.#viewer;
    if (viewer === undefined) return false;
    viewer.choose(viewer.at + records);
    if (viewer.at < viewer.run.count - 1) return true;
    viewer.hidesFuture = false;
    return false;
  }

  #playing(): void {
    this.#play.textContent = this.#player.isPlaying ? '❚❚ pause' : '▶ play';
  }

  #key(event: KeyboardEvent): void {
    if (takesKeys(event.target) || event.ctrlKey || event.metaKey || event.altKey || this.#settings.open) return;
    const deeds: Readonly<Record<string, () => void>> = {
      ' ': () => this.#toggle(),
      l: () => this.#askUpdate(),
      b: () => this.#askBreak(),
      r: () => this.#make([]),
      x: () => this.#next(),
      s: () => this.#settings.showModal(),
    };
    const deed = deeds[event.key];
    if (deed === undefined || (event.key === ' ' && event.target instanceof HTMLButtonElement)) return;
    event.preventDefault();
    deed();
  }
}

new Site().start();
