import { XenbusState } from '../../guests/devices/index.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { DeviceRecord, History, HistoryRecord, Verdict } from './history.ts';
import type { Connection, Request } from './invariants/connection-epochs.ts';

/** One try to update the store, as far as marks have to do with it. */
interface Attempt {
  readonly command: string;
  readonly answer: string;
  /** Number of the update that came of it. */
  readonly update: number | undefined;
}

/** What an update had to carry, by the store's own count: octets that were never in a ring are in no history. */
interface Carried {
  readonly outcome: 'ok' | 'failed';
  readonly queuedReplies: number;
  readonly queuedEvents: number;
}

/** All that marks are counted from. */
export interface Traces {
  readonly history: History;
  /** The facts among its records; of what moved and was sent or got, only what was odd is in there. */
  readonly kept: readonly HistoryRecord[];
  readonly connections: readonly Connection[];
  readonly verdicts: readonly Verdict[];
  readonly updates: readonly Carried[];
  readonly attempts: readonly Attempt[];
  /** Strikes of faults that were asked for. */
  readonly strikes: number;
}

/** Positions in the history between which nobody is served, of an update that took place. */
interface Span {
  readonly dump: number;
  readonly up: number;
}

interface Mark {
  readonly what: string;
  readonly count: (traces: Traces, spans: readonly Span[]) => number;
}

