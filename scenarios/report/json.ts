import type { RunResult } from '../engine/scenario.ts';
import { LOSS_KINDS_MAX, replayLine } from './text.ts';

/** Version of the record; it grows with every change of meaning. */
const RECORD_VERSION = 1;

/** A run as programs read it: one JSON object, the same octets for the same run. */
export function jsonReport(result: RunResult): string {
  const { history: _history, verdicts, refusals, updates, devices, ...rest } = result;
  const record = {
    record: 'xenarium-run',
    version: RECORD_VERSION,
    ...rest,
    ...(devices === undefined ? {} : { devices: Object.fromEntries(devices) }),
    updates: updates.map(({ losses: _losses, lossCounts, ...update }) =>
      lossCounts.length === 0 ? update : { ...update, losses: Object.fromEntries(lossCounts.slice(0, LOSS_KINDS_MAX)) },
    ),
    refusals: Object.fromEntries(refusals),
    checks: verdicts.map((v) => ({
      invariant: v.invariant,
      claim: v.claim,
      source: v.source,
      checked: Object.fromEntries(v.checked),
      violations: v.violations,
    })),
    replay: replayLine(result),
  };
  return `${JSON.stringify(record, null, 2)}\n`;
}
