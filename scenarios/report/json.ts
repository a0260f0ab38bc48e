import type { RunResult } from '../scenario.ts';
import { replayLine } from './text.ts';

/** Version of the record; it grows with every change of meaning. */
const RECORD_VERSION = 1;

/** A run as programs read it: one JSON object, the same octets for the same run. */
export function jsonReport(result: RunResult): string {
  const { history: _history, verdicts, refusals, ...rest } = result;
  const record = {
    record: 'xenarium-run',
    version: RECORD_VERSION,
    ...rest,
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
