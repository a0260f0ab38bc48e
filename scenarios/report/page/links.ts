import { text, XS } from '../../../guests/index.ts';
import type { History, HistoryRecord } from '../../judge/history.ts';
import { logOf } from '../../judge/recorded-history.ts';

/** Which record belongs to which, by seq; -1: there is none. */
export interface Links {
  /** Of what was sent: where the store took its last octet, and so served it. */
  readonly served: Int32Array;
  /** Of what was sent: where its answer came. */
  readonly reply: Int32Array;
  /** Of what came: where its request was sent. */
  readonly asked: Int32Array;
  /** Of what came: where the store had written its last octet. */
  readonly written: Int32Array;
  /** Of an event: where the store served the request that it tells of. */
  readonly cause: Int32Array;
}

type Message = Extract<HistoryRecord, { readonly kind: 'sent' | 'got' }>;

/** What is on its way on one connection. */
class Way {
  readonly sent: Message[] = [];
  readonly got: Message[] = [];
  served = 0;
  written = 0;
  /** By id of the request: those without an answer. */
  readonly open = new Map<number, Message[]>();
  /** By transaction: what it has changed. */
  readonly changed = new Map<number, string[]>();
}

/**
 * Who belongs to whom. An answer is that to the first open request of its id; a request is served where its last octet is taken.
 * An event tells of the last change of its path, or of the setting of its watch, that was served before its last octet was written.
 */
export function linksOf(history: History): Links {
  const log = logOf(history);
  const column = () => new Int32Array(log.length).fill(-1);
  const links = { served: column(), reply: column(), asked: column(), written: column(), cause: column() };
  const ways = history.epochs.map(() => new Way());
  const failed = new Set<number>();
  for (let seq = 0; seq < log.length; seq++) {
    if (log.messageAt(seq) === undefined) continue;
    const message = log.at(seq) as Message;
    const way = ways[message.conn];
    if (way === undefined) continue;
    (message.kind === 'sent' ? way.sent : way.got).push(message);
    if (message.kind === 'got' && message.type === XS.WATCH_EVENT) continue;
    const queue = way.open.get(message.reqId) ?? [];
    if (message.kind === 'sent') {
      queue.push(message);
      way.open.set(message.reqId, queue);
      continue;
    }
    const request = queue.shift();
    if (request === undefined) continue;
    links.reply[request.seq] = seq;
    links.asked[seq] = request.seq;
    if (message.type === XS.ERROR) failed.add(request.seq);
  }
  const told = new Changes(history);
  for (let seq = 0; seq < log.length; seq++) {
    const code = log.codes[seq];
    if (code !== 0 && code !== 2 && code !== 3) continue; // Code: kept, putRsp, tookReq
    const move = log.at(seq) as HistoryRecord;
    const way = 'conn' in move ? ways[move.conn] : undefined;
    if (way === undefined) {
      if (move.kind === 'life') told.domainChanged(seq);
      continue;
    }
    if (move.kind === 'detach') told.domainChanged(seq);
    if (move.kind === 'consume' && move.dir === 'req')
      for (let next = way.sent[way.served]; next !== undefined && next.end <= move.to; next = way.sent[++way.served]) {
        links.served[next.seq] = seq;
        if (!failed.has(next.seq)) told.served(next, way, seq);
      }
    if (move.kind === 'publish' && move.dir === 'rsp')
      for (let next = way.got[way.written]; next !== undefined && next.end <= move.to; next = way.got[++way.written]) {
        links.written[next.seq] = seq;
        if (next.type === XS.WATCH_EVENT) links.cause[next.seq] = told.causeOf(next);
      }
  }
  return links;
}

/** Where each path was changed last, as far as requests are known that were served. */
class Changes {
  readonly #history: History;
  readonly #at = new Map<string, number>();
  readonly #removed = new Map<string, number>();
  readonly #watches = new Map<string, number>();
  #domains = -1;

  constructor(history: History) {
    this.#history = history;
  }

  /** A domain was introduced, released or has died. */
  domainChanged(seq: number): void {
    this.#domains = seq;
  }

  served({ conn, type, txId, payload }: Message, way: Way, seq: number): void {
    const [first = '', second = ''] = text(payload).split('\0');
    const path = this.#absolute(conn, first);
    switch (type) {
      case XS.WATCH:
        this.#watches.set(`${conn} ${first}\0${second}`, seq);
        return;
      case XS.INTRODUCE:
      case XS.RELEASE:
        this.domainChanged(seq);
        return;
      case XS.WRITE:
      case XS.MKDIR:
      case XS.SET_PERMS:
      case XS.RM:
        if (txId !== 0) way.changed.set(txId, [...(way.changed.get(txId) ?? []), path]);
        else {
          this.#at.set(path, seq);
          if (type === XS.RM) this.#removed.set(path, seq);
        }
        return;
      case XS.TRANSACTION_END:
        if (first === 'T') for (const each of way.changed.get(txId) ?? []) this.#at.set(each, seq);
        way.changed.delete(txId);
    }
  }

  causeOf({ conn, payload }: Message): number {
    const [path = '', token = ''] = text(payload).split('\0');
    if (path.startsWith('@')) return Math.max(this.#domains, this.#watches.get(`${conn} ${path}\0${token}`) ?? -1);
    const whole = this.#absolute(conn, path);
    let last = Math.max(this.#at.get(whole) ?? -1, this.#watches.get(`${conn} ${path}\0${token}`) ?? -1);
    for (let cut = whole.lastIndexOf('/'); cut > 0; cut = whole.lastIndexOf('/', cut - 1))
      last = Math.max(last, this.#removed.get(whole.slice(0, cut)) ?? -1);
    return last;
  }

  #absolute(conn: number, path: string): string {
    const domid = this.#history.epochs[conn]?.domid ?? 0;
    return path.startsWith('/') || path.startsWith('@') ? path : `/local/domain/${domid}/${path}`;
  }
}