/** What can happen in a run that is worth to know to have happened, each counted here and nowhere else. */
export const MARKS = {
  update: { what: 'live updates that took place', count: (_, spans) => spans.length },
  'update-refused': {
    what: 'live updates that were asked for and refused, with a reason',
    count: ({ attempts }) => attempts.filter(isRefused).length,
  },
  'update-failed': {
    what: 'live updates that were begun, after which the old instance went on',
    count: ({ kept }) => kept.filter((r) => r.kind === 'liveUpdate' && r.what === 'failed').length,
  },
  'update-aborted': {
    what: 'live updates that were given up before they were started (-a)',
    count: ({ attempts }) => attempts.filter(({ command, answer }) => command === '-a' && answer === 'OK').length,
  },
  'update-forced': {
    what: 'live updates that broke transactions (-F)',
    count: ({ attempts, verdicts }) =>
      checked(verdicts, 'transactions', 'broken') === 0
        ? 0
        : attempts.filter(({ command, update }) => command.includes('-F') && update !== undefined).length,
  },
  'request-cut': {
    what: 'requests of which the old instance had read a part, and the new one the rest',
    count: ({ connections }, spans) =>
      count(connections, ({ requests }) => requests.filter(({ firstSeq, seq }) => isAcross(spans, firstSeq, seq))),
  },
  'reply-cut': {
    what: 'replies or events of which the old instance had written a part, and the new one the rest',
    count: ({ connections }, spans) =>
      count(connections, ({ output }) => output.filter(({ first, last }) => isAcross(spans, first.seq, last.seq))),
  },
  'reply-queued': {
    what: 'replies of which nothing was written before an update',
    count: ({ updates }) => sum(updates, ({ outcome, queuedReplies }) => (outcome === 'ok' ? queuedReplies : 0)),
  },
  'event-queued': {
    what: 'watch events of which nothing was written before an update',
    count: ({ updates }) => sum(updates, ({ outcome, queuedEvents }) => (outcome === 'ok' ? queuedEvents : 0)),
  },
  'transaction-carried': {
    what: 'transactions that were open over an update and ended behind it',
    count: ({ verdicts }) =>
      sum(['committed', 'aborted', 'refused'], (how) =>
        checked(verdicts, 'transactions', `${how} after a live update`),
      ),
  },
  'transaction-broken': {
    what: 'transactions that an update broke',
    count: ({ verdicts }) => checked(verdicts, 'transactions', 'broken'),
  },
  'start-aside': {
    what: 'TRANSACTION_STARTs that were put aside while an update waited',
    count: ({ connections }) => count(connections, ({ requests }) => requests.filter(({ isHeldBack }) => isHeldBack)),
  },
  'start-over-update': {
    what: 'TRANSACTION_STARTs that were put aside, and answered by the next instance',
    count: ({ connections, history }, spans) =>
      history.transactionPolicy === 'carry'
        ? 0
        : count(connections, ({ requests }) =>
            requests.filter(({ isHeldBack, seq, reply }) => isHeldBack && isAcross(spans, seq, reply?.first.seq ?? 0)),
          ),
  },
  'end-in-update': {
    what: 'domains that ended or suspended while nobody was served',
    count: ({ kept }, spans) =>
      kept.filter((r) => isEnd(r) && spans.some(({ dump, up }) => dump < r.seq && r.seq < up)).length,
  },
  'io-over-update': {
    what: 'block requests and packets that were on their way while an update went on',
    count: ({ history }, spans) => ioAcross(history.devices ?? [], spans),
  },
  'handshake-over-update': {
    what: 'devices that an update found between two states',
    count: ({ history }, spans) => handshakesAt(history.devices ?? [], spans),
  },
  commit: {
    what: 'transactions that were committed',
    count: ({ verdicts }) => checked(verdicts, 'transactions', 'committed'),
  },
  conflict: {
    what: 'transactions whose commit was refused',
    count: ({ verdicts }) => checked(verdicts, 'transactions', 'refused'),
  },
  quota: {
    what: 'requests that a quota refused',
    count: ({ connections }) => count(connections, ({ requests }) => requests.filter(isOverQuota)),
  },
  event: {
    what: 'watch events that were delivered',
    count: ({ verdicts }) => checked(verdicts, 'watch-events', 'events delivered'),
  },
  'domain-made': {
    what: 'domains that the store took',
    count: ({ history }) => history.epochs.filter(({ domid, isSocket }) => domid !== 0 && isSocket !== true).length,
  },
  'ring-again': {
    what: 'rings that the store took once more from a domain that lives on',
    count: ({ history }) => ringsAgain(history.epochs),
  },
  'domain-gone': {
    what: 'domains that went',
    count: ({ kept }) => kept.filter((r) => r.kind === 'life' && r.what === 'gone').length,
  },
  suspend: {
    what: 'guests that suspended',
    count: ({ verdicts }) => checked(verdicts, 'suspends', 'suspends'),
  },
  resume: {
    what: 'domains that went on after a suspend',
    count: ({ kept }) => kept.filter((r) => r.kind === 'life' && r.what === 'resumed').length,
  },
  restore: {
    what: 'guests that went on in another domain',
    count: ({ history }) => history.epochs.filter(({ heirOf }) => heirOf !== undefined).length,
  },
  save: {
    what: 'guests that were asked to save themselves into a file',
    count: ({ verdicts }) => checked(verdicts, 'saves', 'saves'),
  },
  'restored-again': {
    what: 'files that were restored once more while the first guest lived',
    count: ({ verdicts }) => checked(verdicts, 'saves', 'restores once more'),
  },
  'file-cut': {
    what: 'files that ended too early, and were refused',
    count: ({ verdicts }) => checked(verdicts, 'saves', 'files cut'),
  },
  'disk-full': {
    what: 'saves that a full disk ended, after which the guest was resumed',
    count: ({ verdicts }) => checked(verdicts, 'saves', 'disks full'),
  },
  block: {
    what: 'block requests that were answered',
    count: ({ history }) => devices(history, 'completed'),
  },
  packet: {
    what: 'packets that arrived',
    count: ({ history }) => devices(history, 'received'),
  },
  connect: {
    what: 'devices that got connected',
    count: ({ history }) => devices(history, 'attached'),
  },
  attach: {
    what: 'devices whose nodes the toolstack wrote',
    count: ({ history }) => toolstack(history, 'attached'),
  },
  detach: {
    what: 'devices whose nodes the toolstack removed',
    count: ({ history }) => toolstack(history, 'detached'),
  },
  console: {
    what: 'octets that consoles showed',
    count: ({ verdicts }) => checked(verdicts, 'console', 'octets shown'),
  },
  control: {
    what: 'commands that guests acted on',
    count: ({ verdicts }) => checked(verdicts, 'control', 'acted on'),
  },
  hostile: {
    what: 'answers to hostile guests, as due',
    count: ({ verdicts }) => checked(verdicts, 'containment', 'answers as due'),
  },
  migration: {
    what: 'guests that went on at another host',
    count: ({ verdicts }) => checked(verdicts, 'migration-owners', 'that moved a guest'),
  },
  'migration-failed': {
    what: 'migrations that failed, after which the guest went on at its host',
    count: ({ verdicts }) => checked(verdicts, 'migration-owners', 'that failed'),
  },
  'update-in-migration': {
    what: 'live updates of either store while a guest was on its way',
    count: ({ verdicts }) => checked(verdicts, 'migration-owners', 'live updates meanwhile'),
  },
  fault: { what: 'strikes of faults that were asked for', count: ({ strikes }) => strikes },
} as const satisfies Readonly<Record<string, Mark>>;

export type MarkName = keyof typeof MARKS;

/** How often each thing happened, in the order of MARKS. */
export type MarkCounts = Readonly<Record<MarkName, number>>;

