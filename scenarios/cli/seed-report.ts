import type { MarksSeen, RunOutcome, RunResult } from '../engine/scenario.ts';
import { signatureOf } from '../hunt/signature.ts';
import { situationsIn } from '../hunt/situations.ts';
import type { Runner, RunSpec } from '../hunt/spec.ts';
import { causeOf } from '../report/cause.ts';
import { replayArguments } from '../report/text.ts';
import { tokenFor } from './hunt/ticket.ts';

/** Seeds from the first to the last, both included. */
export interface SeedRange {
  readonly from: number;
  readonly to: number;
}

/** Why a run did not pass: what a sweep groups by, and one sentence of this run. */
export interface Finding {
  readonly key: string;
  readonly text: string;
  /** What replays it, from the name of the command on. */
  readonly replay: string;
  readonly token: string;
}

/** What is kept of one run; plain data, since it comes from another thread. */
export interface SeedReport {
  readonly spec: RunSpec;
  readonly outcome: RunOutcome;
  readonly requests: number;
  /** What happened; `undefined`: it was not judged. */
  readonly marks: MarksSeen | undefined;
  /** `undefined`: it passed. */
  readonly finding: Finding | undefined;
  /** Labels of the known defects that it showed. */
  readonly known: readonly string[];
  /** What its updates met. */
  readonly situations: readonly string[];
}

/** Run one spec. Errors: none but for a scenario that there is not. */
export function runSpec(runner: Runner, spec: RunSpec): SeedReport {
  const result = runner(spec);
  const { outcome, requests, marks, history } = result;
  const known = result.verdicts.flatMap((verdict) => verdict.known ?? []).map(({ label }) => label);
  const situations = history === undefined ? [] : [...situationsIn(history)];
  return { spec, outcome, requests, marks, finding: findingOf(result), known, situations };
}

function findingOf(result: RunResult): Finding | undefined {
  const { key } = signatureOf(result) ?? { key: '' };
  const cause = causeOf(result);
  if (cause === undefined) return undefined;
  return { key, text: cause.text, replay: replayArguments(result), token: tokenFor(result) };
}

/** The report on a run of which whoever was at it has died. */
export function deathReport(spec: RunSpec, why: string): SeedReport {
  const finding = { key: `error: ${why}`, text: why, replay: replayArguments(spec), token: '' };
  return { spec, outcome: 'error', requests: 0, marks: undefined, finding, known: [], situations: [] };
}
