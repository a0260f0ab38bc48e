import type { Connection } from './connection.ts';

/**
 * Which connections have something to do, in list order. The real loop looks at all of them on every pass; here only
 * those that were touched are looked at, with the same result, so that a pass costs nothing for the idle ones.
 */
export class ServiceOrder {
  /** Min-heap by serial: still to be served in this pass. */
  readonly #now: Connection[] = [];
  readonly #later: Connection[] = [];
  #current = -1;

  /** Something may be done for `conn`: in this pass if its turn is still to come, else in the next. */
  add(conn: Connection): void {
    if (conn.service === 'now') return;
    if (conn.serial > this.#current && this.#current >= 0) {
      if (conn.service === 'later') this.#later.splice(this.#later.indexOf(conn), 1);
      this.#push(conn);
    } else this.addLater(conn);
  }

  /** Something may be done for `conn` in the next pass. */
  addLater(conn: Connection): void {
    if (conn.service !== 'none') return;
    conn.service = 'later';
    this.#later.push(conn);
  }

  /** A pass begins: everything noted so far gets its turn. */
  begin(): void {
    for (let conn = this.#later.pop(); conn !== undefined; conn = this.#later.pop()) this.#push(conn);
    this.#current = 0;
  }

  /** The next connection in list order; `undefined`: the pass is over. */
  next(): Connection | undefined {
    const heap = this.#now;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) {
      this.#current = -1;
      return undefined;
    }
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && serialAt(heap, child + 1) < serialAt(heap, child)) child++;
        if (last.serial < serialAt(heap, child)) break;
        heap[i] = heap[child] as Connection;
        i = child;
      }
      heap[i] = last;
    }
    top.service = 'none';
    this.#current = top.serial;
    return top;
  }

  /** Whether the next pass has anything to serve. */
  get isEmpty(): boolean {
    return this.#later.length === 0 && this.#now.length === 0;
  }

  #push(conn: Connection): void {
    const heap = this.#now;
    conn.service = 'now';
    let i = heap.length;
    heap.push(conn);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (serialAt(heap, parent) < conn.serial) break;
      heap[i] = heap[parent] as Connection;
      i = parent;
    }
    heap[i] = conn;
  }
}

function serialAt(heap: readonly Connection[], i: number): number {
  return (heap[i] as Connection).serial;
}
