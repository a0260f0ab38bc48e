import type { Epoch, History, HistoryRecord, SnapshotNode } from '../../scenarios/judge/history.ts';
import { message as encode, HEADER_BYTES, messageEnd, messageOf } from '../../store/protocol/wire.ts';

/** The message types that the builder speaks. */
export const XS = {
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  START: 6,
  END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  EVENT: 15,
  ERROR: 16,
  RESET_WATCHES: 21,
} as const;

export function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

export function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

export function message(type: number, reqId: number, txId: number, payload: string): Uint8Array {
  return encode(type, reqId, txId, octets(payload));
}

interface TestNode {
  value: string;
  perms: string[];
  children: string[];
  generation: number;
}

interface Touched {
  readonly at: number;
  readonly perms: string[] | undefined;
  node: TestNode | undefined;
  written: boolean;
  fires: '' | 'top' | 'exact';
}

interface Out {
  readonly bytes: Uint8Array;
  sent: number;
  readonly key: string;
}

interface Ring {
  readonly epoch: Epoch;
  readonly reqs: { type: number; reqId: number; txId: number; payload: string; bytes: Uint8Array }[];
  readonly out: Out[];
  readonly watches: { raw: string; name: string; token: string; cut: number; serial: number }[];
  readonly transactions: Map<number, { touched: Map<string, Touched>; carried: boolean }>;
  readonly replies: Map<number, string>;
  pos: { reqPublished: number; reqConsumed: number; rspPublished: number; rspConsumed: number };
  unread: Uint8Array;
  lastTx: number;
  lastReq: number;
  isGone: boolean;
}

export interface BuilderOptions {
  readonly policy?: 'carry' | 'daemon';
  /** A mistake the server makes: commits that write only half, that ignore conflicts, or that are refused without one. */
  readonly mistake?:
    | 'half-commit'
    | 'no-conflicts'
    | 'always-conflict'
    | 'leaky-abort'
    | 'lost-update'
    | 'forgets-watches'
    | 'renews-watches'
    | 'restarts-ids';
}

/** Makes histories without a store: a server of its own, as simple as can be, answers; every octet goes through recorded
 *  rings. dom0 is there from the start. Private to tests; knows nothing of the checkers' model. */
export class HistoryBuilder {
  readonly records: HistoryRecord[] = [];
  readonly epochs: Epoch[] = [];
  readonly #rings: Ring[] = [];
  readonly #tree = new Map<string, TestNode>();
  readonly #options: BuilderOptions;
  readonly #alive = new Set([0]);
  #generation = 0;
  #serial = 0;
  #updates = 0;
  #uniqueId = 0n;
  timeNs = 0;
  readonly dom0: number;

  constructor(options: BuilderOptions = {}) {
    this.#options = options;
    for (const [name, children] of [
      ['/', ['tool']],
      ['/tool', ['xenstored']],
      ['/tool/xenstored', []],
    ] as const) {
      this.#tree.set(name, { value: '', perms: ['n0'], children: [...children], generation: ++this.#generation });
    }
    this.dom0 = this.open(0);
  }

  /** A domain appears and its ring comes into use (for a guest: by dom0's INTRODUCE, see `introduce`). Returns the connection. */
  open(domid: number): number {
    const uniqueId = ++this.#uniqueId;
    const conn = this.#join({ domid, uniqueId, name: domid === 0 ? 'dom0' : `domU${domid}` });
    if (domid === 0) this.#add({ kind: 'open', conn });
    return conn;
  }

  /** A program of dom0 opens the server's socket, which accepts it. Returns the connection. */
  connect(program: string): number {
    const conn = this.#join({ domid: 0, uniqueId: 1n, name: `dom0/${program}`, isSocket: true });
    this.#add({ kind: 'open', conn });
    return conn;
  }

  /** The program closes its end; the server does not know yet. */
  close(conn: number): void {
    this.#add({ kind: 'close', conn });
  }

  /** The server closes its end of a socket. */
  hangUp(conn: number): void {
    const ring = this.#rings[conn]!;
    ring.isGone = true;
    ring.watches.length = 0;
    ring.transactions.clear();
    this.#add({ kind: 'detach', conn });
  }

