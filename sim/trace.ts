import { EventEmitter } from 'eventemitter3';
import { Digest } from './digest.ts';
import type { Domid, Port } from './ids.ts';
import type { RingWord } from './ring.ts';
import { digested, type StoreNews } from './store-news.ts';

export type LifeStep = 'created' | 'paused' | 'unpaused' | 'shutdown' | 'resumed' | 'dying' | 'dead' | 'gone';

/** What happened to a port; `ipi`, `vcpu` and `virq` have the vCPU for remoteDomid, `priority` the priority. */
export type PortStep = 'alloc' | 'bind' | 'virq' | 'ipi' | 'close' | 'vcpu' | 'priority' | 'reset' | 'fifo';

export type SocketEnd = 'client' | 'server';
export type SocketStep = 'connect' | 'accept' | 'write' | 'read' | 'close';

/** Everything that happens, as a tagged union. Times are virtual ns; `host` is the number of the host where it happened. */
export type TraceEvent =
  | {
      readonly kind: 'life';
      readonly host: number;
      readonly timeNs: number;
      readonly domid: Domid;
      readonly uniqueId: bigint;
      readonly what: LifeStep;
    }
  | {
      readonly kind: 'grant';
      readonly host: number;
      readonly timeNs: number;
      readonly what: 'map' | 'unmap' | 'refused' | 'copy' | 'transfer' | 'stale';
      readonly mapper: Domid;
      readonly granter: Domid;
      readonly gref: number;
      readonly status: number;
    }
  | {
      readonly kind: 'port';
      readonly host: number;
      readonly timeNs: number;
      readonly what: PortStep;
      readonly domid: Domid;
      readonly port: Port;
      readonly remoteDomid: Domid;
      readonly remotePort: Port;
    }
  | {
      readonly kind: 'send';
      readonly host: number;
      readonly timeNs: number;
      readonly domid: Domid;
      readonly port: Port;
      readonly outcome: 'set' | 'coalesced' | 'dropped';
    }
  /** A store to an index word of a xenstore ring page. `bytes`: the whole page, shared; copy what is to be kept. */
  | {
      readonly kind: 'index';
      readonly host: number;
      readonly timeNs: number;
      readonly domid: Domid;
      readonly by: 'guest' | 'store';
      readonly word: RingWord;
      readonly from: number;
      readonly to: number;
      readonly bytes: Uint8Array;
    }
  /** A unix socket. `fd`: the server's number of the connection, never used twice; `by`: the client's program, '' where nobody
   *  says. `bytes`: what was written or read, `count` octets from `at` on; the mover's own, copy what is to be kept. */
  | {
      readonly kind: 'socket';
      readonly host: number;
      readonly timeNs: number;
      readonly end: SocketEnd;
      readonly what: SocketStep;
      readonly fd: number;
      readonly by: string;
      readonly bytes: Uint8Array;
      readonly at: number;
      readonly count: number;
    }
  /** What a store says of itself. `domid`: the domain in which it runs; `instance`: which of its images, 1 for the first, one
   *  more with each update that is past its exec. */
  | ({
      readonly kind: 'store';
      readonly host: number;
      readonly timeNs: number;
      readonly domid: Domid;
      readonly instance: number;
    } & StoreNews)
  /** A remark for whoever reads the trace (a fault that fired); no program acts on it. */
  | {
      readonly kind: 'mark';
      readonly host: number;
      readonly timeNs: number;
      readonly actor: string;
      readonly what: string;
      readonly n: number;
      readonly detail: string;
    };

/** Who wants to know the digest at certain events: that of two runs is the same until their first difference. */
export interface DigestMarks {
  /** Called before the first event that has at least so many before it. */
  readonly from: number;
  /**
   * `count` events have happened, and `digest` is theirs; the next is a step of task `step`, or something else ('').
   * @returns the count at which to be called again; infinity: never.
   */
  readonly at: (count: number, digest: string, step: string) => number;
}

const KINDS = ['life', 'grant', 'port', 'send', 'index', 'mark', 'step', 'socket', 'host'] as const;
const TAG = Object.fromEntries(KINDS.map((k, i) => [k, i + 1])) as Record<(typeof KINDS)[number], number>;

/**
 * The record of a run on all its hosts: each event goes into the digest, and to observers if there are any. Observing never
 * changes a run.
 */
export class Journal {
  readonly digest = new Digest();
  readonly #events = new EventEmitter<{ event: [TraceEvent] }>();
  #observers = 0;
  #marks: DigestMarks | undefined;
  #markAt = Number.POSITIVE_INFINITY;
  /** Events and steps so far. */
  count = 0;
  nowNs = 0;

  /** Call `observer` with every event of every host from now on. */
  observe(observer: (event: TraceEvent) => void): void {
    this.#events.on('event', observer);
    this.#observers++;
  }

  get isObserved(): boolean {
    return this.#observers > 0;
  }

  markDigest(marks: DigestMarks): void {
    this.#marks = marks;
    this.#markAt = marks.from;
  }

