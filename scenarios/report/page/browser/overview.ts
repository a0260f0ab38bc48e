import type { Colours } from './colours.ts';
import type { View } from './view.ts';

/** The whole run in a strip: how dense it is, where updates, findings and what was searched are, and which part is in sight. */
export class Overview {
  readonly #view: View;
  readonly #paint: CanvasRenderingContext2D;
  /** Records in each pixel, for the axis and width that they were counted for. */
  #counted: { readonly key: string; readonly counts: Uint32Array } | undefined;

  constructor(view: View, paint: CanvasRenderingContext2D) {
    this.#view = view;
    this.#paint = paint;
  }

  positionAt(x: number, width: number): number {
    const [low, high] = this.#view.ends();
    return low + (x / width) * (high - low);
  }

  draw(width: number, height: number, colours: Colours): void {
    const view = this.#view;
    const paint = this.#paint;
    const [low, high] = view.ends();
    const x = (position: number) => ((position - low) / (high - low)) * width;
    paint.fillStyle = colours.back;
    paint.fillRect(0, 0, width, height);
    for (const { kind, fromNs, toNs, first, last } of view.run.data.bands) {
      const [from, to] = view.axis === 'time' ? [fromNs, toNs] : [first, last];
      paint.fillStyle = kind === 'update' ? colours.update : colours.migration;
      paint.globalAlpha = 0.5;
      paint.fillRect(x(from), 0, Math.max(2, x(to) - x(from)), height);
    }
    paint.globalAlpha = 1;
    const counts = this.#counts(Math.ceil(width));
    const most = counts.reduce((a, b) => Math.max(a, b), 1);
    paint.fillStyle = colours.move;
    for (const [at, count] of counts.entries()) {
      const tall = Math.sqrt(count / most) * (height - 8);
      paint.fillRect(at, height - tall, 1, tall);
    }
    paint.fillStyle = colours.found;
    for (const at of view.found) paint.fillRect(x(view.position(at)), height - 6, 2, 6);
    paint.fillStyle = colours.bad;
    for (const { at } of view.run.data.findings) paint.fillRect(x(view.position(at)) - 1, 0, 3, height);
    paint.strokeStyle = colours.chosen;
    paint.lineWidth = 2;
    paint.strokeRect(x(view.from), 1, Math.max(4, x(view.to) - x(view.from)), height - 2);
    paint.lineWidth = 1;
  }

  #counts(width: number): Uint32Array {
    const key = `${this.#view.axis} ${width}`;
    if (this.#counted?.key === key) return this.#counted.counts;
    const counts = new Uint32Array(width);
    const [low, high] = this.#view.ends();
    for (let at = 0; at < this.#view.run.count; at++) {
      const pixel = Math.floor(((this.#view.position(at) - low) / (high - low)) * width);
      if (pixel >= 0 && pixel < width) counts[pixel]!++;
    }
    this.#counted = { key, counts };
    return counts;
  }
}
