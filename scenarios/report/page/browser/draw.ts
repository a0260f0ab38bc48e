import { KIND } from '../layout.ts';
import type { Colours } from './colours.ts';
import { type Arrow, arrowsAt, relatedTo } from './related.ts';
import { GUTTER, ROW, TOP, type View } from './view.ts';
import { ms, tame } from './words.ts';

/** Records in sight of which each is drawn; of more only how dense they are. */
const MARKS_MAX = 6000;
/** Records in sight of which all arrows are drawn. */
const ARROWS_MAX = 1200;
/** XENSTORE_RING_SIZE, octets. Source: xen/include/public/io/xs_wire.h. */
const RING_OCTETS = 1024;

/** Draws lanes, bands, fill of rings, records and arrows, from the records that are in sight alone. */
export class Picture {
  readonly #view: View;
  readonly #paint: CanvasRenderingContext2D;
  #width = 0;
  #height = 0;
  #colours: Colours;

  constructor(view: View, paint: CanvasRenderingContext2D, colours: Colours) {
    this.#view = view;
    this.#paint = paint;
    this.#colours = colours;
  }

  draw(width: number, height: number, colours: Colours): void {
    this.#width = width;
    this.#height = height;
    this.#colours = colours;
    const view = this.#view;
    const paint = this.#paint;
    paint.fillStyle = colours.back;
    paint.fillRect(0, 0, width, height);
    const low = Math.max(0, view.recordAt(view.from) - 1);
    const high = Math.min(view.run.count, view.recordAt(view.to) + 2);
    this.#bands();
    this.#lanes();
    this.#clipped(() => {
      this.#fills();
      if (high - low > MARKS_MAX) this.#density(low, high);
      else {
        if (high - low <= ARROWS_MAX) for (let at = low; at < high; at++) this.#arrows(arrowsAt(view.run, at), 0.55);
        for (let at = low; at < high; at++) this.#mark(at, 1);
      }
      this.#found(low, high);
      this.#chain();
      this.#veil();
      this.#chosen();
    });
    this.#ticks();
  }

  #clipped(draw: () => void): void {
    const paint = this.#paint;
    paint.save();
    paint.beginPath();
    paint.rect(GUTTER, TOP, this.#width - GUTTER, this.#height - TOP);
    paint.clip();
    draw();
    paint.restore();
  }

  #x(at: number): number {
    return this.#view.x(this.#view.position(at), this.#width);
  }

  #y(at: number): number | undefined {
    return this.#view.y(this.#view.run.lane[at]!, this.#height);
  }

  #bands(): void {
    const { run, axis, current } = this.#view;
    const paint = this.#paint;
    for (const [i, { kind, hosts, fromNs, toNs, first, last }] of run.data.bands.entries()) {
      const from = this.#view.x(axis === 'time' ? fromNs : first, this.#width);
      const to = Math.max(this.#view.x(axis === 'time' ? toNs : last, this.#width), from + 3);
      if (to < GUTTER || from > this.#width) continue;
      paint.fillStyle = kind === 'update' ? this.#colours.update : this.#colours.migration;
      const isNear = current === undefined || current.bands.includes(i);
      const left = Math.max(from, GUTTER);
      for (const [lane, { host }] of run.data.lanes.entries()) {
        if (!hosts.includes(host)) continue;
        const y = this.#view.y(lane, this.#height);
        if (y === undefined) continue;
        paint.globalAlpha = isNear ? 0.3 : 0.14;
        paint.fillRect(left, y - ROW / 2, Math.min(to, this.#width) - left, ROW);
      }
      paint.globalAlpha = 1;
      paint.fillRect(left, TOP - 4, Math.min(to, this.#width) - left, 4);
    }
  }

  #lanes(): void {
    const { run, stores, rows } = this.#view;
    const paint = this.#paint;
    paint.font = '12px system-ui, sans-serif';
    paint.textBaseline = 'middle';
    for (const [row, lane] of rows.entries()) {
      const y = this.#view.y(lane, this.#height);
      if (y === undefined) continue;
      const { name, what, host } = run.data.lanes[lane]!;
      paint.strokeStyle = this.#colours.line;
      paint.globalAlpha = row === stores - 1 ? 1 : 0.5;
      paint.beginPath();
      paint.moveTo(0, y + ROW / 2 - 0.5);
      paint.lineTo(this.#width, y + ROW / 2 - 0.5);
      paint.stroke();
      paint.globalAlpha = 1;
      const label = run.data.hosts.length > 1 ? `${run.data.hosts[host]}: ${name}` : name;
      paint.fillStyle = what === 'actor' ? this.#colours.dim : this.#colours.text;
      paint.fillText(cut(paint, tame(label), GUTTER - 20), what === 'actor' ? 18 : 8, y);
    }
    paint.strokeStyle = this.#colours.line;
    paint.beginPath();
    paint.moveTo(GUTTER - 0.5, 0);
    paint.lineTo(GUTTER - 0.5, this.#height);
    paint.stroke();
  }

  /** On the lane of a connection: requests in its ring upwards from the middle, replies and events downwards. */
  #fills(): void {
    const { run } = this.#view;
    for (const [lane, { what, name, host }] of run.data.lanes.entries()) {
      if (what !== 'connection') continue;
      const y = this.#view.y(lane, this.#height);
      if (y === undefined) continue;
      for (const [conn, each] of run.data.conns.entries())
        if (each.host === host && each.name === name) this.#fill(run.movesOf[conn]!, y);
    }
  }

  #fill(moves: readonly number[], y: number): void {
    const { run, from, to } = this.#view;
    const paint = this.#paint;
    paint.fillStyle = this.#colours.fill;
    let low = 0;
    for (let high = moves.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#view.position(moves[middle]!) < from) low = middle + 1;
      else high = middle;
    }
    const half = ROW / 2 - 2;
    const sides = [0, 1].map((side) => ({ x: GUTTER, level: levelBefore(run, moves, low, side), most: 0 }));
    const bar = (side: number, from: number, until: number, level: number) => {
      const high = Math.min(1, level / RING_OCTETS) * half;
      if (high > 0) paint.fillRect(from, side === 0 ? y - high : y, Math.max(1, until - from), Math.max(high, 1));
    };
    /** What lay in the ring since the last move in sight, and the most that there was within the pixel of that move. */
    const close = (side: number, until: number) => {
      const { x, level, most } = sides[side]!;
      bar(side, x, x + 1, most);
      if (until > x + 1) bar(side, x + 1, until, level);
    };
    for (let i = low; i < moves.length; i++) {
      const at = moves[i]!;
      if (this.#view.position(at) > to) break;
      const x = Math.max(GUTTER, Math.floor(this.#x(at)));
      for (const [number, side] of sides.entries()) {
        if (!isOnSide(run, at, number)) continue;
        if (x > side.x) {
          close(number, x);
          side.x = x;
          side.most = 0;
        }
        side.level = run.fill[at]!;
        side.most = Math.max(side.most, side.level);
      }
    }
    for (const side of sides.keys()) close(side, this.#width);
  }

  /** So many records in each pixel of each lane, as shades. */
  #density(low: number, high: number): void {
    const { run, rows } = this.#view;
    const width = Math.ceil(this.#width);
    const counts = new Uint16Array(width * rows.length);
    let most = 1;
    for (let at = low; at < high; at++) {
      const x = this.#x(at) | 0;
      if (x < GUTTER || x >= width) continue;
      const key = this.#view.rowOf[run.lane[at]!]! * width + x;
      const count = counts[key]! + 1;
      counts[key] = Math.min(count, 65_535);
      if (count > most) most = count;
    }
    const paint = this.#paint;
    paint.fillStyle = this.#colours.move;
    for (const [row, lane] of rows.entries()) {
      const y = this.#view.y(lane, this.#height);
      if (y === undefined) continue;
      for (let x = GUTTER; x < width; x++) {
        const count = counts[row * width + x]!;
        if (count === 0) continue;
        paint.globalAlpha = 0.25 + 0.75 * Math.sqrt(count / most);
        paint.fillRect(x, y - ROW / 2 + 4, 1, ROW - 8);
      }
    }
    paint.globalAlpha = 1;
  }

  #mark(at: number, size: number): void {
    const y = this.#y(at);
    if (y === undefined) return;
    const x = this.#x(at);
    const { run } = this.#view;
    const paint = this.#paint;
    const kind = run.kind[at]!;
    paint.fillStyle = this.#colourOf(kind);
    if (kind >= KIND.sent) {
      paint.beginPath();
      paint.arc(x, y, 3.5 * size, 0, Math.PI * 2);
      paint.fill();
    } else if (kind === KIND.other) paint.fillRect(x - 3 * size, y - 3 * size, 6 * size, 6 * size);
    else paint.fillRect(x - 0.75 * size, y - 6 * size, 1.5 * size, 12 * size);
  }

  #colourOf(kind: number): string {
    const { request, reply, event, move, fact } = this.#colours;
    if (kind === KIND.sent) return request;
    if (kind === KIND.got) return reply;
    if (kind === KIND.event) return event;
    return kind === KIND.other ? fact : move;
  }

  #arrows(arrows: readonly Arrow[], alpha: number): void {
    const paint = this.#paint;
    for (const { from, to, what } of arrows) {
      const [y0, y1] = [this.#y(from), this.#y(to)];
      if (y0 === undefined || y1 === undefined) continue;
      const [x0, x1] = [this.#x(from), this.#x(to)];
      paint.globalAlpha = alpha;
      paint.strokeStyle = this.#colours[what];
      paint.fillStyle = this.#colours[what];
      paint.beginPath();
      paint.moveTo(x0, y0);
      paint.lineTo(x1, y1);
      paint.stroke();
      const length = Math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2);
      if (length > 10) {
        const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
        const [x, y] = [x1 - dx * 4, y1 - dy * 4];
        paint.beginPath();
        paint.moveTo(x, y);
        paint.lineTo(x - dx * 6 - dy * 3, y - dy * 6 + dx * 3);
        paint.lineTo(x - dx * 6 + dy * 3, y - dy * 6 - dx * 3);
        paint.fill();
      }
      paint.globalAlpha = 1;
    }
  }

  #found(low: number, high: number): void {
    const paint = this.#paint;
    paint.strokeStyle = this.#colours.found;
    paint.lineWidth = 2;
    let before = -1;
    for (const at of this.#view.found) {
      if (at < low || at >= high) continue;
      const y = this.#y(at);
      const x = Math.round(this.#x(at));
      if (y === undefined || x + y * 65_536 === before) continue;
      before = x + y * 65_536;
      paint.strokeRect(x - 5, y - 7, 10, 14);
    }
    paint.lineWidth = 1;
  }

  /** Everything that led to the finding, in its colour, as one line through the lanes. */
  #chain(): void {
    const { current, run } = this.#view;
    if (current === undefined) return;
    const paint = this.#paint;
    paint.strokeStyle = this.#colours.bad;
    paint.fillStyle = this.#colours.bad;
    paint.lineWidth = 1.5;
    paint.setLineDash([4, 3]);
    paint.beginPath();
    let isBegun = false;
    for (const [at] of current.chain) {
      const y = this.#y(at);
      if (y === undefined) continue;
      if (isBegun) paint.lineTo(this.#x(at), y);
      else paint.moveTo(this.#x(at), y);
      isBegun = true;
    }
    paint.stroke();
    paint.setLineDash([]);
    paint.lineWidth = 1;
    for (const [at] of current.chain) {
      this.#arrows(arrowsAt(run, at), 1);
      this.#mark(at, 1.5);
      const y = this.#y(at);
      if (y === undefined) continue;
      paint.strokeStyle = this.#colours.bad;
      paint.lineWidth = 2;
      paint.beginPath();
      paint.arc(this.#x(at), y, at === current.at ? 10 : 7.5, 0, Math.PI * 2);
      paint.stroke();
      paint.lineWidth = 1;
    }
    const x = Math.round(this.#x(current.at));
    paint.fillStyle = this.#colours.bad;
    paint.fillRect(x - 1, TOP, 2, this.#height);
  }

  /** What has not come yet is seen only dimly. */
  #veil(): void {
    const { hidesFuture, selected, run } = this.#view;
    if (!hidesFuture || run.count === 0) return;
    const x = Math.max(GUTTER, this.#x(selected) + 1);
    this.#paint.globalAlpha = 0.9;
    this.#paint.fillStyle = this.#colours.back;
    this.#paint.fillRect(x, TOP, Math.max(0, this.#width - x), this.#height);
    this.#paint.globalAlpha = 1;
  }

  #chosen(): void {
    const { selected, run } = this.#view;
    if (run.count === 0) return;
    const paint = this.#paint;
    for (const [at] of relatedTo(run, selected)) this.#arrows(arrowsAt(run, at), 1);
    this.#arrows(arrowsAt(run, selected), 1);
    const x = Math.round(this.#x(selected)) + 0.5;
    paint.strokeStyle = this.#colours.chosen;
    paint.globalAlpha = 0.7;
    paint.beginPath();
    paint.moveTo(x, TOP);
    paint.lineTo(x, this.#height);
    paint.stroke();
    paint.globalAlpha = 1;
    const y = this.#y(selected);
    if (y === undefined) return;
    paint.lineWidth = 2.5;
    paint.strokeRect(x - 6, y - 8, 12, 16);
    paint.lineWidth = 1;
  }

  #ticks(): void {
    const { axis } = this.#view;
    const paint = this.#paint;
    paint.fillStyle = this.#colours.dim;
    paint.font = '11px system-ui, sans-serif';
    const step = 150;
    for (let x = GUTTER + 8; x < this.#width - 60; x += step) {
      const position = this.#view.positionAt(x, this.#width);
      if (position < 0) continue;
      const at = this.#view.recordAt(position);
      const text = axis === 'time' ? ms(position) : `seq ${this.#view.run.seq[at] ?? 0}`;
      paint.fillRect(x, 16, 1, 5);
      paint.fillText(text, x + 3, 10);
    }
  }
}

function levelBefore(run: View['run'], moves: readonly number[], low: number, side: number): number {
  for (let i = low - 1; i >= 0; i--) if (isOnSide(run, moves[i]!, side)) return run.fill[moves[i]!]!;
  return 0;
}

/** Whether a move is one of requests (0), or of replies (1); the end of a connection is both. */
function isOnSide(run: View['run'], at: number, side: number): boolean {
  return run.endsConn(at) || (run.dirOf(at) === 'req') === (side === 0);
}

/** A text that fits; its end tells more than its begin. */
function cut(paint: CanvasRenderingContext2D, text: string, width: number): string {
  if (paint.measureText(text).width <= width) return text;
  let rest = text;
  while (rest.length > 1 && paint.measureText(`…${rest}`).width > width) rest = rest.slice(1);
  return `…${rest}`;
}
