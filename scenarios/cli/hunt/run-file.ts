import { gunzipSync, gzipSync } from 'node:zlib';
import type { Scenario } from '../../engine/scenario.ts';
import type { LoggedEvent } from '../../hunt/event-log.ts';
import { type Fields, type Ticket, ticketOf } from '../../hunt/token.ts';
import { readOctets, Unusable, writeOctets } from '../image/io.ts';

/** A run with all its events, as it was: what `run --save` writes and `replay` compares with. */
export interface RunFile {
  readonly ticket: Ticket;
  /** From the first step of the run on. */
  readonly events: readonly LoggedEvent[];
}

const RECORD = 'xenarium-run-file';
const VERSION = 1;

/**
 * Write a run: gzip of a line of JSON that says what it is, and a line for each event, with its digest and its text.
 * Errors: Unusable.
 */
export function writeRunFile(path: string, { ticket, events }: RunFile): void {
  const { spec, version, digest, events: count } = ticket;
  const { settings: set, ...rest } = spec;
  const head = { record: RECORD, fileVersion: VERSION, ...rest, set, version, digest, events: count };
  const lines = events.map((event) => `${event.digest} ${event.text}`);
  writeOctets(path, gzipSync([JSON.stringify(head), ...lines].join('\n')));
}

/** Read one. Errors: Unusable, for what is none, or names what there is not. */
export function readRunFile(path: string, scenarios: readonly Scenario[]): RunFile {
  const octets = readOctets(path);
  let text: string;
  try {
    text = new TextDecoder().decode(gunzipSync(octets));
  } catch {
    throw new Unusable(`${path}: neither a token nor a file of run --save`);
  }
  const [first = '', ...lines] = text.split('\n');
  const head = fieldsOf(first);
  if (head === undefined) throw new Unusable(`${path}: not a file of run --save`);
  if (head.fileVersion !== VERSION)
    throw new Unusable(`${path}: version ${head.fileVersion}; this program reads version ${VERSION}`);
  const ticket = ticketOf(head, scenarios);
  if (!ticket.ok) throw new Unusable(`${path}: ${ticket.reason}`);
  const events = lines.map((line, n) => ({
    n,
    digest: line.slice(0, DIGEST_DIGITS),
    text: line.slice(DIGEST_DIGITS + 1),
  }));
  return { ticket: ticket.value, events };
}

const DIGEST_DIGITS = 16;

function fieldsOf(line: string): (Fields & { readonly fileVersion: number }) | undefined {
  try {
    const head = JSON.parse(line) as Fields & { readonly record?: string; readonly fileVersion: number };
    return head.record === RECORD ? head : undefined;
  } catch {
    return undefined;
  }
}
