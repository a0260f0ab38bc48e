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

/** Everything that happens, as a tagged union. Times are virtual ns. */
export type TraceEvent =
  | {
      readonly kind: 'life';
      readonly timeNs: number;
      readonly domid: Domid;
      readonly uniqueId: bigint;
      readonly what: LifeStep;
    }
  | {
      readonly kind: 'grant';
      readonly timeNs: number;
      readonly what: 'map' | 'unmap' | 'refused' | 'copy' | 'transfer';
      readonly mapper: Domid;
      readonly granter: Domid;
      readonly gref: number;
      readonly status: number;
    }
  | {
      readonly kind: 'port';
      readonly timeNs: number;
      readonly what: PortStep;
      readonly domid: Domid;
      readonly port: Port;
      readonly remoteDomid: Domid;
      readonly remotePort: Port;
    }
  | {
      readonly kind: 'send';
      readonly timeNs: number;
      readonly domid: Domid;
      readonly port: Port;
      readonly outcome: 'set' | 'coalesced' | 'dropped';
    }
  /** A store to an index word of a xenstore ring page. `bytes`: the whole page, shared; copy what is to be kept. */
  | {
      readonly kind: 'index';
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
      readonly timeNs: number;
      readonly domid: Domid;
      readonly instance: number;
    } & StoreNews)
  /** A remark for whoever reads the trace (a fault that fired); no program acts on it. */
  | {
      readonly kind: 'mark';
      readonly timeNs: number;
      readonly actor: string;
      readonly what: string;
      readonly n: number;
      readonly detail: string;
    };

const KINDS = ['life', 'grant', 'port', 'send', 'index', 'mark', 'step', 'socket'] as const;
const TAG = Object.fromEntries(KINDS.map((k, i) => [k, i + 1])) as Record<(typeof KINDS)[number], number>;

/** The run's record: each event goes into the digest, and to observers if there are any. Observing never changes a run. */
export class Trace {
  readonly digest = new Digest();
  readonly #events = new EventEmitter<{ event: [TraceEvent] }>();
  #observers = 0;
  #count = 0;
  nowNs = 0;

  /** Call `observer` with every event from now on. */
  observe(observer: (event: TraceEvent) => void): void {
    this.#events.on('event', observer);
    this.#observers++;
  }

  /** Events and steps so far. */
  get count(): number {
    return this.#count;
  }

  /** One step of a task; folded, never emitted: there are too many of them to be anybody's news. */
  step(taskId: number, timeNs: number): void {
    this.#count++;
    this.digest.word((taskId << 3) | TAG.step);
    this.digest.word(timeNs | 0);
  }

  life(domid: Domid, uniqueId: bigint, what: LifeStep): void {
    this.#fold(TAG.life, domid, what.length);
    this.digest.text(what);
    if (this.#observers > 0) this.#emit({ kind: 'life', timeNs: this.nowNs, domid, uniqueId, what });
  }

  grant(
    what: 'map' | 'unmap' | 'refused' | 'copy' | 'transfer',
    mapper: Domid,
    granter: Domid,
    gref: number,
    status: number,
  ): void {
    this.#fold(TAG.grant, (mapper << 16) | granter, gref);
    this.digest.word(status);
    if (this.#observers > 0) this.#emit({ kind: 'grant', timeNs: this.nowNs, what, mapper, granter, gref, status });
  }

  port(what: PortStep, domid: Domid, port: Port, remoteDomid: Domid, remotePort: Port): void {
    this.#fold(TAG.port, (domid << 16) | port, (remoteDomid << 16) | remotePort);
    this.digest.text(what);
    if (this.#observers > 0)
      this.#emit({ kind: 'port', timeNs: this.nowNs, what, domid, port, remoteDomid, remotePort });
  }

  send(domid: Domid, port: Port, outcome: 'set' | 'coalesced' | 'dropped'): void {
    this.#fold(TAG.send, (domid << 16) | port, outcome.length);
    if (this.#observers > 0) this.#emit({ kind: 'send', timeNs: this.nowNs, domid, port, outcome });
  }

  index(domid: Domid, by: 'guest' | 'store', word: RingWord, from: number, to: number, bytes: Uint8Array): void {
    this.#fold(TAG.index, (domid << 3) | word, to);
    if (this.#observers > 0) this.#emit({ kind: 'index', timeNs: this.nowNs, domid, by, word, from, to, bytes });
  }

  socket(end: SocketEnd, what: SocketStep, fd: number, by: string, bytes: Uint8Array, at: number, count: number): void {
    this.#fold(TAG.socket, fd, count);
    this.digest.text(end);
    this.digest.text(what);
    if (count > 0) this.digest.octets(bytes, at, at + count);
    if (this.#observers > 0) this.#emit({ kind: 'socket', timeNs: this.nowNs, end, what, fd, by, bytes, at, count });
  }

  /** News of the store in `domid`. */
  store(domid: Domid, instance: number, news: StoreNews): void {
    const words = digested(news);
    if (words !== undefined) this.#foldWords('xenstored', news.phase, ...words);
    if (this.#observers > 0) this.#emit({ kind: 'store', timeNs: this.nowNs, domid, instance, ...news });
  }

  mark(actor: string, what: string, n: number, detail = ''): void {
    this.#foldWords(actor, what, n, detail);
    if (this.#observers > 0) this.#emit({ kind: 'mark', timeNs: this.nowNs, actor, what, n, detail });
  }

  /** What an actor says is folded in one way, whoever it is. */
  #foldWords(actor: string, what: string, n: number, detail: string): void {
    this.#fold(TAG.mark, n, detail.length);
    this.digest.text(actor);
    this.digest.text(what);
    this.digest.text(detail);
  }

  #fold(tag: number, x: number, y: number): void {
    this.#count++;
    this.digest.word(tag);
    this.digest.word(x);
    this.digest.word(y);
    this.digest.wide(this.nowNs);
  }

  #emit(event: TraceEvent): void {
    this.#events.emit('event', event);
  }
}
