import type { RunResult } from '../../engine/scenario.ts';
import type { Epoch, History, HistoryRecord } from '../../judge/history.ts';
import type { RecordLog } from '../../judge/record-log.ts';
import { logOf } from '../../judge/recorded-history.ts';
import { type Assembled, Assembly } from './assembly.ts';
import { type HappeningName, type Remark, remarksOn, toldBy } from './happenings.ts';
import { type Split, Splits } from './splits.ts';

interface ItemAt {
  /** Number of the host. */
  readonly host: number;
  /** The record of that host's history, for `show --around`. */
  readonly seq: number;
  /** Virtual. */
  readonly timeNs: number;
}

/** A message as it stood in a ring or socket, when its last octet was written. Of a ring whose guest keeps no rule, requests are
 *  what the store read. */
export interface MessageItem extends ItemAt, Assembled {
  readonly kind: 'message';
  readonly dir: 'req' | 'rsp';
  readonly epoch: Epoch;
  readonly splits: readonly Split[];
}

export interface HappeningItem extends ItemAt {
  readonly kind: 'happening';
  readonly what: HappeningName;
  readonly text: string;
}

export type TraceItem = MessageItem | HappeningItem;

/** A host of a run with its history. */
export interface TracedHost {
  readonly name: string;
  readonly history: History | undefined;
}

/** The hosts of a run, in the order of their numbers. */
export function hostsIn({ hosts, history }: RunResult): readonly TracedHost[] {
  return hosts ?? [{ name: 'host', history }];
}

/** Messages of all hosts and what happened beside them, in order of time, and of the hosts' numbers at one time. */
export function* itemsOf(result: RunResult): Generator<TraceItem> {
  const hosts = hostsIn(result);
  const remarks = remarksOn(
    result,
    hosts.map(({ name }) => name),
  );
  const streams = hosts.map(({ history }, i) =>
    history === undefined
      ? [][Symbol.iterator]()
      : new HostItems(
          i,
          history,
          remarks.filter(({ host }) => host === i),
          new Splits(logOf(history)),
        ).all(),
  );
  const heads = streams.map((stream) => stream.next());
  for (;;) {
    let first: { readonly i: number; readonly item: TraceItem } | undefined;
    for (const [i, head] of heads.entries())
      if (head.done !== true && (first === undefined || head.value.timeNs < first.item.timeNs))
        first = { i, item: head.value };
    if (first === undefined) return;
    yield first.item;
    heads[first.i] = (streams[first.i] as Iterator<TraceItem>).next();
  }
}

/** How far a connection is. */
interface Line {
  readonly req: Assembly;
  readonly rsp: Assembly;
  /** The guest's own moves are not recorded: what the store reads is all that there is of its requests. */
  isReadOnly: boolean;
}

/** What a host's history has, also while it is written. */
export class HostItems {
  readonly #host: number;
  readonly #history: History;
  readonly #log: RecordLog;
  readonly #splits: Splits | undefined;
  readonly #lines = new Map<number, Line>();
  /** Of a place in the history, and those of a time, latest first. */
  readonly #placed = new Map<number, Remark[]>();
  readonly #timed: Remark[];
  #seq = 0;
  #lastNs = 0;

  /** `splits`: left out where nobody asks what lies across updates. */
  constructor(host: number, history: History, remarks: readonly Remark[] = [], splits?: Splits) {
    this.#host = host;
    this.#history = history;
    this.#log = logOf(history);
    this.#splits = splits;
    for (const remark of remarks)
      if (remark.seq !== undefined) this.#placed.set(remark.seq, [...(this.#placed.get(remark.seq) ?? []), remark]);
    this.#timed = remarks.filter(({ seq }) => seq === undefined).sort((a, b) => b.timeNs - a.timeNs);
  }

  *all(): Generator<TraceItem> {
    yield* this.soFar();
    yield* this.end();
  }

  /** Items of records that came since this was asked last; `upTo`: of those before that one. */
  *soFar(upTo = this.#log.length): Generator<TraceItem> {
    for (; this.#seq < upTo; this.#seq++) {
      const seq = this.#seq;
      const record = this.#log.at(seq) as HistoryRecord;
      this.#lastNs = record.timeNs;
      yield* this.#until(seq, record.timeNs);
      yield* this.#itemsAt(record);
      for (const { what, text } of this.#placed.get(seq) ?? [])
        yield { kind: 'happening', host: this.#host, seq, timeNs: record.timeNs, what, text };
      this.#placed.delete(seq);
    }
  }

  /** What the end of the run leaves: remarks, and messages that are half there. */
  *end(): Generator<TraceItem> {
    const last = Math.max(0, this.#log.length - 1);
    yield* this.#until(last, Number.POSITIVE_INFINITY);
    const at = { host: this.#host, seq: last, timeNs: Math.max(this.#lastNs, this.#history.endNs ?? 0) };
    for (const conn of [...this.#lines.keys()]) yield* this.#end(conn, at);
    for (const { what, text } of [...this.#placed.values()].flat()) yield { kind: 'happening', ...at, what, text };
  }

  /** Remarks of times before `timeNs`. */
  *#until(seq: number, timeNs: number): Generator<TraceItem> {
    for (let next = this.#timed.at(-1); next !== undefined && next.timeNs < timeNs; next = this.#timed.at(-1)) {
      this.#timed.pop();
      const { what, text } = next;
      yield { kind: 'happening', host: this.#host, seq, timeNs: next.timeNs, what, text };
    }
  }

  *#itemsAt(record: HistoryRecord): Generator<TraceItem> {
    const { seq, timeNs } = record;
    const at = { host: this.#host, seq, timeNs };
    if (record.kind === 'publish' || record.kind === 'consume') {
      const { conn, dir, kind } = record;
      const line = this.#line(conn);
      const counts = kind === (dir === 'req' && line.isReadOnly ? 'consume' : 'publish');
      if (counts) for (const each of line[dir].push(record)) yield this.#message(at, conn, dir, each);
      return;
    }
    if (record.kind === 'detach' || record.kind === 'page') yield* this.#end(record.conn, at);
    if (record.kind === 'page') this.#line(record.conn).isReadOnly = true;
    const told = toldBy(record, (conn) => this.#epoch(conn).name);
    if (told !== undefined) yield { kind: 'happening', ...at, ...told };
  }

  /** What is half there on a connection that ends. */
  *#end(conn: number, at: ItemAt): Generator<TraceItem> {
    const line = this.#lines.get(conn);
    this.#lines.delete(conn);
    for (const dir of ['req', 'rsp'] as const)
      for (const each of line?.[dir].end() ?? []) yield this.#message(at, conn, dir, each);
  }

  #message(at: ItemAt, conn: number, dir: 'req' | 'rsp', message: Assembled): MessageItem {
    const splits = this.#splits?.of(conn, dir, message.at, message.at + message.octets.length) ?? [];
    return { kind: 'message', ...at, ...message, dir, epoch: this.#epoch(conn), splits };
  }

  #epoch(conn: number): Epoch {
    return this.#history.epochs[conn] as Epoch;
  }

  #line(conn: number): Line {
    let line = this.#lines.get(conn);
    if (line === undefined) {
      line = { req: new Assembly(), rsp: new Assembly(), isReadOnly: this.#epoch(conn).isHostile === true };
      this.#lines.set(conn, line);
    }
    return line;
  }
}
