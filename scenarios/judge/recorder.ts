import type { DeviceObserver } from '../../guests/devices/index.ts';
import type { ClientObserver, LibxlObserver, XsClient } from '../../guests/index.ts';
import {
  type Frame,
  GNTTAB_RESERVED_XENSTORE,
  type Machine,
  RING_BYTES,
  RSP_CONS,
  RSP_PROD,
  type StoreNews,
  type TraceEvent,
  used,
} from '../../sim/index.ts';
import type { DeviceRecord, Epoch, History, HistoryRecord, SnapshotNode, ToolstackRecord } from './history.ts';
import { octetsOf, type Pieces } from './put-in.ts';
import { RecordLog } from './record-log.ts';
import { recordedHistory } from './recorded-history.ts';

type Body = HistoryRecord extends infer R ? (R extends HistoryRecord ? Omit<R, 'seq' | 'timeNs'> : never) : never;

/** A ring in use: where each of its four indexes stands, counted in octets since the epoch began. */
interface Ring {
  readonly conn: number;
  readonly positions: [number, number, number, number];
  /** What stands in them; `undefined`: it did not move yet. */
  readonly words: (number | undefined)[];
  /** Where the guest granted it from; `undefined`: nobody granted it. */
  readonly frame: Frame | undefined;
  readonly isHostile: boolean;
  /** Its guest gave the page back, and the store has another one. */
  isExchanged: boolean;
}

/** A socket in use: how far its two ends have written and read. */
interface Socket {
  readonly conn: number;
  readonly publish: { req: number; rsp: number };
  readonly consume: { req: number; rsp: number };
  /** One of its ends is closed. */
  isHalfClosed: boolean;
}

/** In which buffer of the page a stream lives. */
const BUFFER = { req: 0, rsp: RING_BYTES } as const;

/**
 * Writes the history from outside the store: index stores on shared pages, what crosses its sockets, ports, lives of domains,
 * and what the clients' libraries say of their messages. Observing never changes a run.
 */
export class Recorder {
  readonly #machine: Machine;
  readonly #storeDomid: number;
  readonly #epochs: Epoch[] = [];
  readonly #log = new RecordLog();
  #devices: DeviceRecord[] | undefined;
  #toolstack: ToolstackRecord[] | undefined;
  #mappings = 0;
  /** Current ring by domid. */
  readonly #rings = new Map<number, Ring>();
  /** By the store's number of the connection. */
  readonly #sockets = new Map<number, Socket>();
  /** Epoch by the store's local port. */
  readonly #ports = new Map<number, number>();
  readonly #policy: History['transactionPolicy'];
  readonly #compat: History['compat'];
  readonly #limitsWrites: boolean;
  readonly #hostile = new Set<number>();
  /** Epochs, by domid, whose ports went with the old daemon in a live update. Bound again, they go on. */
  readonly #between = new Map<number, number>();
  /** The old daemon ends: what is closed now is not given up. */
  #isEnding = false;
  /** Where in the history the store's process ended; `undefined`: it goes on. */
  storeEnd: { readonly seq: number; readonly timeNs: number } | undefined = undefined;

