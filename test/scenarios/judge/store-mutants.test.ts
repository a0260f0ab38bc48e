import { afterEach, describe, expect, it, vi } from 'vitest';
import { Output } from '../../../store/daemon/output.ts';
import { WriteRate } from '../../../store/daemon/rate.ts';
import { SimPlatform } from '../../../store/daemon/sim-platform.ts';
import { broken, headline } from '../../support/headline.ts';

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
