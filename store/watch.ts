import type { Connection } from './connection.ts';
import { octetsOf } from './octets.ts';
import { parentOf } from './path.ts';
import { type Perm, READ } from './perms.ts';
import type { DaemonState } from './state.ts';
import type { Node } from './tree.ts';
import { HEADER_BYTES, message, PAYLOAD_MAX, XS } from './wire.ts';

export interface Watch {
  readonly conn: Connection;
  /** Absolute name, or `@…`. */
  readonly path: string;
  readonly token: string;
  /** Levels below the path; -1 = all. */
  readonly depth: number;
  /** Octets cut off the names in events: what a relative registration left out. */
  readonly prefix: number;
  /** Registration order in the whole daemon. */
  readonly order: number;
}

/** store.md 4.2. */
export type MatchMode = 'subtree' | 'exact' | 'nodepth' | 'depth';

/** Unstarted events of unprivileged rings are dropped after this time. */
export const EVENT_TIMEOUT_MS = 20_000;

/** All watches of the daemon by path, so that a change looks only at its own name and the names above it. */
export class WatchIndex {
  readonly #byPath = new Map<string, Watch[]>();

  add(watch: Watch): void {
    const there = this.#byPath.get(watch.path);
    if (there === undefined) this.#byPath.set(watch.path, [watch]);
    else there.push(watch);
  }

  remove(watch: Watch): void {
    const there = this.#byPath.get(watch.path);
    if (there === undefined) return;
    const at = there.indexOf(watch);
    if (at >= 0) there.splice(at, 1);
    if (there.length === 0) this.#byPath.delete(watch.path);
  }

  /** Watches that match a change of `name`, in order of connections, then of registration. */
  matching(name: string, mode: MatchMode): Watch[] {
    const found: Watch[] = [];
    const take = (path: string, levels: number) => {
      for (const w of this.#byPath.get(path) ?? []) if (matches(w, levels, mode)) found.push(w);
    };
    take(name, 0);
    if (mode === 'subtree' || mode === 'depth') {
      let levels = 1;
      for (let at = name.lastIndexOf('/'); at > 0; at = name.lastIndexOf('/', at - 1))
        take(name.slice(0, at), levels++);
      // One-character names: the next character is not looked at, so `@` is above all special names.
      if (name.length > 1) take(name.charAt(0), levels);
    }
    if (found.length > 1) found.sort((a, b) => a.conn.serial - b.conn.serial || a.order - b.order);
    return found;
  }
}

function matches(w: Watch, levels: number, mode: MatchMode): boolean {
  if (levels === 0) return mode !== 'nodepth' || w.depth === -1;
  if (mode === 'depth') return w.depth > 0 && levels <= w.depth;
  return w.depth === -1 || levels <= w.depth;
}

/** Permissions before a change, and the generation of the node that had them: an entry may have meant somebody else since. */
export interface OldPerms {
  readonly perms: readonly Perm[];
  readonly generation: number;
}

/**
 * Queue the events of one change (store.md 4.3). `node`: the state that decides who may see it; undefined: nobody but by
 * `old`, the permissions before. Source: watch.c, fire_watches.
 */
export function fireWatches(
  state: DaemonState,
  name: string,
  node: Node | undefined,
  mode: MatchMode,
  old: OldPerms | undefined,
): void {
  const watches = state.watchIndex.matching(name, mode);
  if (watches.length === 0) return;
  let parent: Node | undefined;
  let parentKnown = false;
  let conn: Connection | undefined;
  let seen = false;
  for (const w of watches) {
    if (w.conn !== conn) {
      conn = w.conn;
      seen =
        (old !== undefined && (state.rights(conn, old.perms, old.generation) & READ) !== 0) ||
        (node !== undefined && (state.rights(conn, node.perms, node.generation) & READ) !== 0);
      if (!seen && node !== undefined && !(name.startsWith('@') && !state.compat.specialNodes)) {
        if (!parentKnown) {
          parent = state.liveNode(parentOf(name));
          parentKnown = true;
        }
        seen = parent !== undefined && (state.rights(conn, parent.perms, parent.generation) & READ) !== 0;
      }
    }
    if (seen) queueEvent(state, w, name);
  }
}

/** Queue one event unless a rule of store.md 4.5 drops it. */
export function queueEvent(state: DaemonState, watch: Watch, name: string): void {
  const { conn } = watch;
  const path = name.slice(watch.prefix);
  const length = path.length + watch.token.length + 2;
  if (length > PAYLOAD_MAX || conn.isIgnored || conn.isClosed) return;
  const text = `${path}\0${watch.token}\0`;
  const plain = !path.startsWith('@');
  if (plain && conn.eventKeys.has(text)) return;
  const size = HEADER_BYTES + length;
  const unprivilegedRing = state.isUnprivileged(conn) && conn.link.kind === 'ring';
  if (unprivilegedRing && state.memoryExceeded(conn, size)) return;
  const cause = state.currentRequest;
  if (cause !== undefined) cause.pending++;
  state.charge(conn.domid, size);
  if (plain) conn.eventKeys.add(text);
  conn.out.push({
    kind: 'event',
    bytes: message(XS.WATCH_EVENT, 0, 0, octetsOf(text)),
    sent: 0,
    eventKey: plain ? text : '',
    deadlineMs: unprivilegedRing && state.options.watchEventSeconds > 0 ? state.host.nowMs() + EVENT_TIMEOUT_MS : 0,
    cause,
  });
  if (unprivilegedRing) state.noteDeadline(conn);
  state.onOutput(conn);
}
