import { describe, expect, it } from 'vitest';
import { headline } from '../../support/headline.ts';

/** The headline scenario is worth its name only if updates really land in the middle of things. */
describe('the headline scenario', () => {
  it('interrupts half-written requests, half-delivered replies, queued events and open transactions', () => {
    const seen = {
      partialRequests: 0,
      partialReplies: 0,
      queuedReplies: 0,
      queuedEvents: 0,
      openTransactions: 0,
      requestOctetsInRings: 0,
    };
    let updates = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const result = headline({ seed: String(seed), set: { requests: 8_000 } });
      expect(result.requests).toBeGreaterThanOrEqual(5_000);
      expect(result.domainsCreated).toBeGreaterThanOrEqual(12);
      expect(result.updates.filter((u) => u.outcome === 'ok').length).toBeGreaterThanOrEqual(3);
      for (const update of result.updates) {
        updates++;
        for (const key of Object.keys(seen) as (keyof typeof seen)[]) seen[key] += update[key];
      }
    }
    expect(updates).toBe(30);
    for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(5);
    expect(seen.partialRequests).toBeGreaterThan(30);
    expect(seen.openTransactions).toBeGreaterThan(100);
  });

  it('meets the limit of a real daemon when asked to, and loses nothing then', () => {
    const result = headline({ set: { limit: 1, requests: 2_000 } });
    expect(result.outcome).toBe('pass');
    expect(result.virtualNs).toBeGreaterThan(100_000_000); // writers waited for their credit
  });

  it('waits with policy daemon until no transaction is open, or says why not', () => {
    const result = headline({ set: { policy: 'daemon', requests: 4_000 } });
    expect(result.outcome).toBe('pass');
    for (const update of result.updates) expect(update.openTransactions).toBe(0);
  });

  it.each(['v1', 'v2'])('answers careless programs of dom0 each time, over updates through %s', (format) => {
    const result = headline({ format, set: { careless: 2, requests: 3_000, domains: 4 } });
    expect(result.outcome).toBe('pass');
    const refused = new Map(result.refusals);
    for (const errno of ['EINVAL', 'ENOENT', 'ENOSYS']) expect(refused.get(errno), errno).toBeGreaterThan(3);
    const replies = result.verdicts.find(({ invariant }) => invariant === 'replies');
    expect(new Map(replies?.checked).get('errors')).toBeGreaterThan(200);
  });
});
