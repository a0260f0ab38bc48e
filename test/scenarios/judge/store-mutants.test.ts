import { afterEach, describe, expect, it, vi } from 'vitest';
import { hostileGuests } from '../../../scenarios/catalogue/hostile-guests.ts';
import { Output } from '../../../store/daemon/output.ts';
import { WriteRate } from '../../../store/daemon/rate.ts';
import { SimPlatform } from '../../../store/daemon/sim-platform.ts';
import type { StateRecord } from '../../../store/format/index.ts';
import { broken, headline, tamper } from '../../support/headline.ts';

/*
 * What a daemon forgets while it serves. Each row takes one thing out of it, and within 20 seeds of a stock scenario a check
 * must say what is missing, by name.
 */

const SEEDS_MAX = 20;

/** What the checks say of the first seed that does not pass; '': of none. */
function said(set: Record<string, number | string> = {}): string {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const result = headline({ seed: String(seed), set });
    if (broken(result).length > 0) return result.verdicts.flatMap((v) => v.violations.map((w) => w.detail)).join('\n');
    if (result.outcome !== 'pass') return `${result.reason}\n${JSON.stringify(result.waits)}`;
  }
  return '';
}

afterEach(() => vi.restoreAllMocks());

describe('a daemon whose write rate limit is void', () => {
  const limited = { limit: 1, requests: 8_000 };

  it('is told from one whose limit holds', () => {
    const result = headline({ set: limited });
    expect(broken(result)).toEqual([]);
    const held = result.verdicts.flatMap((v) => v.checked).find(([what]) => what === 'writes held to the rate limit');
    expect(held?.[1]).toBeGreaterThan(50);
  });

  it.each([
    ['nobody pays', 'debit'],
    ['nobody waits', 'allowed'],
  ] as const)('%s', (_, method) => {
    if (method === 'debit') vi.spyOn(WriteRate.prototype, 'debit').mockImplementation(() => {});
    else vi.spyOn(WriteRate.prototype, 'allowed').mockReturnValue(true);
    expect(said(limited)).toMatch(
      /domU\d+: (?:WRITE|SET_PERMS) req_id \d+ tx 0 is write \d+ of this instance while a transaction was open, and the write rate limit allows \d+/,
    );
  });
});

describe('a daemon that loses one event in so many', () => {
  it('of those that watches are owed', () => {
    const event = Output.prototype.event;
    let count = 0;
    vi.spyOn(Output.prototype, 'event').mockImplementation(function (this: Output, ...args) {
      if (++count % 5_003 !== 0) event.apply(this, args);
    });
    expect(said()).toMatch(/dom\S+: event ".+" never came; caused by \S+ [A-Z_]+ req_id \d+/);
  });

  it('of those that ports are: whoever does not wake up is named, with what it waits for', () => {
    const notify = SimPlatform.prototype.notify;
    let count = 0;
    vi.spyOn(SimPlatform.prototype, 'notify').mockImplementation(function (this: SimPlatform, port) {
      if (++count % 151 !== 0) notify.call(this, port);
    });
    expect(said()).toMatch(/does not come to rest.*"who":"dom[^"]+","what":"the answer to [A-Z_]+ /s);
  });
});

describe('an update that loses what the store keeps of a domain beside its nodes', () => {
  /** What the checks of `hostile-guests` say of the first seed that does not pass; '': of none. */
  const saidOf = (change: (record: StateRecord) => StateRecord, seeds = SEEDS_MAX): string => {
    for (let seed = 1; seed <= seeds; seed++) {
      const request = { seed: String(seed), format: 'v2', settings: { hostile: 2 }, checks: true };
      const result = hostileGuests.run({ ...request, passImage: tamper(change) });
      const found = result.verdicts.flatMap(({ violations }) => violations.map(({ detail }) => detail));
      if (found.length > 0) return found.join('\n');
    }
    return '';
  };

  it.each<[string, (record: StateRecord) => StateRecord, RegExp]>([
    [
      'that an entry means nobody',
      (r) => (r.kind === 'NODE_DATA' ? { ...r, perms: r.perms.map((p) => ({ ...p, flags: 0 })) } : r),
      /domU\d+: READ req_id \d+ tx 0 .*\/tool\/promised/,
    ],
    [
      "a domain's own quotas",
      (r) => (r.kind === 'DOMAIN_DATA' ? { ...r, quotas: [] } : r),
      /dom0: GET_QUOTA req_id \d+ .*9/,
    ],
    [
      'whose model a domain is',
      (r) =>
        r.kind === 'CONNECTION_DATA' && r.conn.kind === 'ring' ? { ...r, conn: { ...r.conn, targetDomid: 0x7ff4 } } : r,
      /domU\d+: READ req_id \d+ tx 0 .*\/local\/domain\/\d+\/data.*EACCES/,
    ],
  ])('%s', (_, change, detail) => {
    expect(saidOf(change)).toMatch(detail);
  });

  it('nothing is said of one that loses nothing', () => {
    expect(saidOf((record) => record, 3)).toBe('');
  });
});
