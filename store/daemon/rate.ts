/**
 * The write rate limit (store.md 10.3): unprivileged domains pay for writes made while any transaction is open.
 * Credits in 1/1000 writes, times in ms. Source: domain.c, wrl_*.
 */
const WRITE_COST = 1_000;
const RATE_PER_SECOND = 200_000;
/** In this time a domain that has the rate for itself earns one write, ns. */
export const WRITE_CREDIT_NS = (WRITE_COST * 1_000_000_000) / RATE_PER_SECOND;
const BURST = 10_000;
const RESERVE_MAX = 1_000_000;
const NEW_DOMAIN = 50_000;

export interface Credit {
  credit: number;
  stampMs: number;
}

export class WriteRate {
  #reserve = 0;
  /** Introduced domains, dom0 included, and those whose bind failed. */
  domains = 0;

  introduce(nowMs: number): Credit {
    this.domains++;
    const credit = Math.min(this.#reserve + NEW_DOMAIN, BURST);
    this.#reserve -= credit;
    return { credit, stampMs: nowMs };
  }

  /** What the domain has left goes back, without an update. */
  destroy(c: Credit): void {
    this.domains--;
    const returned = Math.min(c.credit, BURST - this.#reserve);
    if (returned > 0) this.#reserve += returned;
  }

  /** Take for `writes` writes or deletions. */
  debit(c: Credit, writes: number, nowMs: number): void {
    for (let i = 0; i < writes; i++) {
      this.#update(c, nowMs);
      c.credit -= WRITE_COST;
    }
  }

  /** Whether the ring may be read; otherwise when it may. */
  allowed(c: Credit, nowMs: number): boolean {
    this.#update(c, nowMs);
    return c.credit >= 0;
  }

  /** Ms until the credit is no longer negative. */
  waitMs(c: Credit): number {
    return c.credit >= 0 ? 0 : Math.floor((-c.credit * 1000 * Math.max(1, this.domains)) / RATE_PER_SECOND);
  }

  #update(c: Credit, nowMs: number): void {
    const since = nowMs - c.stampMs;
    if (since === 0 && c.credit >= 0 && c.credit <= BURST) return; // most often: several looks in one ms
    c.credit += Math.floor((since * RATE_PER_SECOND) / (Math.max(1, this.domains) * 1000));
    if (c.credit < 0 && this.#reserve > 0) {
      const taken = Math.min(-c.credit, this.#reserve);
      c.credit += taken;
      this.#reserve -= taken;
    }
    if (c.credit > BURST) {
      this.#reserve = Math.min(RESERVE_MAX, this.#reserve + c.credit - BURST);
      c.credit = BURST;
    }
    c.stampMs = nowMs;
  }
}
