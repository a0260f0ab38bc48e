import { asCommitted, hauntTree, KnownDomains, purgeDomain } from './domain-death.ts';
import { predictNodeOp } from './node-ops.ts';
import { predictDomainOp, predictEnd, predictStart, predictWatchOp } from './other-ops.ts';
import { parentOf } from './paths.ts';
import { formatPerm, type Perm, perm, READ, rightsOf } from './permissions.ts';
import { type Asked, type Prediction, refuse } from './prediction.ts';
import {
  type Access,
  LiveTree,
  type Node,
  postOrder,
  type Transaction,
  unlink,
  type View,
  type Writer,
} from './tree.ts';
import { eventFor, type FireMode, WatchTable } from './watches.ts';
import { Op, opName } from './wire.ts';

/** A connection as the model knows it. */
export interface Peer {
  readonly conn: number;
  readonly name: string;
  readonly domid: number;
  readonly isPriv: boolean;
  /** Its domid is that of the store's domain, where there may be any number of these beside a ring. */
  readonly isSocket: boolean;
  target: number | undefined;
  readonly transactions: Map<number, Transaction>;
}

/** An event that must be queued for a connection. */
export interface Caused {
  readonly conn: number;
  readonly text: string;
  /** It may come or not, by what the store has noticed at that moment. */
  readonly isDoubtful?: true;
}

const PRIV_ONLY: ReadonlySet<number> = new Set([
  Op.CONTROL,
  Op.INTRODUCE,
  Op.RELEASE,
  Op.IS_DOMAIN_INTRODUCED,
  Op.RESUME,
  Op.SET_TARGET,
  Op.SET_FEATURE,
  Op.GET_QUOTA,
  Op.SET_QUOTA,
]);
const ABORTED_KEPT = 4096;

/** What a store is, in the fewest words: nodes, watches, transactions. It says what each request must be answered and which
 *  events follow; it never decides when. Independent of the store's code. Source: docs/misc/xenstore.txt; store.md. */
export class XenstoreModel {
  readonly compat: '4.22' | '4.17';
  readonly tree = new LiveTree();
  readonly watches = new WatchTable();
  /** Connections in use, in the order in which they were introduced or accepted. */
  readonly peers = new Map<number, Peer>();
  /** Writes of transactions that came to nothing, to be recognised should they show up: by name. */
  readonly aborted = new Map<string, { value: string; what: string }[]>();
  readonly domains = new KnownDomains();
  /** Names that were committed for an owner of whom the store may have had no record any more: they may be there or not. */
  readonly doubtful = new Set<string>();
  #generations = new Map<string, number>();
  #caused: Caused[] = [];

  constructor(compat: '4.22' | '4.17') {
    this.compat = compat;
    const own = [perm(0, 'n')];
    const put = (name: string, children: string[], perms = own) =>
      this.tree.write(name, { value: '', perms, children }, undefined);
    put('/', ['tool']);
    put('/tool', ['xenstored']);
    put('/tool/xenstored', []);
    put('@releaseDomain', [], compat === '4.22' ? [perm(0, 'n'), perm(32757, 'r')] : own);
    put('@introduceDomain', []);
  }

  /** Predict one request at the moment it is served. In a transaction this extends its read set. Source: store.md 1.5. */
  predict(peer: Peer, asked: Asked): Prediction {
    const { type, txId } = asked;
    const last = this.compat === '4.22' ? Op.SET_QUOTA : Op.DIRECTORY_PART;
    if (type > last || type === Op.WATCH_EVENT || type === Op.ERROR || type === 20)
      return refuse('ENOSYS', 'no such operation');
    if (PRIV_ONLY.has(type) && !peer.isPriv) return refuse('EACCES', 'for the privileged alone');
    if (type === Op.WATCH || type === Op.UNWATCH) return predictWatchOp(this, peer, asked);
    const tx = peer.transactions.get(txId);
    if (txId !== 0 && tx === undefined) return refuse('ENOENT', `connection has no transaction ${txId}`);
    if (tx !== undefined) tx.seq = asked.seq;
    switch (type) {
      case Op.RESET_WATCHES:
        return predictWatchOp(this, peer, asked);
      case Op.TRANSACTION_START:
        return predictStart(this, peer, asked);
      case Op.TRANSACTION_END:
        return predictEnd(this, peer, asked);
      case Op.DIRECTORY:
      case Op.DIRECTORY_PART:
      case Op.READ:
      case Op.GET_PERMS:
      case Op.WRITE:
      case Op.MKDIR:
      case Op.RM:
      case Op.SET_PERMS:
        return predictNodeOp(this, peer, asked);
      default:
        return predictDomainOp(this, peer, asked);
    }
  }

