import type { TraceEvent } from '../../sim/index.ts';
import type { RunResult } from '../engine/scenario.ts';
import { LOSS_KINDS_MAX, replayLine } from './text.ts';

/** Version of the record; it grows with every change of meaning. */
const RECORD_VERSION = 2;

/** An event as in the trace: pages are left out, and numbers of 64 bits are digits. */
function withoutOctets(event: TraceEvent): object {
  return Object.fromEntries(
    Object.entries(event)
      .filter(([key]) => key !== 'bytes')
      .map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
  );
}

/** What only who runs it knows of a run. */
export interface JsonDress {
  /** The run in one word, for `replay`. */
  readonly token?: string;
  /** Of a replay: whether it came to the same. */
  readonly isReproduced?: boolean;
}

/** A run as programs read it: one JSON object, the same octets for the same run. */
export function jsonReport(result: RunResult, command?: string, dress: JsonDress = {}): string {
  const { history: _history, hosts, verdicts, refusals, updates, devices, failure, marks, ...rest } = result;
  const record = {
    record: 'xenarium-run',
    version: RECORD_VERSION,
    ...rest,
    ...(hosts === undefined ? {} : { hosts: hosts.map(({ name }) => name) }),
    ...(failure === undefined
      ? {}
      : { failure: { ...failure, events: failure.events.map(withoutOctets), stack: undefined } }),
    ...(devices === undefined ? {} : { devices: Object.fromEntries(devices) }),
    updates: updates.map(({ losses: _losses, lossCounts, ...update }) =>
      lossCounts.length === 0 ? update : { ...update, losses: Object.fromEntries(lossCounts.slice(0, LOSS_KINDS_MAX)) },
    ),
    ...(marks === undefined ? {} : { marks }),
    refusals: Object.fromEntries(refusals),
    checks: verdicts.map((v) => ({
      invariant: v.invariant,
      claim: v.claim,
      source: v.source,
      checked: Object.fromEntries(v.checked),
      violations: v.violations,
      ...(v.known === undefined ? {} : { known: v.known }),
    })),
    ...dress,
    replay: replayLine(result, command, dress.token),
  };
  return `${JSON.stringify(record, null, 2)}\n`;
}