  #join(who: Omit<Epoch, 'conn'>): number {
    const conn = this.epochs.length;
    const epoch = { conn, ...who };
    this.epochs.push(epoch);
    const pos = { reqPublished: 0, reqConsumed: 0, rspPublished: 0, rspConsumed: 0 };
    this.#rings.push({
      epoch,
      pos,
      reqs: [],
      out: [],
      watches: [],
      transactions: new Map(),
      replies: new Map(),
      unread: new Uint8Array(0),
      lastTx: 0,
      lastReq: 0,
      isGone: false,
    });
    return conn;
  }

  /** A domain is created and introduced; it owns its home directory. */
  introduce(domid: number): number {
    const home = `/local/domain/${domid}`;
    this.#add({ kind: 'life', domid, uniqueId: this.#uniqueId + 1n, what: 'created' });
    this.#alive.add(domid);
    this.request(this.dom0, XS.MKDIR, `${home}\0`);
    this.request(this.dom0, XS.SET_PERMS, `${home}\0n${domid}\0`);
    const conn = this.open(domid);
    this.request(this.dom0, XS.INTRODUCE, `${domid}\x001\x007\0`);
    return conn;
  }

  /** The client puts a request into its ring. Returns its req_id. */
  send(conn: number, type: number, payload: string, txId = 0, who = 'worker'): number {
    const ring = this.#rings[conn]!;
    const reqId = ++ring.lastReq;
    const bytes = message(type, reqId, txId, payload);
    ring.reqs.push({ type, reqId, txId, payload, bytes });
    const from = ring.pos.reqPublished;
    ring.pos.reqPublished += bytes.length;
    this.#add({ kind: 'publish', conn, dir: 'req', from, to: ring.pos.reqPublished, bytes });
    this.#add({
      kind: 'sent',
      conn,
      actor: `${ring.epoch.name}/${who}`,
      end: ring.pos.reqPublished,
      type,
      reqId,
      txId,
      payload: octets(payload),
    });
    return reqId;
  }

  /** Octets of requests in the ring that the server has not taken. */
  waiting(conn: number): number {
    const { pos } = this.#rings[conn]!;
    return pos.reqPublished - pos.reqConsumed;
  }

  isGone(conn: number): boolean {
    return this.#rings[conn]!.isGone;
  }

  /** The server takes one request out of the ring, header and body apart, and serves it. */
  serve(conn: number): void {
    this.take(conn)?.();
  }

  /** The server takes one request out of the ring and puts it aside; the returned function serves it. */
  take(conn: number): (() => void) | undefined {
    const ring = this.#rings[conn]!;
    const request = ring.reqs.shift();
    if (request === undefined || ring.isGone) return undefined;
    for (const part of [request.bytes.slice(0, HEADER_BYTES), request.bytes.slice(HEADER_BYTES)]) {
      if (part.length === 0) continue;
      const from = ring.pos.reqConsumed;
      ring.pos.reqConsumed += part.length;
      this.#add({ kind: 'consume', conn, dir: 'req', from, to: ring.pos.reqConsumed, bytes: part });
    }
    return () => this.#answer(ring, request);
  }

  #answer(ring: Ring, { type, reqId, txId, payload }: Omit<Ring['reqs'][number], 'bytes'>): void {
    let answer: string;
    let first: string | undefined;
    try {
      [answer, first] = this.#execute(ring, type, txId, payload);
      this.#queue(ring, message(type, reqId, txId, answer), '');
    } catch (e) {
      if (!(e instanceof Refusal)) throw e;
      this.#queue(ring, message(XS.ERROR, reqId, txId, `${e.message}\0`), '');
    }
    if (first !== undefined) this.#event(ring, first);
  }

  /** The server writes at most `max` octets of what is queued, as far as the ring has room. */
  flush(conn: number, max = Number.POSITIVE_INFINITY): void {
    const ring = this.#rings[conn]!;
    const capacity = ring.epoch.isSocket === true ? 212_992 : 1024;
    let left = Math.min(max, capacity - (ring.pos.rspPublished - ring.pos.rspConsumed));
    while (left > 0 && ring.out.length > 0 && !ring.isGone) {
      const head = ring.out[0]!;
      const bytes = head.bytes.slice(head.sent, head.sent + left);
      const from = ring.pos.rspPublished;
      ring.pos.rspPublished += bytes.length;
      head.sent += bytes.length;
      left -= bytes.length;
      if (head.sent === head.bytes.length) ring.out.shift();
      this.#add({ kind: 'publish', conn, dir: 'rsp', from, to: ring.pos.rspPublished, bytes });
      const unread = new Uint8Array(ring.unread.length + bytes.length);
      unread.set(ring.unread);
      unread.set(bytes, ring.unread.length);
      ring.unread = unread;
    }
  }

  /** The client takes everything out of its reply ring. */
  drain(conn: number): void {
    const ring = this.#rings[conn]!;
    const { pos } = ring;
    if (pos.rspConsumed === pos.rspPublished || ring.isGone) return;
    const from = pos.rspConsumed;
    const start = pos.rspPublished - ring.unread.length;
    pos.rspConsumed = pos.rspPublished;
    this.#add({
      kind: 'consume',
      conn,
      dir: 'rsp',
      from,
      to: pos.rspPublished,
      bytes: ring.unread.slice(from - start),
    });
    let end = start;
    for (let length = messageEnd(ring.unread, 0); length !== undefined; length = messageEnd(ring.unread, 0)) {
      const { type, reqId, txId, payload } = messageOf(ring.unread, 0, ring.unread.slice(HEADER_BYTES, length));
      ring.unread = ring.unread.slice(length);
      end += length;
      if (type !== XS.EVENT) ring.replies.set(reqId, type === XS.ERROR ? `!${text(payload)}` : text(payload));
      this.#add({ kind: 'got', conn, end, type, reqId, txId, payload });
    }
  }

  /** Send, serve, write and take; returns the reply's payload, an error with `!` in front. */
  request(conn: number, type: number, payload: string, txId = 0, who = 'worker'): string {
    const reqId = this.send(conn, type, payload, txId, who);
    while (this.waiting(conn) > 0 && !this.isGone(conn)) this.serve(conn);
    this.settle();
    return this.#rings[conn]!.replies.get(reqId) ?? '';
  }

  /** All requests are served, everything queued is written and taken. */
  settle(): void {
    for (const { conn } of this.epochs)
      while (this.#rings[conn]!.reqs.length > 0 && !this.isGone(conn)) this.serve(conn);
    for (const { conn } of this.epochs) {
      while (this.#rings[conn]!.out.length > 0 && !this.isGone(conn)) {
        this.flush(conn);
        this.drain(conn);
      }
      this.drain(conn);
    }
  }

  /** Open a transaction; its id. */
  start(conn: number): number {
    return Number(this.request(conn, XS.START, '\0').slice(0, -1));
  }

  /** The server is replaced by a successor. What is queued stays queued, but is no longer recognised. */
  liveUpdate(): void {
    const n = ++this.#updates;
    this.#add({ kind: 'liveUpdate', n, what: 'dump', imageBytes: 1000 });
    for (const ring of this.#rings) {
      for (const [i, out] of ring.out.entries()) ring.out[i] = { ...out, key: '' };
      for (const tx of ring.transactions.values()) this.#carry(tx);
      if (this.#options.policy === 'daemon' || this.#options.mistake === 'lost-update') ring.transactions.clear();
      if (this.#options.mistake === 'restarts-ids') ring.lastTx = 0;
      if (this.#options.mistake === 'forgets-watches') ring.watches.length = 0;
    }
    this.#add({ kind: 'liveUpdate', n, what: 'up', imageBytes: 1000 });
    if (this.#options.mistake !== 'renews-watches') return;
    for (const ring of this.#rings) for (const w of ring.watches) this.#event(ring, `${w.raw}\0${w.token}\0`);
  }

  /** The image has no lists of children: what others made below a touched node is not there, what they removed drops out. */
  #carry(tx: { readonly touched: Map<string, Touched>; carried: boolean }): void {
    tx.carried = true;
    const below = (name: string, base: string) => (name === '/' ? `/${base}` : `${name}/${base}`);
    for (const [name, { node }] of [...tx.touched])
      for (const base of node === undefined ? [] : (this.#tree.get(name)?.children ?? [])) {
        const child = below(name, base);
        if (!node!.children.includes(base) && !tx.touched.has(child)) {
          this.#get(tx.touched, child);
          tx.touched.get(child)!.node = undefined;
        }
      }
    for (const [name, entry] of tx.touched) {
      if (entry.node === undefined) continue;
      const isThere = (base: string) =>
        !tx.touched.has(below(name, base)) || tx.touched.get(below(name, base))!.node !== undefined;
      const children = (this.#tree.get(name)?.children ?? []).filter(isThere);
      for (const [other, { node }] of tx.touched)
        if (node !== undefined && other !== '/' && up(other) === name && !children.includes(leaf(other)))
          children.push(leaf(other));
      entry.node = { ...entry.node, children };
    }
  }

  /** A domain dies, and the server notices it at once. */
  destroy(conn: number): void {
    const { epoch } = this.#rings[conn]!;
    for (const what of ['dying', 'dead', 'gone'] as const)
      this.#add({ kind: 'life', domid: epoch.domid, uniqueId: epoch.uniqueId, what });
    this.#alive.delete(epoch.domid);
    this.#letGo(this.#rings[conn]!);
  }

  /** A domain shuts down; the server says so when `tellShutdown` is called. */
  shutdown(conn: number, isSubscribed = false): void {
    const { domid, uniqueId } = this.epochs[conn]!;
    this.#add({ kind: 'life', domid, uniqueId, what: 'shutdown', ...(isSubscribed ? { isSubscribed } : {}) });
  }

  /** The controller lets a domain stand still, or go on. */
  pause(conn: number, isPaused: boolean): void {
    const { domid, uniqueId } = this.epochs[conn]!;
    this.#add({ kind: 'life', domid, uniqueId, what: isPaused ? 'paused' : 'unpaused' });
  }

  tellShutdown(): void {
    this.#special('@releaseDomain');
  }

  /** A domain that exists, is given a node, and goes without ever having been introduced. */
  stillborn(domid: number, path: string): { notice: () => void } {
    this.unborn(domid);
    const uniqueId = this.#uniqueId;
    this.request(this.dom0, XS.WRITE, `${path}\0`);
    this.request(this.dom0, XS.SET_PERMS, `${path}\0n${domid}\0`);
    this.#alive.delete(domid);
    this.#add({ kind: 'life', domid, uniqueId, what: 'gone' });
    return { notice: () => this.drop(path) };
  }

  /** A domain is created, and not introduced. */
  unborn(domid: number): void {
    this.#alive.add(domid);
    this.#add({ kind: 'life', domid, uniqueId: ++this.#uniqueId, what: 'created' });
  }

  /** The store drops a node that somebody owned who has no ring. */
  drop(path: string): void {
    this.#remove(undefined, path, true);
  }

  passNs(ns: number): void {
    this.timeNs += ns;
  }

  /** Come to rest, read the tree, and hand over the history. */
  finish(): History {
    this.settle();
    const nodes: SnapshotNode[] = [];
    const walk = (name: string): void => {
      const node = this.#tree.get(name)!;
      nodes.push({ path: name, value: octets(node.value), perms: [...node.perms] });
      for (const leaf of node.children) walk(below(name, leaf));
    };
    walk('/');
    nodes.push({ path: '@releaseDomain', value: octets(''), perms: ['n0', 'r32757'] });
    nodes.push({ path: '@introduceDomain', value: octets(''), perms: ['n0'] });
    this.#add({ kind: 'snapshot', nodes });
    return this.#history();
  }

  #history(): History {
    return {
      epochs: this.epochs,
      records: this.records,
      transactionPolicy: this.#options.policy ?? 'carry',
      compat: '4.22',
    };
  }

  #add(
    record: HistoryRecord extends infer R ? (R extends HistoryRecord ? Omit<R, 'seq' | 'timeNs'> : never) : never,
  ): void {
    this.timeNs += 1000;
    this.records.push({ ...record, seq: this.records.length, timeNs: this.timeNs } as HistoryRecord);
  }

  #queue(ring: Ring, bytes: Uint8Array, key: string): void {
    ring.out.push({ bytes, sent: 0, key });
  }

  #event(ring: Ring, payload: string): void {
    const key = payload.startsWith('@') ? '' : payload;
    if (key !== '' && ring.out.some((o) => o.key === key)) return;
    this.#queue(ring, message(XS.EVENT, 0, 0, payload), key);
  }

  #execute(ring: Ring, type: number, txId: number, payload: string): [reply: string, first?: string] {
    const tx = type === XS.WATCH || type === XS.UNWATCH ? undefined : ring.transactions.get(txId);
    if (txId !== 0 && tx === undefined && type !== XS.WATCH && type !== XS.UNWATCH) refuse('ENOENT');
    const [head, ...rest] = payload.split('\0') as [string, ...string[]];
    const base = `/local/domain/${ring.epoch.domid}/`;
    const name = head.startsWith('/') || head.startsWith('@') ? head : base + head;
    const touched = tx?.touched;
    const node = () => this.#visible(ring, touched, name, 'r');
    switch (type) {
      case XS.READ:
        return [node().value];
      case XS.DIRECTORY:
        return [
          node()
            .children.map((c) => `${c}\0`)
            .join(''),
        ];
      case XS.GET_PERMS:
        return [
          node()
            .perms.map((p) => `${p}\0`)
            .join(''),
        ];
      case XS.WRITE:
        this.#write(ring, touched, name, payload.slice(head.length + 1));
        return ['OK\0'];
      case XS.MKDIR:
        if (this.#mayWrite(ring, touched, name) === undefined) this.#write(ring, touched, name, '');
        return ['OK\0'];
      case XS.RM: {
        if (this.#mayWrite(ring, touched, name) !== undefined) this.#remove(touched, name, true);
        else if (this.#get(touched, up(name)) === undefined) refuse('ENOENT');
        return ['OK\0'];
      }
      case XS.SET_PERMS: {
        if (!this.#alive.has(Number(rest[0]!.slice(1)))) refuse('ENOENT');
        const old = this.#visible(ring, touched, name, 'o');
        this.#put(touched, name, { ...old, perms: rest.slice(0, -1) }, 'top', old.perms);
        return ['OK\0'];
      }
      case XS.WATCH: {
        const [token] = rest as [string];
        if (ring.watches.some((w) => w.name === name && w.token === token)) refuse('EEXIST');
        ring.watches.push({ raw: head, name, token, cut: name === head ? 0 : base.length, serial: ++this.#serial });
        return ['OK\0', `${head}\0${token}\0`];
      }
      case XS.UNWATCH: {
        const at = ring.watches.findIndex((w) => w.name === name && w.token === rest[0]);
        if (at < 0) refuse('ENOENT');
        ring.watches.splice(at, 1);
        return ['OK\0'];
      }
      case XS.RESET_WATCHES:
        ring.watches.length = 0;
        ring.transactions.clear();
        return ['OK\0'];
      case XS.START:
        ring.transactions.set(++ring.lastTx, { touched: new Map(), carried: false });
        return [`${ring.lastTx}\0`];
      case XS.END:
        if (tx === undefined) refuse('ENOENT');
        ring.transactions.delete(txId);
        if (payload === 'T\0') this.#commit(tx);
        else if (this.#options.mistake === 'leaky-abort') this.#commit({ ...tx, carried: false });
        return ['OK\0'];
      case XS.INTRODUCE: {
        const domid = Number(head);
        const conn = this.epochs.findLast((e) => e.domid === domid)!.conn;
        this.#add({ kind: 'open', conn });
        this.#special('@introduceDomain');
        return ['OK\0'];
      }
      case XS.RELEASE: {
        const other = this.#rings.find((r) => r.epoch.domid === Number(head) && !r.isGone);
        if (other === undefined) refuse('ENOENT');
        this.#letGo(other);
        return ['OK\0'];
      }
      default:
        return refuse('ENOSYS');
    }
  }

  #letGo(ring: Ring): void {
    const { domid } = ring.epoch;
    ring.isGone = true;
    ring.watches.length = 0;
    ring.transactions.clear();
    const walk = (name: string): void => {
      const node = this.#tree.get(name)!;
      if (node.perms[0]!.slice(1) === String(domid)) {
        this.#remove(undefined, name, true);
        return;
      }
      node.perms = node.perms.filter((p) => p.slice(1) !== String(domid));
      for (const leaf of node.children) walk(below(name, leaf));
    };
    walk('/');
    this.#add({ kind: 'detach', conn: ring.epoch.conn });
    this.#special('@releaseDomain');
  }

  #special(name: string): void {
    for (const ring of this.#rings) {
      if (name === '@introduceDomain' && ring.epoch.domid !== 0) continue;
      for (const w of ring.watches) if (w.name === name) this.#event(ring, `${name}\0${w.token}\0`);
    }
  }

  #get(touched: Map<string, Touched> | undefined, name: string): TestNode | undefined {
    const live = this.#tree.get(name);
    if (touched === undefined) return live;
    let entry = touched.get(name);
    if (entry === undefined) {
      const node = live && { ...live, children: [...live.children] };
      entry = { at: live?.generation ?? -1, perms: live?.perms, node, written: false, fires: '' };
      touched.set(name, entry);
    }
    return entry.node;
  }

  #may(ring: Ring, perms: readonly string[], what: 'r' | 'w' | 'o'): boolean {
    const me = String(ring.epoch.domid);
    if (me === '0' || perms[0]!.slice(1) === me) return true;
    const letter = (perms.slice(1).find((p) => p.slice(1) === me) ?? perms[0]!)[0]!;
    return letter === 'b' ? what !== 'o' : letter === what;
  }

  #visible(ring: Ring, touched: Map<string, Touched> | undefined, name: string, what: 'r' | 'w' | 'o'): TestNode {
    const node = this.#get(touched, name);
    if (node !== undefined) {
      if (this.#may(ring, node.perms, what)) return node;
      this.#get(touched, up(name));
      return refuse('EACCES');
    }
    let top = up(name);
    while (this.#get(touched, top) === undefined) top = up(top);
    const perms = this.#get(touched, top)!.perms;
    const shares = this.#may(ring, perms, what) || (what === 'o' && this.#may(ring, perms, 'w'));
    return refuse(shares ? 'ENOENT' : 'EACCES');
  }

  #mayWrite(ring: Ring, touched: Map<string, Touched> | undefined, name: string): TestNode | undefined {
    try {
      return this.#visible(ring, touched, name, 'w');
    } catch (e) {
      if (e instanceof Refusal && e.message === 'ENOENT') return undefined;
      throw e;
    }
  }

  #write(ring: Ring, touched: Map<string, Touched> | undefined, name: string, value: string): void {
    const node = this.#mayWrite(ring, touched, name);
    if (node !== undefined) {
      this.#put(touched, name, { ...node, value }, 'top');
      return;
    }
    const make = (each: string): TestNode => {
      const known = this.#get(touched, each);
      if (known !== undefined) return known;
      const parent = make(up(each));
      const perms = [...parent.perms];
      if (ring.epoch.domid !== 0) perms[0] = `${perms[0]![0]}${ring.epoch.domid}`;
      const fresh = { value: each === name ? value : '', perms, children: [], generation: 0 };
      this.#put(touched, up(each), { ...parent, children: [...parent.children, leaf(each)] }, '');
      this.#put(touched, each, fresh, '');
      return this.#get(touched, each)!;
    };
    const chain: string[] = [];
    for (let each = name; this.#get(touched, each) === undefined; each = up(each)) chain.push(each);
    make(name);
    if (touched !== undefined) touched.get(name)!.fires = 'top';
    else this.#fire(name, this.#tree.get(name), 'top');
  }

  #put(
    touched: Map<string, Touched> | undefined,
    name: string,
    node: TestNode,
    fires: '' | 'top' | 'exact',
    old?: string[],
  ): void {
    if (touched === undefined) {
      this.#tree.set(name, { ...node, generation: ++this.#generation });
      if (fires !== '') this.#fire(name, this.#tree.get(name), fires, old);
      return;
    }
    this.#get(touched, name);
    const entry = touched.get(name)!;
    Object.assign(entry, { node, written: true });
    if (fires === 'top' || entry.fires === '') entry.fires = fires;
  }

  #remove(touched: Map<string, Touched> | undefined, name: string, isTop: boolean): void {
    const node = this.#get(touched, name)!;
    for (const each of [...node.children]) this.#remove(touched, below(name, each), false);
    const fires = isTop ? 'top' : 'exact';
    if (touched === undefined) {
      this.#fire(name, node, fires);
      this.#tree.delete(name);
    } else {
      const entry = touched.get(name)!;
      Object.assign(entry, { node: undefined, written: true });
      if (isTop || entry.fires === '') entry.fires = fires;
    }
    if (!isTop) return;
    const parent = this.#get(touched, up(name))!;
    this.#put(touched, up(name), { ...parent, children: parent.children.filter((c) => c !== leaf(name)) }, '');
  }

  #commit(tx: { touched: Map<string, Touched>; carried: boolean }): void {
    const { mistake } = this.#options;
    if (mistake === 'always-conflict' || tx.carried) refuse('EAGAIN');
    for (const [name, { at }] of tx.touched) {
      if ((this.#tree.get(name)?.generation ?? -1) !== at && mistake !== 'no-conflicts') refuse('EAGAIN');
    }
    const writes = [...tx.touched].filter(([, t]) => t.written);
    for (const [i, [name, { node, fires, perms }]] of writes.entries()) {
      if (mistake === 'half-commit' && i > 0) break;
      if (node === undefined) this.#tree.delete(name);
      else this.#tree.set(name, { ...node, generation: ++this.#generation });
      if (fires !== '') this.#fire(name, node && this.#tree.get(name), fires, perms);
    }
  }

  #fire(name: string, node: TestNode | undefined, how: 'top' | 'exact', old?: readonly string[]): void {
    for (const ring of this.#rings) {
      const parent = node && this.#tree.get(up(name));
      const seen = [old, node?.perms, parent?.perms].some((p) => p !== undefined && this.#may(ring, p, 'r'));
      if (!seen) continue;
      for (const w of ring.watches) {
        const hit = w.name === name || (how === 'top' && (w.name === '/' || name.startsWith(`${w.name}/`)));
        if (hit) this.#event(ring, `${name.slice(w.cut)}\0${w.token}\0`);
      }
    }
  }
}

class Refusal extends Error {}

function refuse(name: string): never {
  throw new Refusal(name);
}

function up(name: string): string {
  const cut = name.lastIndexOf('/');
  return cut <= 0 ? '/' : name.slice(0, cut);
}

function leaf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

function below(name: string, each: string): string {
  return name === '/' ? `/${each}` : `${name}/${each}`;
}

/** One message that the server wrote. */
export interface Written {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: string;
}

/** Rewrite what the server wrote on one connection: `edit` gets the messages and returns them changed, each in the moment of
 *  the old one at its place in the list (further ones right behind the last); `undefined` leaves a moment without one.
 *  Indexes and the client's side follow suit. */
export function rewrite(
  history: History,
  conn: number,
  edit: (messages: Written[]) => (Written | undefined)[],
): History {
  const slots: { at: number; message: Written }[] = [];
  const kept = history.records.filter((r) => {
    const isReply = (r.kind === 'publish' || r.kind === 'consume') && r.dir === 'rsp' && r.conn === conn;
    if (isReply && r.kind === 'publish') {
      const { type, reqId, txId, payload } = messageOf(r.bytes, 0, r.bytes.subarray(HEADER_BYTES));
      slots.push({ at: r.seq, message: { type, reqId, txId, payload: text(payload) } });
    }
    return !isReply && !(r.kind === 'got' && r.conn === conn);
  });
  const edited = edit(slots.map((s) => s.message));
  const added: HistoryRecord[] = [];
  let to = 0;
  for (const [i, m] of edited.entries()) {
    if (m === undefined) continue;
    const seq = slots[Math.min(i, slots.length - 1)]!.at;
    const bytes = message(m.type, m.reqId, m.txId, m.payload);
    const from = to;
    to += bytes.length;
    const at = { seq, timeNs: seq * 1000, conn };
    added.push(
      { ...at, kind: 'publish', dir: 'rsp', from, to, bytes },
      { ...at, kind: 'consume', dir: 'rsp', from, to, bytes },
    );
    added.push({ ...at, kind: 'got', end: to, type: m.type, reqId: m.reqId, txId: m.txId, payload: octets(m.payload) });
  }
  return withRecords(
    history,
    [...kept, ...added].toSorted((a, b) => a.seq - b.seq),
  );
}

/** The history with other records, numbered anew. */
export function withRecords(history: History, records: readonly HistoryRecord[]): History {
  return { ...history, records: records.map((r, seq) => ({ ...r, seq })) };
}
