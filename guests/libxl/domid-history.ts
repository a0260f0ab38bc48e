/** How long an id that was destroyed stays out of use. Source: LIBXL_DOMID_REUSE_TIMEOUT in libxl_internal.h. */
const REUSE_TIMEOUT_NS = 60_000_000_000;

/** The file that keeps ids of domains that were destroyed of late, one for a host (DOM-5). Time-out 0: it is not looked at. */
export class DomidHistory {
  readonly #timeoutNs: number;
  readonly #goneNs = new Map<number, number>();

  constructor(timeoutNs: number = REUSE_TIMEOUT_NS) {
    this.#timeoutNs = timeoutNs;
  }

  mark(domid: number, nowNs: number): void {
    this.#goneNs.set(domid, nowNs);
  }

  isRecent(domid: number, nowNs: number): boolean {
    const goneNs = this.#goneNs.get(domid);
    return goneNs !== undefined && nowNs - goneNs < this.#timeoutNs;
  }
}