  constructor(
    machine: Machine,
    storeDomid: number,
    policy: History['transactionPolicy'],
    compat: History['compat'] = '4.22',
    limitsWrites = false,
  ) {
    this.#machine = machine;
    this.#compat = compat;
    this.#limitsWrites = limitsWrites;
    this.#storeDomid = storeDomid;
    this.#policy = policy;
    machine.trace.observe((event) => this.#note(event));
  }

  /** The domain keeps no rule; to be said before it is introduced. */
  distrust(domid: number): void {
    this.#hostile.add(domid);
  }

  isHostile(domid: number): boolean {
    return this.#hostile.has(domid);
  }

  /** What a guest's client library is to tell of its messages. While nobody has introduced its domain nothing that it says reaches a
   *  store, and there is no connection that it could be told of. */
  ofClient(client: Pick<XsClient, 'rewatch'>, domain: number): ClientObserver {
    let domid = domain;
    let known: number | undefined;
    const conn = () => {
      // The store may have let go of a ring that its domain goes on using: it is the last one all the same.
      known ??=
        this.#rings.get(domid)?.conn ??
        this.#epochs.findLast((epoch) => epoch.domid === domid && epoch.isSocket !== true)?.conn;
      return known;
    };
    return {
      ...this.#observer(conn),
      moved: (to) => {
        const before = conn();
        domid = to;
        known = undefined;
        const rewatch = client.rewatch === 'newest first' ? client.rewatch : 'oldest first';
        const heir = this.#epochs[conn() ?? -1];
        if (heir === undefined || before === undefined) return;
        this.#epochs[heir.conn] = { ...heir, heirOf: { conn: before, rewatch } };
      },
    };
  }

  /**
   * The same of a guest that comes from another host. Nobody may have introduced it (DST-8): then nothing that it says reaches a
   * store, and there is no connection that it could be told of.
   */
  ofArrived(client: Pick<XsClient, 'rewatch'>, domain: number): ClientObserver {
    const uniqueId = this.#machine.domain(domain)?.uniqueId;
    const isKnown = this.#epochs.some((epoch) => epoch.uniqueId === uniqueId && epoch.isSocket !== true);
    return isKnown ? this.ofClient(client, domain) : { sent: () => {}, got: () => {} };
  }

  /** What the library of the program at the newest connection of the store's socket is to tell. */
  ofNewestSocket(): ClientObserver {
    const conn = this.#epochs.length - 1;
    if (this.#epochs[conn]?.isSocket !== true) throw new Error('assertion: the newest connection is no socket');
    return this.#observer(() => conn);
  }

  #observer(connOf: () => number | undefined): ClientObserver {
    return {
      sent: (actor, end, type, reqId, txId, payload) => {
        const conn = connOf();
        if (conn === undefined) return;
        this.#log.sent(this.#machine.nowNs, { conn, actor, end, type, reqId, txId, payload });
      },
      got: (end, type, reqId, txId, payload) => {
        const conn = connOf();
        if (conn === undefined) return;
        this.#log.got(this.#machine.nowNs, { conn, actor: '', end, type, reqId, txId, payload });
      },
    };
  }

  /** Where the ends of devices tell of their work. */
  get devices(): DeviceObserver {
    this.#devices ??= [];
    const devices = this.#devices;
    return { note: (dev, news) => devices.push({ seq: this.length, timeNs: this.#machine.nowNs, dev, ...news }) };
  }

  /** Where processes that use libxl tell of their work. */
  get toolstack(): LibxlObserver {
    this.#toolstack ??= [];
    const told = this.#toolstack;
    return { note: (news) => told.push({ seq: this.length, timeNs: this.#machine.nowNs, ...news }) };
  }

  snapshot(nodes: readonly SnapshotNode[]): void {
    this.#add({ kind: 'snapshot', nodes });
  }

  history(): History {
    return recordedHistory(this.#log, {
      epochs: this.#epochs,
      endNs: this.#machine.nowNs,
      transactionPolicy: this.#policy,
      compat: this.#compat,
      limitsWrites: this.#limitsWrites,
      mappings: this.#mappings,
      ...(this.#devices === undefined ? {} : { devices: this.#devices }),
      ...(this.#toolstack === undefined ? {} : { toolstack: this.#toolstack }),
    });
  }

  get length(): number {
    return this.#log.length;
  }

  #add(body: Body): void {
    this.#log.add({ seq: this.#log.length, timeNs: this.#machine.nowNs, ...body } as HistoryRecord);
  }

  #note(event: TraceEvent): void {
    switch (event.kind) {
      case 'index':
        this.#index(event);
        return;
      case 'socket':
        this.#socket(event);
        return;
      case 'life':
        this.#add({
          kind: 'life',
          domid: event.domid,
          uniqueId: event.uniqueId,
          what: event.what,
          ...(event.what === 'shutdown' && this.#isSubscribed(event.domid) ? { isSubscribed: true } : {}),
        });
        return;
      case 'store':
        if (event.domid === this.#storeDomid) this.#store(event);
        return;
      case 'mark':
        this.#mark(event);
        return;
      case 'port': // the store's own it tells itself: other programs of its domain have ports, too
        return;
      case 'grant':
        if (event.what === 'map') this.#mappings++;
        else if (event.what === 'stale') {
          const { mapper, granter, gref } = event;
          this.#add({ kind: 'stale', mapper, granter, gref });
        }
        return;
      case 'send':
        return;
    }
  }

  #isSubscribed(domid: number): boolean {
    const domain = this.#machine.domain(domid);
    return domain?.shutdown === 'suspend' && domain.suspendPort !== 0;
  }

  #mark({ actor, what: id, detail }: TraceEvent & { kind: 'mark' }): void {
    const isOver = actor === 'faults over';
    if (isOver || actor === 'faults') this.#add({ kind: 'fault', id, detail, isOver });
  }

  #store(news: StoreNews): void {
    switch (news.phase) {
      case 'dump':
      case 'up':
      case 'failed': {
        if (news.phase === 'up') this.#settle();
        const { update: n, phase: what, imageBytes } = news;
        this.#add({ kind: 'liveUpdate', n, what, imageBytes });
        return;
      }
      case 'exec':
        this.#isEnding = true;
        return;
      case 'started':
        this.#isEnding = false;
        return;
      case 'ended':
        this.storeEnd = { seq: this.length, timeNs: this.#machine.nowNs };
        this.#isEnding = false;
        for (const conn of this.#between.values()) this.#detach(conn, this.#epochs[conn] as Epoch);
        this.#between.clear();
        return;
      case 'bound':
        this.#bound(news.port, news.remoteDomid);
        return;
      case 'unbound':
        this.#unbound(news.port);
        return;
      case 'no-memory': {
        const conn = this.#rings.get(news.client)?.conn;
        if (conn !== undefined) this.#add({ kind: 'noMemory', conn });
        return;
      }
      case 'error-word':
        if (this.#rings.get(news.client)?.isHostile === true) this.#begin(news.client);
        return;
    }
  }

  /** The words of the page do not go on where they were, and the guest has no right to expect it: the page is another one. */
  #exchange(ring: Ring, { domid, word, from, bytes }: TraceEvent & { kind: 'index' }): void {
    const { frame, conn } = ring;
    if (frame === undefined || this.#machine.domain(domid)?.memory.frame(frame.gfn) === frame) return;
    ring.isExchanged = true;
    const page = new DataView(bytes.buffer, bytes.byteOffset);
    const unread = used(word === 3 ? from : page.getUint32(RSP_PROD, true), page.getUint32(RSP_CONS, true));
    this.#add({ kind: 'page', conn, unread });
  }

  #bound(port: number, remoteDomid: number): void {
    const again = this.#between.get(remoteDomid);
    if (again !== undefined && this.#isThere(this.#epochs[again] as Epoch)) {
      this.#between.delete(remoteDomid);
      this.#ports.set(port, again);
      return;
    }
    const conn = this.#begin(remoteDomid);
    // Port 0: it could not be bound, and the ring is served on (store.md 2.5).
    if (conn !== undefined && port !== 0) this.#ports.set(port, conn);
  }

  #unbound(port: number): void {
    const conn = this.#ports.get(port);
    if (conn === undefined) return;
    this.#ports.delete(port);
    const epoch = this.#epochs[conn] as Epoch;
    if (this.#isEnding) this.#between.set(epoch.domid, conn);
    else this.#detach(conn, epoch);
  }

  #detach(conn: number, { domid }: Epoch): void {
    if (this.#rings.get(domid)?.conn === conn) this.#rings.delete(domid);
    this.#add({ kind: 'detach', conn });
  }

  /** The successor runs. That it has not bound a port again is no excuse, unless the domain is gone. */
  #settle(): void {
    for (const conn of this.#between.values()) {
      const epoch = this.#epochs[conn] as Epoch;
      if (!this.#isThere(epoch)) this.#detach(conn, epoch);
    }
    this.#between.clear();
  }

  /** The very domain, not another with its number. */
  #isThere({ domid, uniqueId }: Epoch): boolean {
    return this.#machine.domain(domid)?.uniqueId === uniqueId;
  }

  /** A new epoch of the domain's ring; `undefined`: no such domain. */
  #begin(domid: number): number | undefined {
    const domain = this.#machine.domain(domid);
    if (domain === undefined) return undefined;
    const conn = this.#epochs.length;
    const isHostile = this.#hostile.has(domid);
    const { uniqueId, name } = domain;
    this.#epochs.push({ conn, domid, uniqueId, name, ...(isHostile ? { isHostile } : {}) });
    const before = this.#rings.get(domid)?.conn;
    for (const [port, old] of this.#ports) if (old === before) this.#ports.set(port, conn);
    const frame = domain.grants.active(GNTTAB_RESERVED_XENSTORE)?.frame;
    this.#rings.set(domid, { conn, positions: [0, 0, 0, 0], words: [], frame, isHostile, isExchanged: false });
    this.#add({ kind: 'open', conn });
    return conn;
  }

  #socket(event: TraceEvent & { kind: 'socket' }): void {
    const { what, end, fd } = event;
    if (what === 'connect') {
      const domid = this.#storeDomid;
      const { uniqueId = 0n, name = '' } = this.#machine.domain(domid) ?? {};
      const conn = this.#epochs.length;
      this.#epochs.push({ conn, domid, uniqueId, name: `${name}/${event.by}`, isSocket: true });
      this.#sockets.set(fd, { conn, publish: { req: 0, rsp: 0 }, consume: { req: 0, rsp: 0 }, isHalfClosed: false });
      return;
    }
    const socket = this.#sockets.get(fd);
    if (socket === undefined) return; // from before the recording
    const { conn } = socket;
    if (what === 'accept') this.#add({ kind: 'open', conn });
    else if (what === 'close') {
      this.#add({ kind: end === 'server' ? 'detach' : 'close', conn });
      if (socket.isHalfClosed) this.#sockets.delete(fd);
      socket.isHalfClosed = true;
    } else {
      const kind = what === 'write' ? 'publish' : 'consume';
      const dir = (end === 'client') === (what === 'write') ? 'req' : 'rsp';
      const from = socket[kind][dir];
      socket[kind][dir] = from + event.count;
      const { bytes, at, count } = event;
      this.#log.move(kind, conn, dir, this.#machine.nowNs, from, { bytes, at, first: count, rest: 0, count });
    }
  }

  #index(event: TraceEvent & { kind: 'index' }): void {
    const ring = this.#rings.get(event.domid);
    if (ring === undefined) return;
    const { word, by } = event;
    if (ring.isExchanged && by === 'guest') return;
    const { words } = ring;
    const last = words[word];
    words[word] = event.to;
    if (last !== undefined && last !== event.from && !ring.isHostile && !ring.isExchanged) this.#exchange(ring, event);
    // So does a reset of its own words, which would look like a move by four billion.
    if (by === 'store' && event.to === 0 && (event.to - event.from) >>> 0 > RING_BYTES) return;
    if (ring.isHostile && (by === 'guest' || (event.to - event.from) >>> 0 > RING_BYTES)) return;
    // The store writes the guest's words only when INTRODUCE resets the ring: a new beginning, not a move.
    if (by === 'store' && (word === 1 || word === 2)) return;
    const count = (event.to - event.from) >>> 0;
    const from = ring.positions[word];
    ring.positions[word] = from + count;
    const dir = word < 2 ? 'req' : 'rsp';
    const kind = word === 1 || word === 3 ? 'publish' : 'consume';
    // More than a ring full says so by itself: the octets are those that the page can hold.
    if (count <= RING_BYTES)
      this.#log.move(
        kind,
        ring.conn,
        dir,
        this.#machine.nowNs,
        from,
        inRing(event.bytes, BUFFER[dir], event.from, count),
      );
    else {
      const bytes = octetsOf(inRing(event.bytes, BUFFER[dir], event.from, RING_BYTES));
      this.#add({ kind, conn: ring.conn, dir, from, to: from + count, bytes });
    }
  }
}

/** Where in a page `count` octets lie, at most a ring full, that begin at free-running index `at`. */
function inRing(bytes: Uint8Array, buffer: number, at: number, count: number): Pieces {
  const start = at & (RING_BYTES - 1);
  return { bytes, at: buffer + start, first: RING_BYTES - start, rest: buffer, count };
}
