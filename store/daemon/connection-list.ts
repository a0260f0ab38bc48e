import type { Connection } from './connection.ts';

/** All connections in list order, which is the order of their serials. */
export class ConnectionList {
  readonly #bySerial = new Map<number, Connection>();
  readonly #rings = new Map<number, Connection>();
  #serial = 0;

  [Symbol.iterator](): Iterator<Connection> {
    return this.#bySerial.values();
  }

  /** The connection of an introduced domain. */
  ringOf(domid: number): Connection | undefined {
    return this.#rings.get(domid);
  }

  /** The serial of the next connection. */
  nextSerial(): number {
    return ++this.#serial;
  }

  add(conn: Connection): void {
    this.#bySerial.set(conn.serial, conn);
    if (conn.link.kind === 'ring') this.#rings.set(conn.domid, conn);
  }

  remove(conn: Connection): void {
    this.#bySerial.delete(conn.serial);
    if (this.#rings.get(conn.domid) === conn) this.#rings.delete(conn.domid);
  }

  /** Whether `next` comes right after `conn`. */
  isNext(conn: Connection, next: Connection): boolean {
    let before: Connection | undefined;
    for (const c of this) {
      if (c === next) return before === conn;
      before = c;
    }
    return false;
  }

  clear(): void {
    this.#bySerial.clear();
    this.#rings.clear();
  }
}
