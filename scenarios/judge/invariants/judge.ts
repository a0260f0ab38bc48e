import type { History, HistoryRecord } from '../history.ts';
import { detach, noteLife } from '../oracles/domain-death.ts';
import { domidOf, oneString, stringsOf } from '../oracles/numbers.ts';
import { predict } from '../oracles/predict.ts';
import type { Answer } from '../oracles/prediction.ts';
import type { Transaction } from '../oracles/tree.ts';
import { type Moment, Op } from '../oracles/wire.ts';
import { type Peer, XenstoreModel } from '../oracles/xenstore-model.ts';
import { Code, type RecordLog } from '../record-log.ts';
import { answerOf, apply, reportWrong, wrong } from './answers.ts';
import type { Connection, Request } from './connection-epochs.ts';
import { Deaths } from './deaths.ts';
import { checkSnapshot, checkThereIsOne } from './final-tree.ts';
import { describe, type Evidence } from './finding.ts';
import { Outbox } from './outbox.ts';
import { StaleIds, startBehind } from './stale-ids.ts';
import { checkOpen, markCrossed, noteEnd, startedBy } from './transactions.ts';
import { UnnoticedEnds } from './unnoticed-ends.ts';
import { explainEvent, ShutdownEvents } from './watch-events.ts';
import { WriteRate } from './write-rate.ts';

/** Run the model once over the history, in the order in which requests took effect, and compare what comes out. `recognises`:
 *  the store may know its queued events again behind an update. */
export function judge(
  history: History,
  log: RecordLog,
  connections: readonly Connection[],
  evidence: Evidence,
  recognises: boolean,
): void {
  new Judge(history, log, connections, evidence, recognises).run();
}

/** A release that was served: whether its reply comes before or behind the events shows only with the next record. */
interface Releasing {
  readonly request: Request;
  readonly domid: number;
  /** The ring comes right behind the requester's in the store's list: it is let go of later in the same pass. */
  readonly isNeighbour: boolean;
}

class Judge {
  readonly #history: History;
  readonly #log: RecordLog;
  readonly #connections: readonly Connection[];
  readonly #evidence: Evidence;
  readonly #model: XenstoreModel;
  readonly #boxes: readonly Outbox[];
  readonly #shutdowns = new ShutdownEvents();
  readonly #deaths: Deaths;
  readonly #unnoticed: UnnoticedEnds;
  readonly #stale = new StaleIds();
  /** Where the store limits writes. */
  readonly #rate: WriteRate | undefined;
  #dumpedNs = 0;
  /** Updates after which the old instance went on: it looks for the dead before it says so, and is nobody's successor. */
  readonly #failing: ReadonlySet<number>;
  /** Where requests were consumed for which the store had no memory. */
  readonly #noMemory: ReadonlySet<number>;
  /** Put-aside requests that were found to have run before their reply was written. */
  readonly #early = new Set<Request>();
  /** Per connection: requests served, messages begun, messages finished. */
  readonly #at: { served: number; begun: number; finished: number }[];
  readonly #requestOf = new Map<unknown, Request>();
  #releasing: Releasing | undefined;
  #introducing: number | undefined;
  /** When dom0 last listed the root: so begins the reading of a whole tree. */
  #readingSince = Number.POSITIVE_INFINITY;
  /** Where the store's process stands; from 'dumped' on, the next thing it does to a connection is the successor's. */
  #phase: 'serving' | 'dumped' | 'taken over' = 'serving';
  /** Per connection, its last RESET_WATCHES. */
  readonly #resetAt = new Map<number, number>();
  /** The last `live-update -s` that was seen in a ring. */
  #updating: Request | undefined;

