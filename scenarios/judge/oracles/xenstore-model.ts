import { KnownDomains } from './known-domains.ts';
import { parentOf } from './paths.ts';
import { formatPerm, type Perm, perm, READ, rightsOf } from './permissions.ts';
import type { Asked } from './prediction.ts';
import { LiveTree, type Node, postOrder, type Transaction, unlink, type View, type Writer } from './tree.ts';
import { eventFor, type FireMode, WatchTable } from './watches.ts';
import { opName } from './wire.ts';

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

const ABORTED_KEPT = 4096;

/** What a store is, in the fewest words: nodes, watches, connections with their transactions, and the events that changes
 *  cause. What requests do to it is said beside it (predict.ts); it never decides when. Independent of the store's code.
 *  Source: docs/misc/xenstore.txt; store.md. */
export class XenstoreModel {
  readonly compat: '4.22' | '4.17';
  readonly tree = new LiveTree();
  readonly watches = new WatchTable();
  /** Connections in use, in the order in which they were introduced or accepted. */
  readonly peers = new Map<number, Peer>();
  /** Writes of transactions that came to nothing, to be recognised should they show up: by name. */
  readonly aborted = new Map<string, { value: string; what: string }[]>();
  readonly domains = new KnownDomains();
  /** Quotas that were set for one domain, by its id and by their name. */
  readonly quotas = new Map<number, Map<string, string>>();
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
    else this.announce('@introduceDomain', domid);
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

  /** The store closed a socket: its watches and transactions go, no node does, and nobody is told. Source: store.md 1.4. */
  hangUp(conn: number, seq: number): void {
    this.reset(conn, seq, 'end of the connection');
    this.peers.delete(conn);
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

  /** Whether the store keeps an account of a domain: it has a ring, or something has named it. `unsure`: as in existence(). */
  hasAccount(domid: number): 'yes' | 'no' | 'unsure' {
    return this.introduced(domid) === undefined ? this.domains.hasRecord(domid) : 'yes';
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

  /** A domain is introduced, or let go of: watches on the special nodes hear of it. */
  announce(name: '@introduceDomain' | '@releaseDomain', domid: number): void {
    const node = this.tree.read(name);
    this.fire(name, 'nodepth', node, undefined);
    if (this.compat === '4.22') this.fire(`${name}/${domid}`, 'depth', node, undefined);
  }
}