  /** The events caused since the last call, in the order in which they were queued. */
  takeEvents(): readonly Caused[] {
    const caused = this.#caused;
    this.#caused = [];
    return caused;
  }

  /** A change of `name`: an event for each watch that it matches and whose owner may know. `node`: the node, for a removal as
   *  it was; `old`: permissions before, where they changed. Source: store.md 4.3. */
  fire(name: string, mode: FireMode, node: Node | undefined, old: readonly Perm[] | undefined): void {
    for (const watch of this.watches.matching(name, mode)) {
      const peer = this.peers.get(watch.conn);
      if (peer === undefined) continue;
      const mayRead = (perms: readonly Perm[] | undefined) =>
        perms !== undefined && (rightsOf(perms, peer) & READ) !== 0;
      // 4.17 asks only the special name's own list; 4.22 treats it as a node with `/` for its parent.
      const isAlone = node === undefined || (name.startsWith('@') && this.compat === '4.17');
      const parent = isAlone ? undefined : this.tree.read(parentOf(name));
      if (!mayRead(old) && !mayRead(node?.perms) && !mayRead(parent?.perms)) continue;
      const text = eventFor(watch, name);
      if (text === undefined) continue;
      this.#caused.push({ conn: watch.conn, text, ...(this.doubtful.has(name) ? { isDoubtful: true } : {}) });
    }
  }

  /** Remove a subtree, telling watches bottom-up. Source: store.md 3.8, 4.4. */
  remove(view: View, name: string, by: Writer): void {
    for (const gone of postOrder(view, name)) {
      const isTop = gone.name === name;
      if (view === this.tree) this.fire(gone.name, isTop ? 'subtree' : 'exact', gone.node, undefined);
      view.write(gone.name, undefined, by, isTop ? 'subtree' : 'exact');
    }
    unlink(view, name, by);
  }

  /** Apply what a transaction wrote, each name with its event right behind it, in order of first access. Source: store.md 5.4. */
  commit(peer: Peer, asked: Asked, tx: Transaction): void {
    const by = this.writer(peer, asked, true);
    const left: string[] = [];
    for (const { name, before, now, isModified, fires } of tx.accessed.values()) {
      if (!isModified) continue;
      const owned = now === undefined ? 'yes' : this.#owned(now);
      if (owned === 'no') left.push(name);
      else this.tree.write(name, now && { ...now, perms: asCommitted(now.perms, this.domains) }, by);
      const from = this.#caused.length;
      if (fires !== 'no') this.fire(name, fires, this.tree.read(name), before?.perms);
      if (owned !== 'unsure') continue;
      this.doubtful.add(name);
      // 1. It is made for domain 5. 2. Domain 5 goes. 3. The commit: the node is told of only if the store has not noticed that.
      this.#caused.push(...this.#caused.splice(from).map((caused) => ({ ...caused, isDoubtful: true as const })));
    }
    for (const name of left) {
      if (this.tree.read(name) !== undefined) continue; // as it was before
      if (this.tree.read(parentOf(name)) !== undefined) unlink(this.tree, name, by);
      for (const below of tx.accessed.keys()) if (below.startsWith(`${name}/`)) this.tree.write(below, undefined, by);
    }
  }

