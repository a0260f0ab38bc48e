import { SCENARIOS } from '../../catalogue/index.ts';
import type { RunResult } from '../../engine/scenario.ts';
import { specOf } from '../../hunt/spec.ts';
import { type Fields, fieldsOf, formatToken, isToken, type Ticket, ticketOf } from '../../hunt/token.ts';
import { daemonOf } from '../daemon.ts';
import { Unusable } from '../image/io.ts';
import { moduleDigest } from '../load-module.ts';
import { scenariosOf } from '../scenarios-of.ts';
import { say } from '../terminal/output.ts';
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
  /** What is not as it was then, in words: the daemon that is there now, or the module, has other octets. */
  readonly isOther: string | undefined;
}

/** What a token or a file names. `daemon`: where the daemon is that serves it, if not where it was. Errors: Unusable. */
export async function namedRun(word: string, daemon?: string): Promise<NamedRun> {
  const { fields, events } = isToken(word) ? { fields: tokenFields(word), events: undefined } : readRunFile(word);
  const scenarios = await scenariosOf(fields.scenario);
  const isOtherModule = fields.module !== undefined && fields.module !== moduleDigest(fields.scenario);
  const changed = isOtherModule ? `${fields.scenario} has changed since` : undefined;
  const parsed = ticketOf(fields, scenarios);
  const named = (reason: string) => [...(events === undefined ? [] : [word]), ...(changed ? [changed] : []), reason];
  if (!parsed.ok) throw new Unusable(named(parsed.reason).join(': '));
  if (changed !== undefined) say(`${changed}: it is run as it is now`);
  const ticket = changed === undefined ? parsed.value : withModule(parsed.value);
  const file = events && { file: { ticket, events } };
  const was = ticket.spec.daemon;
  if (was === undefined) {
    if (daemon !== undefined) throw new Unusable('--daemon: it is a run on the store of this package');
    return { ticket, ...file, isOther: changed };
  }
  const { binary, successor, all } = was;
  const is = daemonOf({ daemon: daemon ?? binary, ...(successor && { daemonNext: successor }), ...(all && { all }) });
  const spec = { ...ticket.spec, ...(is && { daemon: is.named }) };
  const isOtherDaemon = is?.named.digest !== was.digest;
  return {
    ticket: { ...ticket, spec },
    ...file,
    isOther: changed ?? (isOtherDaemon ? 'it is another daemon' : undefined),
  };
}

function tokenFields(word: string): Fields {
  const fields = fieldsOf(word);
  if (!fields.ok) throw new Unusable(fields.reason);
  return fields.value;
}

/** The same run of the module as it is now. */
function withModule(ticket: Ticket): Ticket {
  return { ...ticket, spec: { ...ticket.spec, module: moduleDigest(ticket.spec.scenario) } };
}
