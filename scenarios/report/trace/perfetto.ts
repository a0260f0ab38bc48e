import { HEADER_BYTES, type Message, messageOf, opName, XS } from '../../../store/protocol/wire.ts';
import type { RunResult, UpdateReport } from '../../engine/scenario.ts';
import type { History, HistoryRecord } from '../../judge/history.ts';
import type { RecordLog } from '../../judge/record-log.ts';
import { logOf } from '../../judge/recorded-history.ts';
import { Causes, subjectOf } from './causes.ts';
import { remarksOn } from './happenings.ts';
import { HostItems, hostsIn, type MessageItem, type TraceItem } from './items.ts';
import { type Lane, Lanes } from './lanes.ts';
import { eventPacket, type Track, type TrackEvent, trackPacket } from './track-events.ts';

/** Tracks and flows of a host have numbers from here on, so that no two hosts share one. */
const NUMBERS_OF_HOST = 1n << 40n;

/** A run as Perfetto reads it, packet by packet, host by host. Same run, same octets. Errors: none. */
export function* perfettoOf(result: RunResult): Generator<Uint8Array> {
  const hosts = hostsIn(result);
  const names = hosts.map(({ name }) => name);
  const remarks = remarksOn(result, names).filter(({ what }) => what !== 'migration');
  for (const [i, { name, history }] of hosts.entries()) {
    if (history === undefined) continue;
    const updates = result.updates.filter(({ host }) => host === undefined || host === name);
    const items = new HostItems(
      i,
      history,
      remarks.filter(({ host }) => host === i),
    );
    const pictured = new PicturedHost(i, name, history, updates);
    yield* pictured.all(items);
    for (const { n, guest, from, to, atNs, tookNs, mode, passes, outcome } of result.migrations ?? []) {
      if (from !== name) continue;
      const notes = { to, mode, pages: passes.map(({ pages }) => pages).join(' '), fact: outcome.fact };
      yield* pictured.slice(`migration #${n}`, `${guest} to ${to}`, atNs, atNs + tookNs, notes);
    }
  }
}

/** A request that is on its way, or has a slice. */
interface Asked {
  readonly message: Message;
  readonly item: MessageItem;
  readonly flow: bigint;
  lane?: Lane;
  isServed: boolean;
}

class PicturedHost {
  readonly #history: History;
  readonly #log: RecordLog;
  readonly #updates: readonly UpdateReport[];
  readonly #causes = new Causes();
  readonly #lanes: Lanes;
  readonly #process: bigint;
  readonly #store: bigint;
  /** By connection, in their order. */
  readonly #asked = new Map<number, Asked[]>();
  /** By connection and transaction. */
  readonly #transactions = new Map<string, Lane>();
  readonly #named = new Map<string, bigint>();
  readonly #fill = new Map<string, { track: bigint; octets: number }>();
  #uuids: bigint;
  #flows: bigint;
  #packets: Uint8Array[] = [];

  constructor(host: number, name: string, history: History, updates: readonly UpdateReport[]) {
    this.#history = history;
    this.#log = logOf(history);
    this.#updates = updates;
    this.#uuids = BigInt(host + 1) * NUMBERS_OF_HOST;
    this.#flows = this.#uuids;
    this.#process = this.#track({ name, process: host + 1 });
    this.#store = this.#track({ name: 'xenstored', parent: this.#process });
    this.#lanes = new Lanes((lane) => this.#track({ name: lane, parent: this.#process }));
  }

