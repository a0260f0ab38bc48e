import { parentOf } from '../protocol/path.ts';
import { type Perm, READ } from '../protocol/perms.ts';
import type { OldPerms, Watchers } from '../tree/ground.ts';
import type { LiveTree } from '../tree/live-tree.ts';
import type { Node } from '../tree/node.ts';
import type { Accounting } from './accounting.ts';
import type { Connection, Outstanding, Watch } from './connection.ts';
import type { Output } from './output.ts';
import type { Rights } from './rights.ts';
import type { DaemonState } from './state.ts';
import type { TraceFile } from './trace-file.ts';
import type { MatchMode } from './watch-index.ts';

type Known = Pick<DaemonState, 'watches' | 'watchOrder'>;

/** Who wants to be told of what, and is told. */
export class Watches implements Watchers<Outstanding> {
  readonly #state: Known;
  readonly #accounting: Accounting;
  readonly #rights: Rights;
  readonly #tree: LiveTree;
  readonly #output: Output;
  readonly #trace: TraceFile;

  constructor(state: Known, accounting: Accounting, rights: Rights, tree: LiveTree, output: Output, trace: TraceFile) {
    this.#state = state;
    this.#accounting = accounting;
    this.#rights = rights;
    this.#tree = tree;
    this.#output = output;
    this.#trace = trace;
  }

  // Registration ----------------------------------------------------------------------------------------------------

  /** The one watch of a connection with this path and token. */
  find(conn: Connection, path: string, token: string): Watch | undefined {
    return this.#state.watches.find(conn, path, token);
  }

  /** Register without a word to the client; also how a live update restores one. */
  add(wanted: Omit<Watch, 'order'>): Watch {
    const { conn, path, token, depth, prefix } = wanted;
    const watch: Watch = { conn, path, token, depth, prefix, order: ++this.#state.watchOrder };
    conn.watches.push(watch);
    this.#state.watches.add(watch);
    this.#accounting.count(conn, 'watches', 1);
    this.#accounting.chargeTo(conn, path.length + token.length);
    this.#trace.came('watch', watch.order);
    return watch;
  }

  remove(watch: Watch): void {
    const { watches } = watch.conn;
    watches.splice(watches.indexOf(watch), 1);
    this.#removed(watch);
  }

  /** Unregister all of a connection's. */
  drop(conn: Connection): void {
    for (const watch of conn.watches.splice(0)) this.#removed(watch);
  }

  #removed(watch: Watch): void {
    this.#trace.went('watch', watch.order);
    this.#state.watches.remove(watch);
    this.#accounting.count(watch.conn, 'watches', -1);
    this.#accounting.chargeTo(watch.conn, -(watch.path.length + watch.token.length));
  }

  // Events ----------------------------------------------------------------------------------------------------------

  /**
   * Queue the events of one change (store.md 4.3). Source: watch.c, fire_watches.
   * @param except hears nothing of it.
   */
  fire(
    name: string,
    node: Node | undefined,
    mode: MatchMode,
    old: OldPerms | undefined,
    cause: Outstanding | undefined,
    except?: Connection,
  ): void {
    let conn: Connection | undefined;
    let isSeen = false;
    for (const watch of this.#state.watches.matching(name, mode)) {
      if (watch.conn !== conn) {
        conn = watch.conn;
        isSeen = this.#maySee(conn, node, old);
      }
      if (isSeen && conn !== except) this.#output.event(watch, name, cause);
    }
  }

  /** The events of a name whose entries lie beside the tree, and decide alone (4.17): nobody's burden. */
  fireByEntries(name: string, perms: readonly Perm[], except?: Connection): void {
    for (const watch of this.#state.watches.matching(name, 'exact'))
      if (watch.conn !== except && (this.#rights.of(watch.conn, perms, Number.MAX_SAFE_INTEGER) & READ) !== 0)
        this.#output.event(watch, name, undefined);
  }

  /** By the entries before the change, by the node, or by its parent as it is now. Source: watch.c, watch_permitted. */
  #maySee(conn: Connection, node: Node | undefined, old: OldPerms | undefined): boolean {
    if (old !== undefined && (this.#rights.of(conn, old.perms, old.generation) & READ) !== 0) return true;
    if (node === undefined) return false;
    if ((this.#rights.of(conn, node.perms, node.generation) & READ) !== 0) return true;
    const parent = this.#tree.get(parentOf(node.path)); // of a special node, in both of its forms, the root
    return parent !== undefined && (this.#rights.of(conn, parent.perms, parent.generation) & READ) !== 0;
  }
}
