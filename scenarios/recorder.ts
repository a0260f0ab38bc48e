import type { DeviceObserver } from '../guests/devices/index.ts';
import type { ClientObserver, XsClient } from '../guests/index.ts';
import { copyOctets, type Machine, RING_BYTES, type TraceEvent } from '../sim/index.ts';
import type { DeviceRecord, Epoch, History, HistoryRecord, SnapshotNode } from './history.ts';

type Body = HistoryRecord extends infer R ? (R extends HistoryRecord ? Omit<R, 'seq' | 'timeNs'> : never) : never;

/** A ring in use: where each of its four indexes stands, counted in octets since the epoch began. */
interface Ring {
  readonly conn: number;
  readonly positions: [number, number, number, number];
  readonly isHostile: boolean;
}

/** In which buffer of the page a stream lives. */
const BUFFER = { req: 0, rsp: RING_BYTES } as const;

/**
 * Writes the history from outside the store: index stores on shared pages, ports, lives of domains, and what the guests'
 * client libraries say of their messages. Observing never changes a run.
 */
export class Recorder {
  readonly #machine: Machine;
  readonly #storeDomid: number;
  readonly #epochs: Epoch[] = [];
  readonly #records: HistoryRecord[] = [];
  #devices: DeviceRecord[] | undefined;
  /** `<domid> <port>` of ports that a guest offers to a backend: whoever binds them is not the store. */
  readonly #devicePorts = new Set<string>();
  /** Current ring by domid. */
  readonly #rings = new Map<number, Ring>();
  /** Epoch by the store's local port. */
  readonly #ports = new Map<number, number>();
  readonly #policy: History['transactionPolicy'];
  readonly #compat: History['compat'];
  readonly #hostile = new Set<number>();

  constructor(
    machine: Machine,
    storeDomid: number,
    policy: History['transactionPolicy'],
    compat: History['compat'] = '4.22',
  ) {
    this.#machine = machine;
    this.#compat = compat;
    this.#storeDomid = storeDomid;
    this.#policy = policy;
    machine.trace.observe((event) => this.#note(event));
  }

  /** The domain keeps no rule; to be said before it is introduced. */
  distrust(domid: number): void {
    this.#hostile.add(domid);
  }

  /** Follow a guest's client library. */
  follow(client: XsClient, domid: number, alsoSent: () => void): void {
    let ring: Ring | undefined;
    const conn = () => {
      ring ??= this.#rings.get(domid);
      if (ring === undefined) throw new Error(`assertion: domain ${domid} uses its ring before it was introduced`);
      return ring.conn;
    };
    const observer: ClientObserver = {
      sent: (actor, end, type, reqId, txId, payload) => {
        this.#records.push({
          seq: this.length,
          timeNs: this.#machine.nowNs,
          kind: 'sent',
          conn: conn(),
          actor,
          end,
          type,
          reqId,
          txId,
          payload,
        });
        alsoSent();
      },
      got: (end, type, reqId, txId, payload) => {
        this.#records.push({
          seq: this.length,
          timeNs: this.#machine.nowNs,
          kind: 'got',
          conn: conn(),
          end,
          type,
          reqId,
          txId,
          payload,
        });
      },
    };
    client.observer = observer;
  }

  /** Where the ends of devices tell of their work. */
  get devices(): DeviceObserver {
    this.#devices ??= [];
    const devices = this.#devices;
    return {
      note: (dev, news) => {
        devices.push({ seq: this.length, timeNs: this.#machine.nowNs, dev, ...news });
        if (news.what !== 'published') return;
        const domid = dev.split('/')[1];
        for (const port of news.ports) this.#devicePorts.add(`${domid} ${port}`);
      },
    };
  }

  snapshot(nodes: readonly SnapshotNode[]): void {
    this.#add({ kind: 'snapshot', nodes });
  }

  history(): History {
    return {
      epochs: this.#epochs,
      records: this.#records,
      transactionPolicy: this.#policy,
      compat: this.#compat,
      ...(this.#devices === undefined ? {} : { devices: this.#devices }),
    };
  }

  get length(): number {
    return this.#records.length;
  }

  /** For what is rare; the others are made in one piece. */
  #add(body: Body): void {
    this.#records.push({ seq: this.#records.length, timeNs: this.#machine.nowNs, ...body } as HistoryRecord);
  }

  #note(event: TraceEvent): void {
    switch (event.kind) {
      case 'index':
        this.#index(event);
        return;
      case 'life':
        this.#add({ kind: 'life', domid: event.domid, uniqueId: event.uniqueId, what: event.what });
        return;
      case 'port':
        this.#port(event);
        return;
      case 'mark':
        if (event.what === 'dump' || event.what === 'up' || event.what === 'failed')
          this.#add({ kind: 'liveUpdate', n: event.n, what: event.what, imageBytes: Number(event.detail) || 0 });
        else if (event.what === 'error-word' && this.#rings.get(event.n)?.isHostile === true) this.#begin(event.n);
        return;
      case 'grant':
      case 'send':
        return;
    }
  }

  #port(event: TraceEvent & { kind: 'port' }): void {
    if (event.what === 'close') this.#devicePorts.delete(`${event.domid} ${event.port}`);
    if (event.domid !== this.#storeDomid) return;
    if (event.what === 'bind') {
      if (this.#devicePorts.has(`${event.remoteDomid} ${event.remotePort}`)) return;
      const conn = this.#begin(event.remoteDomid);
      if (conn !== undefined) this.#ports.set(event.port, conn);
    } else if (event.what === 'close') {
      const conn = this.#ports.get(event.port);
      if (conn === undefined) return;
      this.#ports.delete(event.port);
      const epoch = this.#epochs[conn] as Epoch;
      if (this.#rings.get(epoch.domid)?.conn === conn) this.#rings.delete(epoch.domid);
      this.#add({ kind: 'detach', conn });
    }
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
    this.#rings.set(domid, { conn, positions: [0, 0, 0, 0], isHostile });
    this.#add({ kind: 'open', conn });
    return conn;
  }

  #index(event: TraceEvent & { kind: 'index' }): void {
    const ring = this.#rings.get(event.domid);
    if (ring === undefined) return;
    const { word, by } = event;
    // So does a reset of its own words, which would look like a move by four billion.
    if (by === 'store' && event.to === 0 && (event.to - event.from) >>> 0 > RING_BYTES) return;
    if (ring.isHostile && (by === 'guest' || (event.to - event.from) >>> 0 > RING_BYTES)) return;
    // The store writes the guest's words only when INTRODUCE resets the ring: a new beginning, not a move.
    if (by === 'store' && (word === 1 || word === 2)) return;
    const count = (event.to - event.from) >>> 0;
    const from = ring.positions[word];
    const to = from + count;
    ring.positions[word] = to;
    const dir = word < 2 ? 'req' : 'rsp';
    const bytes = ringOctets(event.bytes, BUFFER[dir], event.from, count);
    const kind = word === 1 || word === 3 ? 'publish' : 'consume';
    const { conn } = ring;
    this.#records.push({ seq: this.length, timeNs: this.#machine.nowNs, kind, conn, dir, from, to, bytes });
  }
}

/** Copy `count` octets (at most a ring full) that begin at free-running index `at`. */
function ringOctets(page: Uint8Array, buffer: number, at: number, count: number): Uint8Array {
  const n = Math.min(count, RING_BYTES);
  const start = at & (RING_BYTES - 1);
  const first = Math.min(n, RING_BYTES - start);
  const copy = new Uint8Array(n);
  copyOctets(page, buffer + start, copy, 0, first);
  copyOctets(page, buffer, copy, first, n - first);
  return copy;
}