  *all(items: HostItems): Generator<Uint8Array> {
    for (let seq = 0; seq < this.#log.length; seq++) {
      for (const item of items.soFar(seq + 1)) this.#item(item);
      this.#record(this.#log.at(seq) as HistoryRecord);
      yield* this.#taken();
    }
    for (const item of items.end()) this.#item(item);
    const endNs = Math.max(this.#log.at(-1)?.timeNs ?? 0, this.#history.endNs ?? 0);
    for (const conn of [...this.#asked.keys()]) this.#over(conn, endNs);
    yield* this.#taken();
  }

  /** A slice on a track of its own. */
  *slice(
    track: string,
    name: string,
    fromNs: number,
    toNs: number,
    notes: TrackEvent['notes'] = {},
  ): Generator<Uint8Array> {
    const uuid = this.#trackOf(track);
    this.#emit({ type: 'begin', track: uuid, timeNs: fromNs, name, notes });
    this.#emit({ type: 'end', track: uuid, timeNs: toNs });
    yield* this.#taken();
  }

  #item(item: TraceItem): void {
    if (item.kind === 'happening') {
      const { what, text, timeNs, seq } = item;
      if (what !== 'live-update')
        this.#emit({ type: 'instant', track: this.#trackOf(what), timeNs, name: text, notes: { seq } });
      return;
    }
    if (item.isCut) return;
    const message = messageOf(item.octets, 0, item.octets.subarray(HEADER_BYTES));
    if (item.dir === 'rsp') {
      if (message.type === XS.WATCH_EVENT) this.#event(item, message);
      else this.#reply(item, message);
      return;
    }
    const asked: Asked = { message, item, flow: ++this.#flows, isServed: false };
    const all = this.#asked.get(item.epoch.conn);
    if (all === undefined) this.#asked.set(item.epoch.conn, [asked]);
    else all.push(asked);
    if (item.epoch.isHostile === true) this.#begin(asked, item.epoch.name);
  }

  #record(record: HistoryRecord): void {
    if (record.kind === 'sent') {
      const asked = this.#asked.get(record.conn)?.find(({ item }) => item.at + item.octets.length === record.end);
      if (asked !== undefined) this.#begin(asked, record.actor);
    } else if (record.kind === 'publish' || record.kind === 'consume') {
      const { conn, dir, kind, to } = record;
      if (kind === 'consume' && dir === 'req')
        for (const asked of this.#asked.get(conn) ?? [])
          if (asked.item.at + asked.item.octets.length <= to) this.#serve(asked);
      this.#count(record);
    } else if (record.kind === 'detach' || record.kind === 'page') this.#over(record.conn, record.timeNs);
    else if (record.kind === 'liveUpdate') this.#update(record);
  }

  /** Its slice begins, in that of its transaction. */
  #begin(asked: Asked, actor: string): void {
    if (asked.lane !== undefined) return;
    const { message, item, flow } = asked;
    const { epoch, begunNs, seq } = item;
    const { type, txId, payload } = message;
    const name = epoch.isSocket === true || actor === '' ? epoch.name : actor;
    const begins = type === XS.TRANSACTION_START;
    const within = txId === 0 ? undefined : this.#transactions.get(`${epoch.conn} ${txId}`);
    const lane = this.#lanes.for(`${epoch.conn} ${name}`, name, begunNs, begins, within);
    asked.lane = lane;
    lane.isBusy = true;
    const at = { type: 'begin', track: lane.uuid, timeNs: begunNs } as const;
    if (begins) {
      lane.hasTransaction = true;
      this.#emit({ ...at, name: 'transaction' });
    }
    const subject = subjectOf(payload);
    this.#emit({
      ...at,
      name: `${opName(type)} ${subject}`.trim(),
      flows: [flow],
      notes: { seq, req_id: message.reqId, tx_id: txId },
    });
  }

