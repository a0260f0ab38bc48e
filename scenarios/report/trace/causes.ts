import { textOf } from '../../../store/protocol/octets.ts';
import { type Message, strings, XS } from '../../../store/protocol/wire.ts';

const CHANGES: readonly number[] = [XS.WRITE, XS.MKDIR, XS.RM, XS.SET_PERMS];

/** Which request a watch event comes of: the last one that was served before and that touches the event's path. */
export class Causes {
  readonly #ofPath = new Map<string, bigint>();
  readonly #inTransaction = new Map<string, Set<string>>();
  readonly #ofWatch = new Map<string, bigint>();

  /** The store serves a request of connection `conn` of domain `domid`, under that flow. */
  served({ type, txId, payload }: Message, conn: number, domid: number, flow: bigint): void {
    const [first = '', second = ''] = strings(payload, 2).texts;
    if (type === XS.WATCH) this.#ofWatch.set(`${conn} ${second}`, flow);
    else if (type === XS.INTRODUCE) this.#ofPath.set('@introduceDomain', flow);
    else if (type === XS.RELEASE) this.#ofPath.set('@releaseDomain', flow);
    else if (type === XS.TRANSACTION_END) {
      const key = `${conn} ${txId}`;
      if (first === 'T') for (const path of this.#inTransaction.get(key) ?? []) this.#ofPath.set(path, flow);
      this.#inTransaction.delete(key);
    } else if (CHANGES.includes(type)) {
      const path = absolute(first, domid);
      if (txId === 0) this.#ofPath.set(path, flow);
      else
        this.#inTransaction.set(`${conn} ${txId}`, (this.#inTransaction.get(`${conn} ${txId}`) ?? new Set()).add(path));
    }
  }

  /** `undefined`: it comes of no request, or of one before the recording. */
  of(payload: Uint8Array, conn: number, domid: number): bigint | undefined {
    const [path = '', token = ''] = strings(payload, 2).texts;
    const watch = this.#ofWatch.get(`${conn} ${token}`);
    this.#ofWatch.delete(`${conn} ${token}`); // only the first event is the answer to a WATCH
    if (watch !== undefined) return watch;
    // What is removed takes along what is in it.
    for (let at = absolute(path, domid); at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      const flow = this.#ofPath.get(at);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }
}

function absolute(path: string, domid: number): string {
  return path.startsWith('/') || path.startsWith('@') ? path : `/local/domain/${domid}/${path}`;
}

/** The first string of a payload, for people. */
export function subjectOf(payload: Uint8Array): string {
  const end = payload.indexOf(0);
  return textOf(payload, 0, end < 0 ? Math.min(payload.length, 80) : end);
}
