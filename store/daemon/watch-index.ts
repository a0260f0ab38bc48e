import type { FireMode } from '../tree/transaction.ts';
import type { Connection, Watch } from './connection.ts';

/** Which watches a change meets: as the tree announces it, and the two forms of special events (store.md 4.2). */
export type MatchMode = FireMode | 'nodepth' | 'depth';

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
