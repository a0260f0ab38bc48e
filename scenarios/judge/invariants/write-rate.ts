/** Writes that a domain has at its introduction, and that all introductions of an instance can give together. */
const BURST = 10;
const NEW_DOMAINS_MAX = 50;
const WRITES_PER_MS = 0.2;

interface Share {
  /** Up to here it is known what the domain can have been given, ms. */
  sinceMs: number;
  /** The fewest domains that there were since: the daemon gives a domain its share of all the time since its last look. */
  fewest: number;
}

/**
 * How much guests can have written at the store's cost while a transaction was open (store.md 10.3). What one does not use goes
 * to a reserve that feeds the others, so the bound is for all of them together: what introductions give, what time gives, and for
 * each domain the one request with which it overdraws. Each instance of the store begins anew.
 * Source: tools/xenstored/domain.c, wrl_*.
 */
export class WriteRate {
  readonly #shares = new Map<number, Share>();
  #introduced = 0;
  #given = 0;
  #paid = 0;

  introduced(conn: number, ns: number): void {
    this.#introduced++;
    this.#shares.set(conn, { sinceMs: msOf(ns), fewest: this.#shares.size + 1 });
  }

  /** The domain was let go of: what it was given stays with the others. */
  ended(conn: number, ns: number): void {
    const share = this.#shares.get(conn);
    if (share === undefined) return;
    this.#given += given(share, msOf(ns));
    this.#shares.delete(conn);
    for (const other of this.#shares.values()) other.fewest = Math.min(other.fewest, Math.max(1, this.#shares.size));
  }

  /** A successor has what stood in the image that was written then: nothing of this. */
  updated(dumpedNs: number): void {
    this.#introduced = this.#shares.size;
    this.#given = 0;
    this.#paid = 0;
    for (const share of this.#shares.values()) {
      share.sinceMs = msOf(dumpedNs);
      share.fewest = this.#shares.size;
    }
  }

  /** A domain has paid for a write. @returns why it cannot have had the credit. */
  paid(conn: number, ns: number): string | undefined {
    const nowMs = msOf(ns);
    const own = this.#shares.get(conn);
    if (own === undefined) return undefined;
    this.#paid++;
    this.#given += given(own, nowMs);
    own.sinceMs = nowMs;
    own.fewest = this.#shares.size;
    let due = Math.min(NEW_DOMAINS_MAX, BURST * this.#introduced) + this.#introduced + this.#given;
    if (this.#paid <= due) return undefined; // most often, and the shares of all the others need not be looked at
    for (const share of this.#shares.values()) due += given(share, nowMs);
    if (this.#paid <= due) return undefined;
    return `is write ${this.#paid} of this instance while a transaction was open, and the write rate limit allows ${Math.floor(due)}: ${BURST} for each of ${this.#introduced} introductions, at most ${NEW_DOMAINS_MAX}, and ${WRITES_PER_MS} a ms`;
  }
}

/** The daemon's clock ticks once a ms. */
function msOf(ns: number): number {
  return Math.ceil(ns / 1_000_000);
}

function given({ sinceMs, fewest }: Share, nowMs: number): number {
  return Math.max(0, nowMs - sinceMs) * (WRITES_PER_MS / fewest);
}