  #serve(asked: Asked): void {
    if (asked.isServed) return;
    asked.isServed = true;
    const { conn, domid } = asked.item.epoch;
    this.#causes.served(asked.message, conn, domid, asked.flow);
  }

  #reply(item: MessageItem, reply: Message): void {
    const { conn, name } = item.epoch;
    const all = this.#asked.get(conn) ?? [];
    const at = all.findIndex(
      ({ message: { reqId, type } }) => reqId === reply.reqId && (type === reply.type || reply.type === XS.ERROR),
    );
    const asked = all[at];
    if (asked === undefined) return;
    all.splice(at, 1);
    this.#begin(asked, name);
    const { flow, message } = asked;
    const lane = asked.lane as Lane;
    const said = reply.type === XS.ERROR ? subjectOf(reply.payload) : '';
    this.#emit({
      type: 'instant',
      track: this.#store,
      timeNs: item.timeNs,
      name: `${opName(message.type)} of ${name}${said === '' ? '' : `: ${said}`}`,
      flows: [flow],
      notes: { seq: item.seq },
    });
    this.#end(lane, item.timeNs);
    if (message.type === XS.TRANSACTION_START) {
      if (said === '') this.#transactions.set(`${conn} ${Number(subjectOf(reply.payload))}`, lane);
      else this.#close(lane, item.timeNs);
    } else if (message.type === XS.TRANSACTION_END && said !== 'EINVAL') {
      const own = this.#transactions.get(`${conn} ${message.txId}`);
      this.#transactions.delete(`${conn} ${message.txId}`);
      if (own !== undefined) this.#close(own, item.timeNs);
    }
  }

  #event({ epoch, timeNs, seq }: MessageItem, { payload }: Message): void {
    const { conn, domid, name } = epoch;
    const cause = this.#causes.of(payload, conn, domid);
    const flows = cause === undefined ? [] : [cause];
    const track = this.#trackOf(`${name} watch events`);
    this.#emit({ type: 'instant', track, timeNs, name: subjectOf(payload), flows, notes: { seq } });
  }

  /** The request on a lane is over, and a transaction that only waited for it. */
  #end(lane: Lane, timeNs: number): void {
    lane.isBusy = false;
    lane.freeNs = timeNs;
    this.#emit({ type: 'end', track: lane.uuid, timeNs });
    if (lane.isEnding) this.#close(lane, timeNs);
  }

  /** The transaction on a lane is over. */
  #close(lane: Lane, timeNs: number): void {
    lane.isEnding = lane.isBusy;
    if (lane.isBusy) return;
    lane.hasTransaction = false;
    lane.freeNs = timeNs;
    this.#emit({ type: 'end', track: lane.uuid, timeNs });
  }

  /** A connection is no more: nothing of it is answered. */
  #over(conn: number, timeNs: number): void {
    for (const { lane, message } of this.#asked.get(conn) ?? []) {
      if (lane === undefined) continue;
      this.#end(lane, timeNs);
      if (message.type === XS.TRANSACTION_START) this.#close(lane, timeNs);
    }
    this.#asked.delete(conn);
    const own = [...this.#transactions].filter(([key]) => key.startsWith(`${conn} `));
    for (const [key, lane] of own) {
      this.#transactions.delete(key);
      this.#close(lane, timeNs);
    }
  }

  /** From the decision on, and in it the time in which nobody is served. */
  #update({ n, what, timeNs }: Extract<HistoryRecord, { readonly kind: 'liveUpdate' }>): void {
    const track = this.#trackOf('live updates');
    if (what === 'dump') {
      const { atNs = timeNs, format = '' } = this.#updates.find((each) => each.n === n) ?? {};
      this.#emit({
        type: 'begin',
        track,
        timeNs: Math.min(atNs, timeNs),
        name: `live update #${n}`,
        notes: { format },
      });
      this.#emit({ type: 'begin', track, timeNs, name: 'nobody is served' });
      return;
    }
    this.#emit({ type: 'end', track, timeNs });
    this.#emit({ type: 'end', track, timeNs });
    this.#emit({ type: 'instant', track, timeNs, name: what });
  }

  /** Octets in a ring that are not read. */
  #count({
    conn,
    dir,
    kind,
    from,
    to,
    timeNs,
  }: Extract<HistoryRecord, { readonly kind: 'publish' | 'consume' }>): void {
    const epoch = this.#history.epochs[conn];
    if (epoch === undefined || epoch.isSocket === true || epoch.isHostile === true) return;
    const key = `${conn} ${dir}`;
    let fill = this.#fill.get(key);
    if (fill === undefined) {
      const name = `${epoch.name} ${dir === 'req' ? 'requests' : 'replies'} in ring`;
      fill = { track: this.#track({ name, parent: this.#process, octets: true }), octets: 0 };
      this.#fill.set(key, fill);
    }
    fill.octets = Math.max(0, fill.octets + (kind === 'publish' ? to - from : from - to));
    this.#emit({ type: 'counter', track: fill.track, timeNs, value: fill.octets });
  }

  #trackOf(name: string): bigint {
    const uuid = this.#named.get(name) ?? this.#track({ name, parent: this.#process });
    this.#named.set(name, uuid);
    return uuid;
  }

  #track(track: Omit<Track, 'uuid'>): bigint {
    this.#uuids += 1n;
    this.#packets.push(trackPacket({ uuid: this.#uuids, ...track }));
    return this.#uuids;
  }

  #emit(event: TrackEvent): void {
    this.#packets.push(eventPacket(event));
  }

  *#taken(): Generator<Uint8Array> {
    const packets = this.#packets;
    this.#packets = [];
    yield* packets;
  }
}
