import { describe, expect, it } from 'vitest';
import { deviceIo } from '../../../scenarios/catalogue/device-io.ts';
import { hostileGuests } from '../../../scenarios/catalogue/hostile-guests.ts';
import { hotplugStorm } from '../../../scenarios/catalogue/hotplug-storm.ts';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import { suspendResume } from '../../../scenarios/catalogue/suspend-resume.ts';
import { upgradeByMigration } from '../../../scenarios/catalogue/upgrade-by-migration.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { jsonReport } from '../../../scenarios/report/json.ts';
import { textReport } from '../../../scenarios/report/text.ts';
import { broken, headline } from '../../support/headline.ts';

/*
 * Runs with faults in which nothing was wrong and something was told all the same, each for a cause of its own. A cause is an
 * interleaving, which a small history does not have; so the runs themselves are kept. A change that gives them other traces may
 * make a row pass for nothing: what it is about is then to be found anew in a sweep.
 */
const SMALL = { requests: 1_000, hostile: 8, domains: 5 };
const ROWS: readonly (readonly [
  scenario: typeof hostileGuests,
  seed: string,
  set: Record<string, Setting>,
  why: string,
])[] = [
  [
    liveUpdateMidTraffic,
    '60',
    {},
    'a removal in a transaction, of what stands below a node that somebody else removed',
  ],
  [
    liveUpdateMidTraffic,
    '227',
    { requests: 2_500, faults: 'swarm' },
    'a script that writes below a device between the commit that removed it and the news of that',
  ],
  [
    liveUpdateMidTraffic,
    '241',
    { requests: 2_500, faults: 'swarm' },
    'a transaction that removes what went with a domain that was never introduced',
  ],
  [
    liveUpdateMidTraffic,
    '262',
    { requests: 2_500, faults: 'swarm' },
    'a map track that is full while the rings are mapped again',
  ],
  [
    hostileGuests,
    '1',
    { kind: 'rewrites-requests', faults: 'INJ-R3' },
    'octets that change after the store has copied them',
  ],
  [
    hostileGuests,
    '800000',
    { requests: 600, faults: 'swarm' },
    'a domain that was never introduced, and another one with its id, never introduced either',
  ],
  [
    deviceIo,
    '800035',
    { domains: 3, block: 200, net: 200, faults: 'swarm' },
    'a netfront that is refused one key, and leaves two ports of its last connection beside its new one',
  ],
  [
    deviceIo,
    '800016',
    { domains: 3, block: 200, net: 200, faults: 'swarm' },
    'packets that were given up before the disks came to their target: nobody said that all was over',
  ],
  [hostileGuests, '12', { ...SMALL, faults: 'swarm' }, 'no ordinary guest that could make the shared directories'],
  [
    hostileGuests,
    '113',
    { ...SMALL, faults: 'swarm' },
    'an update between a guest’s taking back its grant and its next words',
  ],
  [
    suspendResume,
    '672750',
    { requests: 3_000, faults: 'swarm' },
    'an update that maps what has come to where a suspended guest’s ring was',
  ],
  [
    suspendResume,
    '673045',
    { requests: 3_000, faults: 'swarm' },
    'events that are queued before and behind an update, and ends of domains that are told at any time between them',
  ],
  [
    suspendResume,
    '700066',
    { requests: 3_000, faults: 'swarm' },
    'a death that the old instance sees when its update has failed, and before it says so',
  ],
  [
    suspendResume,
    '710018',
    { requests: 3_000, faults: 'swarm', store: 'stubdom' },
    'a domain that was suspended and then destroyed, of which a successor tells both',
  ],
  [
    hotplugStorm,
    '710002',
    { devices: 12, domains: 3, store: 'stubdom', faults: 'swarm' },
    'no domain that could be made, and none to attach to or to save',
  ],
  [
    deviceIo,
    '710041',
    { block: 300, net: 300, domains: 4, policy: 'daemon', faults: 'swarm' },
    'a device whose change of state was in a transaction that a forced update broke: it closes',
  ],
  [suspendResume, '69', { requests: 3_000, faults: 'swarm' }, 'a guest that parks when whoever asked it has ended'],
  [
    suspendResume,
    '672735',
    { faults: 'swarm' },
    'a guest that a fault has parked amid its messages, and that its toolstack takes for suspended',
  ],
  [
    suspendResume,
    '128',
    { requests: 3_000, faults: 'swarm' },
    'a death that the store hears of in the middle of the last reading',
  ],
  [
    liveUpdateMidTraffic,
    '3',
    { requests: 2_500, policy: 'daemon', force: 1, faults: 'swarm' },
    'a device whose removal was in a transaction that a forced update broke',
  ],
  [
    liveUpdateMidTraffic,
    '710090',
    { requests: 2_000, domains: 10, policy: 'daemon', faults: 'swarm' },
    'an update that begins to wait while the clock is ahead, which would take an hour',
  ],
  [
    liveUpdateMidTraffic,
    '55',
    { requests: 2_500, policy: 'daemon', force: 1, faults: 'swarm' },
    'a home whose permissions were to be set in such a transaction',
  ],
  [
    hostileGuests,
    '920011',
    { requests: 300, hostile: 4, domains: 3, store: 'stubdom', faults: 'swarm' },
    'a domain without a ring that somebody kept by a mapping until the last reading was under way',
  ],
  [
    upgradeByMigration,
    '910074',
    { domains: 2, requests: 1_000, block: 60, net: 60, faults: 'swarm' },
    'a guest that is left alone, since a forced update broke the transaction in which the other one was made',
  ],
];

describe('what faults allow is no violation', () => {
  it.each(ROWS.map(([scenario, seed, set, why]) => ({ name: scenario.name, seed, why, scenario, set })))(
    '$name, seed $seed: $why',
    { timeout: 60_000 },
    ({ scenario, seed, set }) => {
      const result = scenario.run({ seed, format: 'v2', settings: set, checks: true });
      expect(broken(result)).toEqual([]);
      expect([result.outcome, result.reason]).toEqual(['pass', '']);
    },
  );
});

describe('a known defect that a policy has on purpose', () => {
  it('is told under its label, and the run passes', () => {
    const result = headline({ seed: '7', set: { policy: 'daemon', force: 1 } });
    expect([result.outcome, broken(result)]).toEqual(['pass', []]);
    expect(textReport(result, { colour: false })).toMatch(
      /known defect INV-T8, [0-9]+ times: .*\n {4}first at .* reached the transaction that .* started under the same id/,
    );
    const { checks } = JSON.parse(jsonReport(result)) as { checks: { known?: { label: string }[] }[] };
    expect(checks.flatMap(({ known = [] }) => known.map(({ label }) => label))).toEqual(['INV-T8']);
  });
});