  constructor(
    history: History,
    log: RecordLog,
    connections: readonly Connection[],
    evidence: Evidence,
    recognises: boolean,
  ) {
    this.#history = history;
    this.#log = log;
    this.#connections = connections;
    this.#evidence = evidence;
    this.#model = new XenstoreModel(history.compat);
    this.#boxes = connections.map((connection) => new Outbox(connection, evidence['watch-events'], recognises));
    this.#deaths = new Deaths(connections, evidence);
    this.#rate = history.limitsWrites === true ? new WriteRate() : undefined;
    this.#unnoticed = new UnnoticedEnds(this.#model, this.#boxes);
    this.#noMemory = requestsWithoutMemory(log);
    this.#failing = new Set(log.kept.flatMap((r) => (r.kind === 'liveUpdate' && r.what === 'failed' ? [r.n] : [])));
    this.#at = connections.map(() => ({ served: 0, begun: 0, finished: 0 }));
    for (const connection of connections)
      for (const r of connection.requests) if (r.reply !== undefined) this.#requestOf.set(r.reply, r);
  }

  run(): void {
    const { codes, conns, length } = this.#log;
    for (let seq = 0; seq < length; seq++) {
      const code = codes[seq]!;
      if (code === Code.tookReq) this.#consumed(this.#connections[conns[seq]!]!, seq);
      else if (code === Code.putRsp) this.#published(this.#connections[conns[seq]!]!, seq);
      else if (code === Code.kept) this.#step(this.#log.at(seq)!);
    }
    this.#settleRelease();
    const end = this.#log.at(-1);
    checkThereIsOne(this.#log, this.#evidence);
    if (end === undefined) return;
    const someoneStalls = this.#connections.some((l) => l.isStalled);
    for (const [conn, box] of this.#boxes.entries())
      box.end(end, this.#connections[conn]!.isAliveAtEnd && !someoneStalls);
    this.#shutdowns.check(this.#connections, this.#boxes, this.#model, end, this.#evidence);
    this.#deaths.check(end, this.#history.endNs ?? end.timeNs);
  }

  #step(r: HistoryRecord): void {
    switch (r.kind) {
      case 'consume':
        if (r.dir === 'req') this.#consumed(this.#connections[r.conn]!, r.seq);
        break;
      case 'publish':
        if (r.dir === 'rsp') this.#published(this.#connections[r.conn]!, r.seq);
        break;
      case 'open':
        this.#opened(r.conn, r);
        break;
      case 'detach':
        this.#detached(r.conn, r);
        break;
      case 'life':
        this.#lived(r);
        break;
      case 'liveUpdate':
        if (r.what === 'dump') this.#dumpedNs = r.timeNs;
        if (r.what === 'up' && this.#phase !== 'taken over') this.#updated(r);
        if (r.what === 'up') this.#deaths.checkTakenOver(r, this.#model);
        else if (r.what === 'failed') this.#updating = undefined;
        this.#phase = r.what === 'dump' && !this.#failing.has(r.n) ? 'dumped' : 'serving';
        break;
      case 'snapshot':
        this.#settleRelease();
        this.#unnoticed.notice(r);
        checkSnapshot(r, this.#readingSince, this.#model, this.#evidence);
        break;
      case 'fault':
        this.#deaths.struck(r);
        break;
      case 'close': // what the store has not read it never will: nothing changes before it closes its own end
      case 'noMemory':
      case 'page':
      case 'stale':
      case 'sent':
      case 'got':
        break;
    }
  }

  #consumed(connection: Connection, seq: number): void {
    const at = this.#at[connection.epoch.conn]!;
    for (let r = connection.requests[at.served]; r !== undefined && r.seq <= seq; r = connection.requests[at.served]) {
      at.served++;
      this.#settleRelease();
      this.#introducing = undefined;
      const peer = this.#model.peers.get(r.conn);
      if (peer === undefined) {
        this.#evidence.replies.add(
          r,
          r.actor,
          describe(r),
          `${connection.name}: ${describe(r)} was taken from a ring that is not in use`,
        );
        continue;
      }
      if (r.isOverlong) {
        this.#model.reset(r.conn, r.seq, 'an over-long message');
        this.#boxes[r.conn]!.close();
      } else if (r.seq < connection.ignoredSeq && !r.isPutAside) this.#serve(peer, r);
    }
  }

  #published(connection: Connection, seq: number): void {
    const at = this.#at[connection.epoch.conn]!;
    const box = this.#boxes[connection.epoch.conn]!;
    if (this.#releasing?.request.conn === connection.epoch.conn) this.#settleRelease();
    for (;;) {
      const m = connection.output[at.begun];
      if (at.finished === at.begun) {
        if (m === undefined || m.first.seq > seq) return;
        const request = this.#requestOf.get(m);
        // 1. START is put aside. 2. Its connection is served on. 3. It runs at a moment that no record shows, before its reply.
        // Nobody can use the new transaction before that reply, so it may as well start with the reply's first octet.
        const peer = this.#model.peers.get(connection.epoch.conn);
        if (request?.isPutAside && peer !== undefined && !this.#early.has(request)) this.#serve(peer, request);
        box.begin(
          m,
          request,
          (text) => this.#excuse(connection.epoch.conn, text, m.first),
          (text) => explainEvent(this.#model, connection.epoch.conn, text),
        );
        at.begun++;
      }
      if (connection.output[at.finished]!.last.seq > seq) return;
      box.finish();
      at.finished++;
    }
  }

  #serve(peer: Peer, request: Request): void {
    if (request.type === Op.RM || request.type === Op.TRANSACTION_END) this.#unnoticed.foresee();
    const tx = this.#transactionOf(peer, request);
    this.#stale.check(request, tx, this.#evidence);
    if (request.type === Op.DIRECTORY && request.payload === '/\0' && peer.isPriv) this.#readingSince = request.seq;
    const accessedBefore = tx?.accessed.size ?? 0;
    const actual = answerOf(request);
    if (this.#noMemory.has(request.seq)) return this.#serveWithoutMemory(request, actual);
    let prediction = predict(this.#model, peer, request);
    let what = actual && wrong(prediction, actual);
    if (what !== undefined && !this.#unnoticed.isEmpty) {
      // 1. A domain without a ring goes. 2. The store notices it, and removes its nodes. 3. This request is the first to show it.
      this.#unnoticed.notice(request);
      tx?.forgetAfter(accessedBefore);
      prediction = predict(this.#model, peer, request);
      what = actual && wrong(prediction, actual);
    }
    if (what !== undefined && this.#unnoticed.noticeLate(request)) {
      tx?.forgetAfter(accessedBefore);
      prediction = predict(this.#model, peer, request);
      what = actual && wrong(prediction, actual);
    }
    if (what !== undefined && tx?.isDoubtful && actual?.ok === false && actual.error === 'ENOENT') {
      // 1. START is served, its reply waits behind others. 2. A forced update breaks the transaction. 3. The reply is written.
      peer.transactions.delete(request.txId);
      what = undefined;
    }
    if (what !== undefined) reportWrong(this.#model, request, prediction, actual!, tx, what, this.#evidence);
    if (request.type === Op.CONTROL && peer.isPriv && /^live-update\0(?:.*\0)?-s\0/.test(request.payload))
      this.#updating = request;
    const isAside = request.isPutAside || request.type === Op.CONTROL;
    const committed = apply(prediction, actual);
    if (actual?.ok === true && !isAside) this.#pay(peer, request);
    if (tx !== undefined) noteEnd(this.#model, peer, request, tx, committed, this.#evidence);
    const begun = startedBy(peer, request, actual);
    if (begun !== undefined) this.#stale.started(begun, request);
    if (request.crossedUpdate) markCrossed(begun, this.#history.transactionPolicy);
    if (request.type === Op.RESET_WATCHES && committed) this.#resetAt.set(request.conn, request.seq);
    // 1. START is served at once, although an update is pending. 2. RESET_WATCHES drops its transaction. 3. Its reply is written.
    const wasReset = request.isPutAside && (this.#resetAt.get(request.conn) ?? -1) > request.seq;
    if (begun !== undefined && wasReset) begun.isDoubtful = true;
    if (committed) this.#noteDomainOp(peer, request);
    this.#deliver(request, request);
    if (isAside) return;
    const releasing = this.#releasing?.request === request ? this.#releasing : undefined;
    if (releasing === undefined || releasing.isNeighbour)
      this.#boxes[request.conn]!.reply(request, releasing !== undefined);
    if (committed && prediction.firstEvent !== undefined)
      this.#boxes[request.conn]!.event(prediction.firstEvent, request, request);
  }

  /** What a guest writes while anybody's transaction is open costs it one write at least; which ones surely do is counted. */
  #pay(peer: Peer, request: Request): void {
    if (this.#rate === undefined || peer.isPriv || peer.isSocket || request.txId !== 0) return;
    if (request.type !== Op.WRITE && request.type !== Op.SET_PERMS) return;
    const isOpen = [...this.#model.peers.values()].some(({ transactions }) =>
      [...transactions.values()].some(({ isDoubtful }) => !isDoubtful),
    );
    if (!isOpen) return;
    this.#evidence.replies.count('writes held to the rate limit');
    const what = this.#rate.paid(request.conn, request.timeNs);
    if (what === undefined) return;
    const detail = `${request.connection.name}: ${describe(request)} ${what}`;
    this.#evidence.replies.add(request, request.actor, describe(request), detail);
  }

  /** ENOMEM, and nothing comes of the request. */
  #serveWithoutMemory(request: Request, actual: Answer | undefined): void {
    if (actual !== undefined && (actual.ok || actual.error !== 'ENOMEM'))
      this.#evidence.replies.add(
        request,
        request.actor,
        describe(request),
        `${request.connection.name}: ${describe(request)} got another answer than ENOMEM, and there was no memory for it`,
      );
    this.#boxes[request.conn]!.reply(request, false);
  }

  #transactionOf(peer: Peer, request: Request): Transaction | undefined {
    const { txId } = request;
    if (txId === 0 || request.type === Op.WATCH || request.type === Op.UNWATCH) return undefined;
    const known = peer.transactions.get(txId);
    if (known !== undefined || request.reply === undefined || request.reply.type === Op.ERROR) return known;
    const start = startBehind(request);
    if (start === undefined) return undefined;
    this.#early.add(start);
    this.#serve(peer, start);
    return peer.transactions.get(txId);
  }

  #noteDomainOp(peer: Peer, request: Request): void {
    const { type, payload } = request;
    if (type !== Op.RELEASE && type !== Op.RESUME && type !== Op.INTRODUCE) return;
    const domid = domidOf(type === Op.INTRODUCE ? stringsOf(payload)[0] : oneString(payload), this.#model.compat);
    if (domid === undefined) return;
    if (type === Op.RELEASE) {
      this.#releasing = { request, domid, isNeighbour: this.#isNeighbour(peer, domid) };
      this.#deaths.released(domid);
    } else if (type === Op.RESUME) this.#shutdowns.resume(domid, request);
    else if (this.#model.introduced(domid) !== undefined) this.#introducing = domid;
  }

  /** Hand the events that were caused to their connections. */
  #deliver(at: Moment, request: Request | undefined): void {
    for (const { conn, text, isDoubtful } of this.#model.takeEvents()) {
      if (isDoubtful) this.#boxes[conn]!.floating(text);
      else this.#boxes[conn]!.event(text, at, request);
    }
  }

  /** The reply to a release that did not let go of any ring (a target's first one), or did so already. */
  #settleRelease(): void {
    const releasing = this.#releasing;
    if (releasing === undefined) return;
    this.#releasing = undefined;
    if (!releasing.isNeighbour) this.#boxes[releasing.request.conn]!.reply(releasing.request, false);
  }

  /** The ring of `domid` comes right behind the connection of `peer` in the store's list. */
  #isNeighbour(peer: Peer, domid: number): boolean {
    const all = [...this.#model.peers.values()];
    const next = all[all.indexOf(peer) + 1];
    return next?.domid === domid && !next.isSocket;
  }

  #opened(conn: number, at: Moment): void {
    const { epoch } = this.#connections[conn]!;
    if (epoch.isSocket === true) {
      this.#model.accept(conn, epoch.domid, epoch.name);
      return;
    }
    const older = this.#model.introduced(epoch.domid);
    if (older !== undefined) this.#close(older.conn, at);
    this.#introducing = undefined;
    this.#deaths.introduced(epoch.domid);
    this.#model.open(conn, epoch.domid, epoch.name);
    this.#rate?.introduced(conn, at.timeNs);
    this.#unnoticed.delete(epoch.domid);
  }

  #close(conn: number, at: Moment): void {
    this.#rate?.ended(conn, at.timeNs);
    this.#model.close(conn, at.seq);
    this.#boxes[conn]!.close();
  }

  #detached(conn: number, at: Moment): void {
    if (this.#phase === 'dumped') {
      // 1. The image is written. 2. A domain dies. 3. The successor reads the image, looks for the dead, lets go of this one, and
      // only then begins to serve: what was carried is as it was before the death.
      this.#updated(at);
      this.#phase = 'taken over';
    }
    const { domid, isSocket } = this.#connections[conn]!.epoch;
    this.#boxes[conn]!.close();
    if (isSocket === true) {
      this.#model.hangUp(conn, at.seq);
      return;
    }
    if (this.#introducing === domid) {
      this.#close(conn, at); // INTRODUCE once more: the port changes, nothing else
      return;
    }
    const releasing = this.#releasing?.domid === domid ? this.#releasing : undefined;
    this.#deaths.checkLetGo(at, this.#connections[conn]!);
    this.#rate?.ended(conn, at.timeNs);
    detach(this.#model, conn, at.seq);
    this.#shutdowns.detached(domid);
    this.#deliver(at, releasing?.request);
    if (releasing !== undefined) this.#settleRelease();
  }

  #lived(r: Extract<HistoryRecord, { readonly kind: 'life' }>): void {
    if (noteLife(this.#model, r.domid, r.what)) this.#unnoticed.add(r.domid);
    if (r.what === 'created') this.#unnoticed.bornAgain(r.domid, r.seq);
    if (r.what === 'shutdown' && this.#model.introduced(r.domid) !== undefined)
      this.#shutdowns.shutdown(r.domid, r, r.isSubscribed === true);
    this.#deaths.note(r);
    if (r.what === 'resumed') this.#shutdowns.over(r.domid);
    else if (r.what === 'dying' || r.what === 'dead') this.#shutdowns.ended(r.domid);
  }

  #updated(at: Moment): void {
    this.#settleRelease();
    checkOpen(this.#model, this.#history, at, this.#updating, this.#evidence);
    const isForced = this.#updating?.payload.includes('\0-F\0') === true;
    this.#updating = undefined;
    if (this.#history.transactionPolicy === 'daemon') this.#stale.update(this.#model.peers.values(), at.seq, isForced);
    this.#model.liveUpdate(this.#history.transactionPolicy);
    this.#rate?.updated(this.#dumpedNs);
    this.#shutdowns.liveUpdate(at);
    for (const box of this.#boxes) box.liveUpdate(at.timeNs);
  }

  #excuse(conn: number, text: string, at: Moment): boolean {
    const token = text.slice(text.indexOf('\0') + 1, -1);
    const former = this.#model.watches.former.get(`${conn}\0${token}`);
    if (this.#shutdowns.excuse(conn, text, this.#model.watches.of(conn), former)) return true;
    if (this.#unnoticed.isEmpty) this.#unnoticed.noticeLate(at);
    else this.#unnoticed.notice(at);
    return false;
  }
}

/** Positions of the `consume` records whose requests met a lack of memory. */
function requestsWithoutMemory(log: RecordLog): ReadonlySet<number> {
  const found = new Set<number>();
  if (!log.kept.some((r) => r.kind === 'noMemory')) return found;
  const last = new Map<number, number>();
  for (let seq = 0; seq < log.length; seq++) {
    if (log.codes[seq] === Code.tookReq) last.set(log.conns[seq]!, seq);
    if (log.codes[seq] !== Code.kept) continue;
    const r = log.at(seq)!;
    if (r.kind === 'consume' && r.dir === 'req') last.set(r.conn, r.seq);
    if (r.kind === 'noMemory') found.add(last.get(r.conn) ?? -1);
  }
  return found;
}
