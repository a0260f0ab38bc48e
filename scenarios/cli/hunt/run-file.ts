import { gunzipSync, gzipSync } from 'node:zlib';
import type { LoggedEvent } from '../../hunt/event-log.ts';
import type { Fields, Ticket } from '../../hunt/token.ts';
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
  const lines = events.map((event) => `${event.digest} ${event.text.replaceAll('\n', '\\n')}`);
  writeOctets(path, gzipSync([JSON.stringify(head), ...lines].join('\n')));
}

/** Read one; what it says is not looked at yet. Errors: Unusable, for what is none. */
export function readRunFile(path: string): { readonly fields: Fields; readonly events: RunFile['events'] } {
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
  const before = head.events - lines.length; // what made the host
  const events = lines.map((line, i) => ({
    n: before + i,
    digest: line.slice(0, DIGEST_DIGITS),
    text: line.slice(DIGEST_DIGITS + 1),
  }));
  return { fields: head, events };
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
