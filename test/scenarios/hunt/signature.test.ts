import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import { signatureOf } from '../../../scenarios/hunt/signature.ts';

/** A run in which one check is broken. `names`: of guests, the third is one that keeps no rule. */
function broken(detail: string, names: readonly [string, string, string]): RunResult {
  const epochs = names.map((name, i) => ({
    conn: i,
    domid: i + 1,
    uniqueId: i + 1,
    name,
    ...(i === 2 ? { isHostile: true } : {}),
  }));
  const violation = { invariant: 'watch-events', seq: 1, timeNs: 1, actor: names[0], detail };
  return {
    outcome: 'violation',
    verdicts: [{ invariant: 'watch-events', claim: '', checked: [], violations: [violation] }],
    history: { epochs, records: [], transactionPolicy: 'carry', compat: '4.22' },
  } as unknown as RunResult;
}

const LINUX = broken('linux3/worker1: event "/a" never came; caused by linux3 WRITE', [
  'linux3',
  'windows1',
  'long-header-2',
]);

describe('the signature of a failure', () => {
  it.each([
    ['another guest', broken('windows1: event "/b/c" never came; caused by dom0 RM', ['windows1', 'linux3', 'x1'])],
    ['dom0', broken('dom0: event "/b" never came; caused by dom0 RM', ['linux3', 'windows1', 'x1'])],
    [
      'a guest whose name begins as another does',
      broken('linux-pv4: event "/b" never came; caused by linux3 RM', ['linux-pv4', 'linux3', 'x1']),
    ],
  ])('is the same whoever missed it: %s', (_, other) => {
    expect(signatureOf(other)?.key).toBe(signatureOf(LINUX)?.key);
  });

  it.each([
    [
      'what is missing',
      broken('linux3/worker1: event "/a" came twice; caused by linux3 WRITE', ['linux3', 'windows1', 'x1']),
    ],
    [
      'what a hostile guest did',
      broken('long-header-2: event "/a" never came; caused by linux3 WRITE', ['linux3', 'windows1', 'long-header-2']),
    ],
  ])('is another where %s is', (_, other) => {
    expect(signatureOf(other)?.key).not.toBe(signatureOf(LINUX)?.key);
  });
});
