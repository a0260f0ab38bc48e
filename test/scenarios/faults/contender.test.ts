import { expect, it } from 'vitest';
import { conflictStorm } from '../../../scenarios/catalogue/worries/conflict-storm.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';

const settings = completeSettings(conflictStorm.settings, { domains: 2, requests: 500, faults: 'INJ-T6' });

it.each(['19', '44', '51', '125', '138'])(
  'who contends (INJ-T6) writes no more once the tree is read: seed %s',
  (seed) => {
    const { history, outcome } = conflictStorm.run({ seed, format: 'v2', settings, checks: true });
    const sent = history!.records.flatMap((r) => (r.kind === 'sent' ? [r] : []));
    const reading = sent.findIndex(({ actor }) => actor === 'dom0/verifier');
    const writes = sent.flatMap(({ actor }, i) => (actor === 'dom0/contender' ? [i] : []));
    expect(writes.filter((i) => i > reading)).toEqual([]);
    expect(outcome).not.toBe('violation');
  },
);