  /** 4.22 leaves nodes out of whose owner it has no record. Source: transaction.c, finalize_transaction. */
  #owned({ perms }: Node): 'yes' | 'no' | 'unsure' {
    const owner = perms[0]?.domid ?? 0;
    return this.compat === '4.17' || this.introduced(owner) !== undefined ? 'yes' : this.domains.hasRecord(owner);
  }

  /** Remember what a transaction would have written, so that it is recognised if the store did it all the same. */
  keepAborted(tx: Transaction, what: string): void {
    for (const { name, now, before, isModified } of tx.accessed.values()) {
      if (!isModified || now === undefined || now.value === before?.value) continue;
      const list = this.aborted.get(name) ?? [];
      list.push({ value: now.value, what });
      if (list.length > 8) list.shift();
      if (this.aborted.size < ABORTED_KEPT) this.aborted.set(name, list);
    }
  }

  /** A ring came into use. */
  open(conn: number, domid: number, name: string): void {
    this.#connect(conn, domid, name, false);
    this.domains.alive(domid);
  }

  /** A socket came into use. */
  accept(conn: number, domid: number, name: string): void {
    this.#connect(conn, domid, name, true);
  }

  #connect(conn: number, domid: number, name: string, isSocket: boolean): void {
    const isPriv = domid === 0;
    this.peers.set(conn, { conn, name, domid, isPriv, isSocket, target: undefined, transactions: new Map() });
  }

  /** INTRODUCE succeeded: the first one is announced, a repeated one only resets the connection. Source: store.md 2.4, 2.5. */
  introduce(domid: number, seq: number): void {
    const peer = this.introduced(domid);
    if (peer !== undefined) this.reset(peer.conn, seq, 'INTRODUCE');
    else this.#announce('@introduceDomain', domid);
  }

  /** A connection loses its watches and transactions, and nothing else. */
  reset(conn: number, seq: number, why: string): void {
    this.watches.removeAll(conn, seq, why);
    this.peers.get(conn)?.transactions.clear();
  }

  /** A connection is no longer the store's, for a re-introduction: its domain lives on, nodes and rights stay. */
  close(conn: number, seq: number): void {
    this.reset(conn, seq, 'INTRODUCE');
    this.peers.delete(conn);
  }

  /** The store let go of a domain: what it owned goes, then the world is told. Source: store.md 8.6, 8.9. */
  detach(conn: number, seq: number): void {
    const peer = this.peers.get(conn);
    if (peer === undefined) return;
    this.reset(conn, seq, 'end of the connection');
    this.peers.delete(conn);
    this.purge(peer.domid, seq);
    for (const other of this.peers.values()) if (other.target === peer.domid) other.target = undefined;
    this.#announce('@releaseDomain', peer.domid);
  }

  /** The store closed a socket: its watches and transactions go, no node does, and nobody is told. Source: store.md 1.4. */
  hangUp(conn: number, seq: number): void {
    this.reset(conn, seq, 'end of the connection');
    this.peers.delete(conn);
  }

  /** The store dropped a domain: its nodes go with events, its entries without. */
  purge(domid: number, seq: number): void {
    this.domains.forget(domid);
    purgeDomain(this, domid, seq);
  }

  /** The hypervisor made or forgot a domain. Returns whether the store may now drop a domain it had never introduced. */
  life(domid: number, what: string): boolean {
    if (what === 'created') this.domains.alive(domid);
    if (what !== 'gone') return false;
    const mayDrop = this.domains.gone(domid) && this.introduced(domid) === undefined;
    if (mayDrop) hauntTree(this, domid);
    return mayDrop;
  }

  /** A shut-down domain is reported. `form`: the one with the domid, or the plain one. */
  special(domid: number | undefined): void {
    const node = this.tree.read('@releaseDomain');
    if (domid === undefined) this.fire('@releaseDomain', 'nodepth', node, undefined);
    else this.fire(`@releaseDomain/${domid}`, 'depth', node, undefined);
  }

  /** A successor took over. Policy `carry`: transactions live on. `daemon`: they are gone. */
  liveUpdate(policy: 'carry' | 'daemon'): void {
    this.#generations = new Map();
    this.domains.liveUpdate();
    for (const peer of this.peers.values()) {
      if (policy === 'daemon') peer.transactions.clear();
      else for (const tx of peer.transactions.values()) tx.carry();
    }
  }

  /** The ring of a domain, if it is introduced. */
  introduced(domid: number): Peer | undefined {
    for (const peer of this.peers.values()) if (peer.domid === domid && !peer.isSocket) return peer;
    return undefined;
  }

  /** Whether a permission entry for `domid` is a valid one. `unsure`: the domain has gone, the store may not have noticed. */
  existence(domid: number): 'yes' | 'no' | 'unsure' {
    return this.introduced(domid) === undefined ? this.domains.existence(domid) : 'yes';
  }

  printed(perms: readonly Perm[]): string {
    return perms.map((p) => `${formatPerm(p)}\0`).join('');
  }

  /** One generation number must not stand for two states of a node, within one instance. Source: docs/misc/xenstore.txt, DIRECTORY_PART. */
  sameGeneration(name: string, generation: string, version: number): string | undefined {
    const key = `${name}\0${generation}`;
    const known = this.#generations.get(key);
    this.#generations.set(key, version);
    return known === undefined || known === version ? undefined : 'the generation number of an earlier, different list';
  }

  writer(peer: Peer, asked: Asked, isCommit: boolean): Writer {
    const describe = () => `${peer.name} ${opName(asked.type)} req_id ${asked.reqId} tx ${asked.txId}`;
    return { seq: asked.seq, isCommit, describe };
  }

  explainConflict(access: Access): string {
    const writer = this.tree.read(access.name)?.writer ?? this.tree.removedBy.get(access.name);
    const whom = writer === undefined ? 'somebody' : `${writer.describe()} (seq ${writer.seq})`;
    return `${access.name}, first accessed at seq ${access.seq}, was changed by ${whom}`;
  }

  #announce(name: '@introduceDomain' | '@releaseDomain', domid: number): void {
    const node = this.tree.read(name);
    this.fire(name, 'nodepth', node, undefined);
    if (this.compat === '4.22') this.fire(`${name}/${domid}`, 'depth', node, undefined);
  }
}
