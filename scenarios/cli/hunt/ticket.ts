import { SCENARIOS } from '../../catalogue/index.ts';
import type { RunResult } from '../../engine/scenario.ts';
import { specOf } from '../../hunt/spec.ts';
import { formatToken, isToken, parseToken, type Ticket } from '../../hunt/token.ts';
import { daemonOf } from '../daemon.ts';
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

/** A run that a word names. */
export interface NamedRun {
  readonly ticket: Ticket;
  /** With its events, if it was a file. */
  readonly file?: RunFile;
  /** Whether the daemon that is there now has other octets than the one that served then. */
  readonly hasOtherDaemon: boolean;
}

/** What a token or a file names. `daemon`: where the daemon is that serves it, if not where it was. Errors: Unusable. */
export function namedRun(word: string, daemon?: string): NamedRun {
  const file = isToken(word) ? undefined : readRunFile(word, SCENARIOS);
  const parsed = file === undefined ? parseToken(word, SCENARIOS) : { ok: true as const, value: file.ticket };
  if (!parsed.ok) throw new Unusable(parsed.reason);
  const ticket = parsed.value;
  const was = ticket.spec.daemon;
  if (was === undefined) {
    if (daemon !== undefined) throw new Unusable('--daemon: it is a run on the store of this package');
    return { ticket, ...(file && { file }), hasOtherDaemon: false };
  }
  const { binary, successor, all } = was;
  const is = daemonOf({ daemon: daemon ?? binary, ...(successor && { daemonNext: successor }), ...(all && { all }) });
  const spec = { ...ticket.spec, ...(is && { daemon: is.named }) };
  return { ticket: { ...ticket, spec }, ...(file && { file }), hasOtherDaemon: is?.named.digest !== was.digest };
}
