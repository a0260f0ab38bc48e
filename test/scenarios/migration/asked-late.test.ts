import { describe, expect, it } from 'vitest';
import { HandoverLog } from '../../../guests/libxl/index.ts';
import { upgradeByMigration } from '../../../scenarios/catalogue/upgrade-by-migration.ts';
import { broken } from '../../support/headline.ts';

const NAMES = { uuid: 'u', here: 'guest', passing: 'guest--incoming' };

describe('a handover whose source asks late', () => {
  it('is what was decided of that attempt, though the same guest has come again', () => {
    const log = new HandoverLog();
    const first = log.incoming(1, { ...NAMES, attempt: 1 });
    expect(HandoverLog.accept(first)).toBe(true);
    log.incoming(2, { ...NAMES, attempt: 2 });
    expect([log.decide(1), log.decide(2), log.decide(3)]).toEqual(['accepted', 'refused', 'refused']);
  });

  it('does not hide one of the same guest that was left before', () => {
    const log = new HandoverLog();
    const [a, b] = [log.sends(1, { ...NAMES, attempt: 1 }, 'there'), log.sends(3, { ...NAMES, attempt: 2 }, 'there')];
    expect(log.sent).toEqual([a, b]);
    log.forgetSent(b);
    expect(log.sent).toEqual([a]);
  });

  it('is over when its guest is asked anew before there was a go; behind a go it stands', () => {
    const log = new HandoverLog();
    log.sends(1, { ...NAMES, attempt: 1 }, 'there');
    const second = log.sends(1, { ...NAMES, attempt: 2 }, 'there');
    expect(log.sent).toEqual([second]);
    second.state = 'go written';
    const third = log.sends(1, { ...NAMES, attempt: 3 }, 'there');
    expect(log.sent).toEqual([second, third]);
  });

  // 1. Its go is accepted, and the sender is killed. 2. The guest comes back. 3. The agent asks for its parked copy.
  it('leaves one copy where the guest has gone on meanwhile', { timeout: 60_000 }, () => {
    const settings = { domains: 2, requests: 1_000, block: 60, net: 60, toolstack: 'handoverLog', faults: 'swarm' };
    const result = upgradeByMigration.run({ seed: '920007', format: 'v2', settings, checks: true });
    expect([result.outcome, broken(result)]).toEqual(['pass', []]);
  });
});
