import { XS } from '../../../store/protocol/wire.ts';
import type { DriveOptions } from '../drive.ts';
import type { Action, MessageAction } from '../script.ts';
import { differingLine, outcomeOf } from './outcome.ts';
import { OverUpdate } from './over-update.ts';
import { differingExpectation, isWaitedFor, type Placement, UPDATED } from './placements.ts';

/**
 * The last messages of a script, in every order that its connections could have brought about, each with a live update between
 * any two of them: what is expected holds in each, and an update changes nothing. Orders that differ in nothing but the sequence
 * of requests that have nothing to do with each other stand for one another (sleep sets; Godefroid, 1996), and one is tried.
 */
export function* orders(options: DriveOptions, script: readonly Action[]): Generator<Placement> {
  const { before, racing, after } = partsOf(script);
  for (const order of interleavings(racing, dependence([...before, ...racing]))) {
    const whole = [...before, ...order, ...after];
    const words = order.map((action) => `${racing.indexOf(action) + before.length + 1}`).join(', ');
    const over = new OverUpdate(options, whole);
    yield {
      place: `the order of lines ${words}`,
      try: () => ({ failure: over.plain.disappointments[0] }),
    };
    for (let at = 0; at <= order.length; at++) {
      const i = before.length + at;
      const update: Action = { kind: 'liveUpdate', format: options.format };
      yield {
        place: `an update behind ${at} of the lines ${words}`,
        try() {
          const got = outcomeOf(options, [...whole.slice(0, i), update, ...whole.slice(i)]);
          const [own = '', ...unasked] = got.lines[i] ?? [];
          if (unasked.length > 0) return { failure: `with the update came ${unasked.join(', ')}` };
          const rest = { ...got, lines: [...got.lines.slice(0, i), ...got.lines.slice(i + 1)] };
          const judged = over.judge(
            { started: i, ended: i },
            (want) => differingLine(whole, want, rest) ?? differingExpectation(want, rest),
          );
          return { ...judged, isRefused: own !== UPDATED };
        },
      };
    }
  }
}

/** How many orders there are in all. */
export function ordersOf(script: readonly Action[]): number {
  const lengths = queuesOf(partsOf(script).racing).map((queue) => queue.length);
  let count = 1;
  let placed = 0;
  for (const length of lengths) for (let i = 1; i <= length; i++) count = (count * ++placed) / i;
  return Math.round(count);
}

/** The last messages in a row that are waited for, and what is before and behind them. */
function partsOf(script: readonly Action[]) {
  let end = script.length;
  while (end > 0 && !isWaitedFor(script[end - 1]!)) end--;
  let start = end;
  while (start > 0 && isWaitedFor(script[start - 1]!)) start--;
  return {
    before: script.slice(0, start),
    racing: script.slice(start, end) as readonly MessageAction[],
    after: script.slice(end),
  };
}

function queuesOf(racing: readonly MessageAction[]): MessageAction[][] {
  const queues = new Map<string, MessageAction[]>();
  for (const action of racing) {
    const queue = queues.get(action.on) ?? [];
    queues.set(action.on, queue);
    queue.push(action);
  }
  return [...queues.values()];
}

/** One order of each class of orders that differ in the sequence of independent requests only. */
export function* interleavings(
  racing: readonly MessageAction[],
  dependent: (a: MessageAction, b: MessageAction) => boolean,
): Generator<readonly MessageAction[]> {
  const queues = queuesOf(racing);
  const at = queues.map(() => 0);
  const order: MessageAction[] = [];
  yield* from(new Set());

  /** `asleep`: queues whose next request was tried before in a state from which this one has come by independent requests. */
  function* from(asleep: ReadonlySet<number>): Generator<readonly MessageAction[]> {
    if (order.length === racing.length) {
      yield [...order];
      return;
    }
    const tried = new Set(asleep);
    for (const [q, queue] of queues.entries()) {
      const next = queue[at[q]!];
      if (next === undefined || tried.has(q)) continue;
      const stillAsleep = [...tried].filter((other) => !dependent(queues[other]![at[other]!]!, next));
      at[q]!++;
      order.push(next);
      yield* from(new Set(stillAsleep));
      order.pop();
      at[q]!--;
      tried.add(q);
    }
  }
}

const READS: ReadonlySet<number> = new Set([
  XS.READ,
  XS.DIRECTORY,
  XS.DIRECTORY_PART,
  XS.GET_PERMS,
  XS.GET_DOMAIN_PATH,
]);
const CHANGES: ReadonlySet<number> = new Set([XS.WRITE, XS.MKDIR, XS.RM, XS.SET_PERMS]);

/**
 * Whether the order of two requests can matter to anybody: surely not where both only read; where one changes a node and neither
 * path is above the other, they have their nearest node in common from the beginning (or who creates it would matter), and no
 * client watches both. Everything else is taken to matter.
 */
function dependence(script: readonly Action[]): (a: MessageAction, b: MessageAction) => boolean {
  const domids = script.flatMap((action) =>
    action.kind === 'domain' && action.introduce !== false ? [action.domid] : [],
  );
  const standing = new Set([
    '',
    '/local',
    '/local/domain',
    '/tool',
    ...domids.map((domid) => `/local/domain/${domid}`),
  ]);
  const messages = script.filter((action) => action.kind === 'message');
  const watched = messages
    .filter(({ type }) => type === XS.WATCH)
    .map((action) => ({ on: action.on, path: pathOf(action) }));
  return (a, b) => {
    if (a.tx !== 0 || b.tx !== 0) return true;
    if (READS.has(a.type) && READS.has(b.type)) return false;
    if (![a, b].every(({ type }) => READS.has(type) || CHANGES.has(type))) return true;
    const [p, q] = [pathOf(a), pathOf(b)];
    if (isAtOrBelow(p, q) || isAtOrBelow(q, p)) return true;
    if (!standing.has(commonOf(p, q))) return true;
    const seers = (path: string) => watched.filter((one) => isAtOrBelow(path, one.path) || isAtOrBelow(one.path, path));
    return seers(p).some(({ on }) => seers(q).some((other) => other.on === on));
  };
}

/** The path that a request names, from the root; the name of a ring is the domid whose home relative paths begin at. */
function pathOf({ on, payload }: MessageAction): string {
  const end = payload.indexOf(0);
  const path = String.fromCharCode(...payload.subarray(0, end < 0 ? payload.length : end));
  if (path.startsWith('/')) return path === '/' ? '' : path;
  return path.startsWith('@') ? path : `/local/domain/${/^\d+$/.test(on) ? on : 0}/${path}`;
}

function isAtOrBelow(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}/`);
}

function commonOf(a: string, b: string): string {
  const [x, y] = [a.split('/'), b.split('/')];
  let n = 0;
  while (n < x.length && n < y.length && x[n] === y[n]) n++;
  return x.slice(0, n).join('/');
}