  /** An event is about to be folded. `step`: the task whose step it is, '' for anything else. */
  begin(step: string): void {
    if (this.count >= this.#markAt && this.#marks !== undefined)
      this.#markAt = this.#marks.at(this.count, this.digest.hex(), step);
    this.count++;
  }

  /** One step of a task; folded, never emitted: there are too many of them to be anybody's news. */
  step(task: { readonly id: number; readonly name: string }, timeNs: number): void {
    this.begin(task.name);
    this.digest.word((task.id << 3) | TAG.step);
    this.digest.word(timeNs | 0);
  }

  emit(event: TraceEvent): void {
    this.#events.emit('event', event);
  }
}

/** One host's part of the record. */
export class Trace {
  /** In the order in which hosts came; the first one, or the only one, is 0. */
  readonly host: number;
  /** Of all hosts that share the record. */
  readonly digest: Digest;
  readonly #journal: Journal;

  constructor(journal: Journal, host: number) {
    this.#journal = journal;
    this.host = host;
    this.digest = journal.digest;
  }

  /** Call `observer` with every event of this host from now on. */
  observe(observer: (event: TraceEvent) => void): void {
    this.#journal.observe((event) => {
      if (event.host === this.host) observer(event);
    });
  }

  /** Call `observer` with every event of every host from now on, in the order in which they are folded. */
  observeAll(observer: (event: TraceEvent) => void): void {
    this.#journal.observe(observer);
  }

  /** Let somebody know the digest of all hosts at certain events. */
  markDigest(marks: DigestMarks): void {
    this.#journal.markDigest(marks);
  }

  /** Events and steps of all hosts so far. */
  get count(): number {
    return this.#journal.count;
  }

  life(domid: Domid, uniqueId: bigint, what: LifeStep): void {
    this.#fold(TAG.life, domid, what.length);
    this.digest.text(what);
    if (this.#journal.isObserved)
      this.#journal.emit({ kind: 'life', host: this.host, timeNs: this.#journal.nowNs, domid, uniqueId, what });
  }

  grant(
    what: 'map' | 'unmap' | 'refused' | 'copy' | 'transfer' | 'stale',
    mapper: Domid,
    granter: Domid,
    gref: number,
    status: number,
  ): void {
    this.#fold(TAG.grant, (mapper << 16) | granter, gref);
    this.digest.word(status);
    if (this.#journal.isObserved)
      this.#journal.emit({
        kind: 'grant',
        host: this.host,
        timeNs: this.#journal.nowNs,
        what,
        mapper,
        granter,
        gref,
        status,
      });
  }

  port(what: PortStep, domid: Domid, port: Port, remoteDomid: Domid, remotePort: Port): void {
    this.#fold(TAG.port, (domid << 16) | port, (remoteDomid << 16) | remotePort);
    this.digest.text(what);
    if (this.#journal.isObserved)
      this.#journal.emit({
        kind: 'port',
        host: this.host,
        timeNs: this.#journal.nowNs,
        what,
        domid,
        port,
        remoteDomid,
        remotePort,
      });
  }

  send(domid: Domid, port: Port, outcome: 'set' | 'coalesced' | 'dropped'): void {
    this.#fold(TAG.send, (domid << 16) | port, outcome.length);
    if (this.#journal.isObserved)
      this.#journal.emit({ kind: 'send', host: this.host, timeNs: this.#journal.nowNs, domid, port, outcome });
  }

  index(domid: Domid, by: 'guest' | 'store', word: RingWord, from: number, to: number, bytes: Uint8Array): void {
    this.#fold(TAG.index, (domid << 3) | word, to);
    if (this.#journal.isObserved)
      this.#journal.emit({
        kind: 'index',
        host: this.host,
        timeNs: this.#journal.nowNs,
        domid,
        by,
        word,
        from,
        to,
        bytes,
      });
  }

  socket(end: SocketEnd, what: SocketStep, fd: number, by: string, bytes: Uint8Array, at: number, count: number): void {
    this.#fold(TAG.socket, fd, count);
    this.digest.text(end);
    this.digest.text(what);
    if (count > 0) this.digest.octets(bytes, at, at + count);
    if (this.#journal.isObserved)
      this.#journal.emit({
        kind: 'socket',
        host: this.host,
        timeNs: this.#journal.nowNs,
        end,
        what,
        fd,
        by,
        bytes,
        at,
        count,
      });
  }

  /** News of the store in `domid`. */
  store(domid: Domid, instance: number, news: StoreNews): void {
    const words = digested(news);
    if (words !== undefined) this.#foldWords('xenstored', news.phase, ...words);
    if (this.#journal.isObserved)
      this.#journal.emit({ kind: 'store', host: this.host, timeNs: this.#journal.nowNs, domid, instance, ...news });
  }

  mark(actor: string, what: string, n: number, detail = ''): void {
    this.#foldWords(actor, what, n, detail);
    if (this.#journal.isObserved)
      this.#journal.emit({ kind: 'mark', host: this.host, timeNs: this.#journal.nowNs, actor, what, n, detail });
  }

  /** What an actor says is folded in one way, whoever it is. */
  #foldWords(actor: string, what: string, n: number, detail: string): void {
    this.#fold(TAG.mark, n, detail.length);
    this.digest.text(actor);
    this.digest.text(what);
    this.digest.text(detail);
  }

  #fold(tag: number, x: number, y: number): void {
    const { digest } = this;
    this.#journal.begin('');
    // The first host says nothing of itself, so that a host alone has the digest that it always had.
    if (this.host > 0) digest.word((this.host << 4) | TAG.host);
    digest.word(tag);
    digest.word(x);
    digest.word(y);
    digest.wide(this.#journal.nowNs);
  }
}
