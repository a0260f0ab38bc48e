import { SCENARIOS } from '../../catalogue/index.ts';
import type { RunResult } from '../../engine/scenario.ts';
import { specOf } from '../../hunt/spec.ts';
import { formatToken, isToken, parseToken, type Ticket } from '../../hunt/token.ts';
import { Unusable } from '../image/io.ts';
import { version } from '../version.ts';
import { type RunFile, readRunFile } from './run-file.ts';

/** A run with what came of it. */
export function ticketFor(result: RunResult): Ticket {
  return { spec: specOf(result), version: version(), digest: result.digest, events: result.traceEvents };
}

/** The token of a run that was made. */
export function tokenFor(result: RunResult): string {
  return formatToken(ticketFor(result), SCENARIOS);
}

/** What a token or a file names, and the file's events if it is one. Errors: Unusable. */
export function namedRun(word: string): { readonly ticket: Ticket; readonly file?: RunFile } {
  if (!isToken(word)) {
    const file = readRunFile(word, SCENARIOS);
    return { ticket: file.ticket, file };
  }
  const parsed = parseToken(word, SCENARIOS);
  if (!parsed.ok) throw new Unusable(parsed.reason);
  return { ticket: parsed.value };
}