/** Count all marks of a run that was judged. */
export function countMarks(traces: Traces): MarkCounts {
  const spans = spansOf(traces.kept);
  const counted = Object.entries<Mark>(MARKS).map(([name, mark]) => [name, mark.count(traces, spans)] as const);
  return Object.fromEntries(counted) as MarkCounts;
}

function spansOf(kept: readonly HistoryRecord[]): Span[] {
  const spans: Span[] = [];
  let dump = 0;
  for (const r of kept) {
    if (r.kind !== 'liveUpdate') continue;
    if (r.what === 'dump') dump = r.seq;
    else if (r.what === 'up') spans.push({ dump, up: r.seq });
  }
  return spans;
}

function isRefused({ command, answer, update }: Attempt): boolean {
  return update === undefined && command !== '-a' && answer !== '' && answer !== 'OK';
}

function isEnd(r: HistoryRecord): boolean {
  return r.kind === 'life' && (r.what === 'shutdown' || r.what === 'dying');
}

/** Whether an update lies between. */
function isAcross(spans: readonly Span[], from: number, to: number): boolean {
  return spans.some(({ dump, up }) => from < dump && up < to);
}

function sum<T>(all: readonly T[], each: (one: T) => number): number {
  return all.reduce((total, one) => total + each(one), 0);
}

function count<T>(all: readonly T[], of: (one: T) => readonly unknown[]): number {
  return sum(all, (one) => of(one).length);
}

/** What a check has counted; 0 where it has not, or was not there. */
function ringsAgain(epochs: History['epochs']): number {
  const rings = epochs.filter(({ isSocket, isHostile }) => isSocket !== true && isHostile !== true);
  return rings.length - new Set(rings.map(({ uniqueId }) => uniqueId)).size;
}

function checked(verdicts: readonly Verdict[], invariant: string, what: string): number {
  return sum(
    verdicts.filter((verdict) => verdict.invariant === invariant).flatMap((verdict) => verdict.checked),
    ([name, times]) => (name === what ? times : 0),
  );
}

function devices(history: History, what: DeviceRecord['what']): number {
  return (history.devices ?? []).filter((r) => r.what === what).length;
}

function toolstack(history: History, what: 'attached' | 'detached'): number {
  return (history.toolstack ?? []).filter((r) => r.what === what).length;
}

/** A record stands before the record of its number: one that has a dump's number came before the dump. Backends serve on while the
 *  store does not. */
function ioAcross(records: readonly DeviceRecord[], spans: readonly Span[]): number {
  const block = new Map<string, number>();
  const packets = new Map<string, number[]>();
  let across = 0;
  const over = (from: number | undefined, to: number) => {
    if (from !== undefined && spans.some(({ dump, up }) => from <= up && dump < to)) across++;
  };
  for (const r of records) {
    const { dev, seq } = r;
    if (r.what === 'submitted') block.set(`${dev} ${r.id}`, seq);
    else if (r.what === 'completed') {
      over(block.get(`${dev} ${r.id}`), seq);
      block.delete(`${dev} ${r.id}`);
    } else if (r.what === 'published') packets.delete(dev);
    else if (r.what === 'sent') {
      const queue = packets.get(dev);
      if (queue === undefined) packets.set(dev, [seq]);
      else queue.push(seq);
    } else if (r.what === 'acked') over(packets.get(dev)?.shift(), seq);
  }
  return across;
}

function handshakesAt(records: readonly DeviceRecord[], spans: readonly Span[]): number {
  const states = new Map<string, { front?: XenbusState; back?: XenbusState }>();
  const isBetween = ({ front, back }: { front?: XenbusState; back?: XenbusState }) =>
    front !== back || (front !== XenbusState.Connected && front !== XenbusState.Closed);
  let found = 0;
  let next = 0;
  for (const { dump } of spans) {
    for (let r = records[next]; r !== undefined && r.seq <= dump; r = records[++next]) {
      const ends = states.get(r.dev) ?? {};
      if (r.what === 'state') states.set(r.dev, { ...ends, [r.side]: r.state });
      else if (r.what === 'removed') {
        const { [r.side]: _, ...left } = ends;
        if (Object.keys(left).length === 0) states.delete(r.dev);
        else states.set(r.dev, left);
      }
    }
    for (const ends of states.values()) if (isBetween(ends)) found++;
  }
  return found;
}

/** ENOSPC, the errno of quotas; E2BIG of a value that is too large, or of watches that are too many. Source: store.md 6.1. */
function isOverQuota({ reply }: Request): boolean {
  return reply !== undefined && reply.type === XS.ERROR && /^(?:ENOSPC|E2BIG)\0$/.test(reply.payload);
}
