import type { Finding } from '../layout.ts';
import type { Run } from './run.ts';

/** Heights and widths, CSS pixels. */
export const GUTTER = 190;
export const TOP = 46;
export const ROW = 26;

/** Records at each side of what is shown first. */
const MARGIN = 0.12;
/** A stretch that is less of the view than this cannot be seen in it. */
const SEEN_MIN = 1 / 60;

/** What of a run is to be seen, and what is chosen in it. */
export class View {
  readonly run: Run;
  /** By virtual time, or each record as far from the next as any. */
  axis: 'time' | 'order' = 'time';
  /** Ends of what is shown: ns, or records. */
  from = 0;
  to = 1;
  /** Pixels that lanes below those of the stores are scrolled. */
  scroll = 0;
  selected = 0;
  finding = 0;
  found: readonly number[] = [];
  /** Lane by row, and row by lane: stores at first, which stay in sight, then whoever has to do with the finding. */
  rows: number[] = [];
  rowOf: number[] = [];
  stores = 0;
  /** Whether what comes after the chosen record is veiled. */
  hidesFuture = false;

  constructor(run: Run) {
    this.run = run;
    this.selected = run.data.start;
    this.arrange();
    this.focus();
  }

  position(at: number): number {
    return this.axis === 'order' ? at : this.run.time[at]!;
  }

  /** Whether a position is one that has not come yet. */
  isHidden(position: number): boolean {
    return this.hidesFuture && position > this.position(this.selected);
  }

  /** The last record up to a position. */
  recordAt(position: number): number {
    return this.run.lastUpTo(position, (at) => this.position(at));
  }

  /** First and last position of the whole run. */
  ends(): readonly [number, number] {
    const last = Math.max(0, this.run.count - 1);
    return this.axis === 'order' ? [0, Math.max(1, last)] : [0, Math.max(1, this.run.time[last] ?? 1)];
  }

  get current(): Finding | undefined {
    return this.run.data.findings[this.finding];
  }

  arrange(): void {
    const { lanes } = this.run.data;
    const near = new Set((this.current?.chain ?? []).map(([at]) => this.run.lane[at]!));
    near.add(this.run.lane[this.selected] ?? 0);
    const rank = (lane: number) => (lanes[lane]!.what === 'store' ? 0 : near.has(lane) ? 1 : 2);
    this.rows = lanes.map((_, lane) => lane).sort((a, b) => rank(a) - rank(b) || a - b);
    this.rowOf = lanes.map(() => 0);
    for (const [row, lane] of this.rows.entries()) this.rowOf[lane] = row;
    this.stores = lanes.filter(({ what }) => what === 'store').length;
  }

  /** What is shown when the page opens, and on each change of the finding: all that led to it, with the updates that it straddles. */
  focus(): void {
    const { bands } = this.run.data;
    const { current } = this;
    const records = current === undefined ? [] : current.chain.map(([at]) => at);
    const near = current === undefined ? bands.slice(0, 1) : current.bands.map((band) => bands[band]!);
    for (const { first, last } of near) records.push(first, last);
    records.push(this.selected);
    const ends = () => records.map((at) => this.position(at));
    this.axis = 'time';
    let [from, to] = [Math.min(...ends()), Math.max(...ends())];
    const shortest = Math.min(...near.map(({ fromNs, toNs }) => toNs - fromNs));
    if (near.length > 0 && shortest < (to - from) * SEEN_MIN) {
      this.axis = 'order';
      [from, to] = [Math.min(...ends()), Math.max(...ends())];
    }
    const margin = Math.max((to - from) * MARGIN, this.axis === 'order' ? 12 : 2_000);
    this.from = from - margin;
    this.to = to + margin;
  }

  setAxis(axis: 'time' | 'order'): void {
    const [low, high] = [this.recordAt(this.from), this.recordAt(this.to)];
    this.axis = axis;
    this.from = this.position(low);
    this.to = Math.max(this.position(high), this.from + (axis === 'order' ? 4 : 100));
    this.show(this.selected);
  }

  /** `factor` below 1 goes nearer; `at`, a position, stays where it is. */
  zoom(factor: number, at = this.position(this.selected)): void {
    const [low, high] = this.ends();
    const width = Math.min(
      Math.max((this.to - this.from) * factor, this.axis === 'order' ? 4 : 100),
      (high - low) * 1.1,
    );
    const part = (at - this.from) / (this.to - this.from);
    this.from = at - part * width;
    this.to = this.from + width;
    this.#hold();
  }

  pan(by: number): void {
    this.from += by;
    this.to += by;
    this.#hold();
  }

  whole(): void {
    const [low, high] = this.ends();
    const margin = (high - low) * 0.02;
    this.from = low - margin;
    this.to = high + margin;
  }

  /** Choose a record, and bring it into sight. */
  select(at: number): void {
    this.selected = Math.min(Math.max(0, at), Math.max(0, this.run.count - 1));
    this.show(this.selected);
  }

  show(at: number): void {
    const position = this.position(at);
    const width = this.to - this.from;
    if (position < this.from + width * 0.03 || position > this.to - width * 0.03) {
      this.from = position - width / 2;
      this.to = this.from + width;
    }
  }

  /** Bring the lane of what is chosen into sight, of a picture so high. */
  scrollTo(height: number): void {
    const row = this.rowOf[this.run.lane[this.selected] ?? 0] ?? 0;
    if (row < this.stores) return;
    const y = (row - this.stores) * ROW;
    const room = height - TOP - this.stores * ROW;
    if (y < this.scroll) this.scroll = y;
    if (y + ROW > this.scroll + room) this.scroll = y + ROW - room;
  }

  x(position: number, width: number): number {
    return GUTTER + ((position - this.from) / (this.to - this.from)) * (width - GUTTER);
  }

  positionAt(x: number, width: number): number {
    return this.from + ((x - GUTTER) / (width - GUTTER)) * (this.to - this.from);
  }

  /** The middle of a lane; `undefined`: it is out of sight. */
  y(lane: number, height: number): number | undefined {
    const row = this.rowOf[lane]!;
    const y = TOP + row * ROW + ROW / 2 - (row < this.stores ? 0 : this.scroll);
    if (y > height || (row >= this.stores && y < TOP + this.stores * ROW)) return undefined;
    return y;
  }

  #hold(): void {
    const [low, high] = this.ends();
    const width = this.to - this.from;
    const margin = width * 0.5;
    if (this.from < low - margin) this.from = low - margin;
    if (this.from + width > high + margin) this.from = high + margin - width;
    this.to = this.from + width;
  }
}
