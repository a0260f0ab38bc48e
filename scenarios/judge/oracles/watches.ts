import { levelsBelow, topsOf } from './paths.ts';

/** How a change is matched: `subtree` reaches watches above it, `exact` only its own; the other two are for special events.
 *  Source: store.md 4.2. */
export type FireMode = 'subtree' | 'exact' | 'nodepth' | 'depth';

export interface Watch {
  readonly conn: number;
  readonly name: string;
  readonly token: string;
  /** Levels below the name that are reported; -1 = all. */
  readonly depth: number;
  /** Octets cut off reported names: those of a relative watch's base. */
  readonly cut: number;
  /** Place in the order of registration. */
  readonly serial: number;
  readonly seq: number;
}

/** A watch that is no more, for messages and for events that were on their way. */
export interface FormerWatch extends Watch {
  readonly endSeq: number;
  readonly endedBy: string;
}

/** All watches of all connections, found by the name they stand on. */
export class WatchTable {
  readonly #byName = new Map<string, Watch[]>();
  readonly #byConn = new Map<number, Map<string, Watch>>();
  /** Per connection and token, the one that ended last. */
  readonly former = new Map<string, FormerWatch>();
  #serial = 0;

  find(conn: number, name: string, token: string): Watch | undefined {
    return this.#byConn.get(conn)?.get(`${name}\0${token}`);
  }

  of(conn: number): Iterable<Watch> {
    return this.#byConn.get(conn)?.values() ?? [];
  }

  add(watch: Omit<Watch, 'serial'>): void {
    const whole = { ...watch, serial: ++this.#serial };
    const here = this.#byName.get(watch.name);
    if (here === undefined) this.#byName.set(watch.name, [whole]);
    else here.push(whole);
    const own = this.#byConn.get(watch.conn) ?? new Map<string, Watch>();
    this.#byConn.set(watch.conn, own.set(`${watch.name}\0${watch.token}`, whole));
  }

  remove(watch: Watch, endSeq: number, endedBy: string): void {
    const here = this.#byName.get(watch.name)!;
    if (here.length === 1) this.#byName.delete(watch.name);
    else here.splice(here.indexOf(watch), 1);
    this.#byConn.get(watch.conn)?.delete(`${watch.name}\0${watch.token}`);
    this.former.set(`${watch.conn}\0${watch.token}`, { ...watch, endSeq, endedBy });
  }

  removeAll(conn: number, endSeq: number, endedBy: string): void {
    for (const watch of [...this.of(conn)]) this.remove(watch, endSeq, endedBy);
  }

  /** Watches that a change of `name` matches, in order of registration. Permissions are the caller's business. */
  matching(name: string, mode: FireMode): Watch[] {
    const found: Watch[] = [];
    for (const top of mode === 'exact' || mode === 'nodepth' ? [name] : topsOf(name)) {
      for (const watch of this.#byName.get(top) ?? []) if (reaches(watch, name, mode)) found.push(watch);
    }
    return found.length > 1 ? found.sort((a, b) => a.serial - b.serial) : found;
  }
}

function reaches(watch: Watch, name: string, mode: FireMode): boolean {
  if (mode === 'nodepth') return watch.depth === -1;
  if (watch.name === name) return true;
  if (mode === 'depth') return watch.depth > 0 && levelsBelow(name, watch.name) <= watch.depth;
  return watch.depth === -1 || levelsBelow(name, watch.name) <= watch.depth;
}

/** Payload of the event that `watch` gets for `name`; `undefined` where it would be too long to be sent. */
export function eventFor(watch: Watch, name: string): string | undefined {
  const text = `${name.slice(watch.cut)}\0${watch.token}\0`;
  return text.length > 4096 ? undefined : text;
}
