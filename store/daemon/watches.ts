import { octetsOf } from '../protocol/octets.ts';
import { parentOf } from '../protocol/path.ts';
import { type Perm, READ } from '../protocol/perms.ts';
import { HEADER_BYTES, message, PAYLOAD_MAX, XS } from '../protocol/wire.ts';
import type { Node } from '../tree/node.ts';
import type { Connection } from './connection.ts';
import type { DaemonState } from './state.ts';

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
  /** Watched paths by their length: most names above a change are not even cut out, since nothing so long is watched. */
  readonly #byLength: number[] = [];

  add(watch: Watch): void {
    const there = this.#byPath.get(watch.path);
    if (there !== undefined) there.push(watch);
    else {
      this.#byPath.set(watch.path, [watch]);
      this.#countLength(watch.path.length, 1);
    }
  }

  remove(watch: Watch): void {
    const there = this.#byPath.get(watch.path);
    if (there === undefined) return;
    const at = there.indexOf(watch);
    if (at >= 0) there.splice(at, 1);
    if (there.length > 0) return;
    this.#byPath.delete(watch.path);
    this.#countLength(watch.path.length, -1);
  }

  #countLength(length: number, delta: 1 | -1): void {
    while (this.#byLength.length <= length) this.#byLength.push(0);
    this.#byLength[length] = (this.#byLength[length] as number) + delta;
  }

  /** The one watch of a connection with this path and token. */
  find(conn: Connection, path: string, token: string): Watch | undefined {
    return this.#byPath.get(path)?.find((w) => w.conn === conn && w.token === token);
  }

  /** Watches that match a change of `name`, in order of connections, then of registration. */
  matching(name: string, mode: MatchMode): readonly Watch[] {
    if (this.#byPath.size === 0) return NONE;
    let found: Watch[] | undefined;
    let length = name.length;
    for (let levels = 0; ; levels++) {
      const there = (this.#byLength[length] ?? 0) > 0 ? this.#byPath.get(name.slice(0, length)) : undefined;
      if (there !== undefined)
        for (const w of there)
          if (matches(w, levels, mode)) {
            if (found === undefined) found = [w];
            else found.push(w);
          }
      if (length <= 1 || mode === 'exact' || mode === 'nodepth') break;
      // Of one-character paths the next character is not looked at, so `@` is above all special names.
      const slash = name.lastIndexOf('/', length - 1);
      length = slash <= 0 ? 1 : slash;
    }
    if (found === undefined) return NONE;
    if (found.length > 1) found.sort((a, b) => a.conn.serial - b.conn.serial || a.order - b.order);
    return found;
  }
}

const NONE: readonly Watch[] = [];

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
 * Queue the events of one change (store.md 4.3).
 * @param node the state that decides who may see it; undefined: nobody but by `oldPerms`.
 * @param old the permissions before the change.
 * Source: watch.c, fire_watches.
 */
export function fireWatches(
  state: DaemonState,
  name: string,
  node: Node | undefined,
  mode: MatchMode,
  old: OldPerms | undefined,
): void {
  const watches = state.watchIndex.matching(name, mode);
  let conn: Connection | undefined;
  let isSeen = false;
  for (const w of watches) {
    if (w.conn !== conn) {
      conn = w.conn;
      isSeen = maySee(state, conn, node, old);
    }
    if (isSeen) queueEvent(state, w, name);
  }
}

/** By the entries before the change, by the node, or by its parent as it is now. Source: watch.c, watch_permitted. */
function maySee(state: DaemonState, conn: Connection, node: Node | undefined, old: OldPerms | undefined): boolean {
  if (old !== undefined && (state.rights(conn, old.perms, old.generation) & READ) !== 0) return true;
  if (node === undefined) return false;
  if ((state.rights(conn, node.perms, node.generation) & READ) !== 0) return true;
  const parent = state.liveNode(parentOf(node.path)); // of a special node, in both of its forms, the root
  return parent !== undefined && (state.rights(conn, parent.perms, parent.generation) & READ) !== 0;
}

/** Queue one event unless a rule of store.md 4.5 drops it. Source: core.c, send_event. */
export function queueEvent(state: DaemonState, watch: Watch, name: string): void {
  const { conn } = watch;
  const path = watch.prefix === 0 ? name : name.slice(watch.prefix);
  const length = path.length + watch.token.length + 2;
  if (length > PAYLOAD_MAX || conn.isIgnored || conn.isClosed) return;
  const text = `${path}\0${watch.token}\0`;
  const isPlain = path.charCodeAt(0) !== 0x40;
  if (isPlain && conn.eventKeys.has(text)) return;
  const size = HEADER_BYTES + length;
  if (state.memoryExceeded(conn, size)) return;
  const cause = state.currentRequest;
  if (cause !== undefined) cause.pending++;
  state.chargeTo(conn, size);
  if (isPlain) conn.eventKeys.add(text);
  const expires = conn.isLimited && state.options.watchEventSeconds > 0;
  const deadlineMs = expires ? state.platform.nowMs() + state.options.watchEventSeconds * 1000 : 0;
  conn.out.push({
    kind: 'event',
    bytes: message(XS.WATCH_EVENT, 0, 0, octetsOf(text)),
    sent: 0,
    eventKey: isPlain ? text : '',
    deadlineMs,
    cause,
  });
  if (expires) state.noteDeadline(conn, deadlineMs);
  state.onOutput(conn);
}
