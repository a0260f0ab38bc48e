import { countedLength, homeOf, PathCache, resolvePath } from '../protocol/path.ts';
import type { Accounting } from './accounting.ts';
import type { Connection } from './connection.ts';
import type { DaemonState } from './state.ts';

type Known = Pick<DaemonState, 'compat' | 'quotas'>;

/** What the paths in requests mean (store.md 3.1). */
export class Names {
  readonly #state: Known;
  readonly #accounting: Accounting;
  readonly #paths = new PathCache();

  constructor(state: Known, accounting: Accounting) {
    this.#state = state;
    this.#accounting = accounting;
  }

  /** The name that a path in a payload means to a connection; undefined: EINVAL. `special`: `@` may begin it. */
  inPayload(conn: Connection, payload: Uint8Array, from: number, to: number, special: boolean): string | undefined {
    const known = this.#paths.find(payload, from, to, conn.homeDomid);
    if (known.name === undefined || (known.isSpecial && !special)) return undefined;
    return this.#isTooLong(conn, known.counted) ? undefined : known.name;
  }

  /** The same for a path as text; special ones are allowed. */
  ofText(conn: Connection, path: string): string | undefined {
    const name = resolvePath(path, conn.homeDomid);
    return name === undefined || this.#isTooLong(conn, countedLength(name)) ? undefined : name;
  }

  #isTooLong(conn: Connection, counted: number): boolean {
    const { compat, quotas } = this.#state;
    if (compat.pathLimitForAll) return counted > quotas['path-max'] && quotas['path-max'] !== 0;
    return conn.record !== undefined && this.#accounting.exceeds(conn, 'path-max', counted);
  }

  /** Where a connection's relative paths begin. */
  homeOf(conn: Connection): string {
    return homeOf(conn.homeDomid);
  }
}
