import { GUTTER, ROW, TOP, type View } from './view.ts';

/** What the mouse is told by, and what it tells. */
export interface Pointed {
  readonly view: View;
  readonly canvas: HTMLCanvasElement;
  readonly choose: (at: number) => void;
  readonly changed: () => void;
}

/** How far a click may be from a record, pixels. */
const REACH = 12;

/** A click chooses the record that is nearest; a drag moves the picture, the wheel scrolls lanes, goes along, or nearer. */
export function listenToPointer(pointed: Pointed): void {
  const { canvas } = pointed;
  canvas.addEventListener('wheel', (event) => onWheel(event, pointed), { passive: false });
  canvas.addEventListener('pointerdown', (event) => onPointer(event, pointed));
}

function onWheel(event: WheelEvent, { view, canvas, changed }: Pointed): void {
  event.preventDefault();
  const width = canvas.clientWidth;
  if (event.ctrlKey || event.shiftKey || event.deltaX !== 0) {
    const by = event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (event.ctrlKey) view.zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, view.positionAt(event.offsetX, width));
    else view.pan((by / width) * (view.to - view.from));
  } else {
    const room = canvas.clientHeight - TOP - view.stores * ROW;
    const most = Math.max(0, (view.rows.length - view.stores) * ROW - room);
    view.scroll = Math.min(most, Math.max(0, view.scroll + event.deltaY));
  }
  changed();
}

function onPointer(down: PointerEvent, pointed: Pointed): void {
  const { view, canvas, choose, changed } = pointed;
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
    const at = nearest(pointed, offsetX, offsetY);
    if (at !== undefined) choose(at);
  };
  canvas.addEventListener('pointermove', move);
  canvas.addEventListener('pointerup', up, { once: true });
}

function nearest({ view, canvas }: Pointed, x: number, y: number): number | undefined {
  const { run } = view;
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
