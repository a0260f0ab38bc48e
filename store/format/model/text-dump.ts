import type { FileRow } from '../file/annotate.ts';
import { PERM_LETTERS, type PermLetter } from '../generations/records.ts';
import type { FormatFailure, FormatResult } from '../schema/cursor.ts';

import { octetsOf, textOf } from '../schema/text.ts';
import type { AclEntry } from './state.ts';
import { oxC, type TextLayout } from './text-layout.ts';

// The dump of oxenstored: a header line, then lines of fields separated by commas, strings as pairs of hex digits.
// Source: tools/ocaml/xenstored/xenstored.ml, module DB.

export const TEXT_DUMP_HEADER = '$xenstored-dump-format';

/** One line. `text` is what stood there, when it is not what the encoder would write. */
export type DumpLine = DumpFields & { readonly text?: string };
export type DumpFields =
  | { readonly kind: 'global'; readonly rw: number }
  | { readonly kind: 'evtchn-dev'; readonly fd: number; readonly port: number }
  | {
      readonly kind: 'dom';
      readonly domid: number;
      readonly mfn: bigint;
      readonly remotePort: number;
      readonly localPort?: number;
    }
  | { readonly kind: 'socket'; readonly fd: number }
  | { readonly kind: 'watch'; readonly id: number; readonly path: string; readonly token: Uint8Array }
  | { readonly kind: 'store'; readonly path: string; readonly perms: readonly AclEntry[]; readonly value: Uint8Array }
  /** A line that the daemon logs and skips. */
  | { readonly kind: 'skipped'; readonly text: string };

export interface TextDump {
  readonly lines: readonly DumpLine[];
  /** The last line does not end in LF. */
  readonly unterminated?: true;
}

export interface TextDumpResult {
  readonly dump: TextDump;
  /** Lines that cannot be read: `record` is the number of the line, the header's being -1. */
  readonly warnings: readonly FormatFailure[];
}

/**
 * Read a dump. Errors: another first line, which is fatal to the daemon too; all other faults are warnings, and their
 * lines are skipped.
 * @param layout of the daemon that reads; the newest by default, which reads what all have written
 */
export function decodeTextDump(octets: Uint8Array, layout: TextLayout = oxC): FormatResult<TextDumpResult> {
  const [first, ...rest] = textLines(octets);
  if (first?.text !== TEXT_DUMP_HEADER) {
    const failure = { offset: 0, record: -1, name: 'header', path: '', reason: `is not ${TEXT_DUMP_HEADER}` };
    return { ok: false, failure };
  }
  const lines: DumpLine[] = [];
  const warnings: FormatFailure[] = [];
  for (const [record, { offset, text }] of rest.entries()) {
    const line = parseLine(text, layout);
    if (line.fault !== undefined) {
      const { field, path, reason } = line.fault;
      warnings.push({ offset: offset + field, record, name: text.split(',')[0] ?? '', path, reason });
      lines.push({ kind: 'skipped', text });
    } else lines.push(lineText(line.fields) === text ? line.fields : { ...line.fields, text });
  }
  const dump: TextDump = octets.at(-1) === 0x0a ? { lines } : { lines, unterminated: true };
  return { ok: true, value: { dump, warnings } };
}

/** Write a dump, each line as it stood if it was read. */
export function encodeTextDump(dump: TextDump): Uint8Array {
  const lines = [TEXT_DUMP_HEADER, ...dump.lines.map((line) => line.text ?? lineText(line))];
  return octetsOf(lines.join('\n') + (dump.unterminated ? '' : '\n'));
}

function textLines(octets: Uint8Array): { readonly offset: number; readonly text: string }[] {
  const lines = textOf(octets).split('\n');
  if (lines.at(-1) === '') lines.pop();
  let offset = 0;
  return lines.map((text) => {
    const line = { offset, text };
    offset += text.length + 1;
    return line;
  });
}

/** A fault and the offset in the line of the field that has it. */
interface LineFault {
  readonly field: number;
  readonly path: string;
  readonly reason: string;
}
type Parsed =
  | { readonly fields: DumpFields; readonly fault?: undefined }
  | { readonly fault: LineFault; readonly fields?: undefined };

function parseLine(text: string, layout: TextLayout): Parsed {
  const [kind = '', ...values] = text.split(',');
  const found = layout.lines[kind];
  if (found === undefined) return { fault: { field: 0, path: '', reason: 'is of no known kind' } };
  const { fields: names, more } = found;
  const least = names.filter((name) => !name.endsWith('?')).length;
  if (values.length < least || (values.length > names.length && !more))
    return { fault: { field: 0, path: '', reason: `has ${values.length} fields, not ${least}` } };
  const line = new LineReader(kind, names, values.slice(0, names.length));
  const fields = line.read();
  return line.fault === undefined ? { fields } : { fault: line.fault };
}

class LineReader {
  fault: LineFault | undefined = undefined;
  readonly #kind: string;
  readonly #names: readonly string[];
  readonly #values: readonly string[];
  #at = 0;
  #field: number;

  constructor(kind: string, names: readonly string[], values: readonly string[]) {
    this.#kind = kind;
    this.#names = names;
    this.#values = values;
    this.#field = kind.length + 1;
  }

  read(): DumpFields {
    switch (this.#kind) {
      case 'global':
        return { kind: 'global', rw: this.#int() };
      case 'evtchn-dev':
        return { kind: 'evtchn-dev', fd: this.#int(), port: this.#int() };
      case 'dom': {
        const domid = this.#int();
        const mfn = this.#next((value) => ocamlInt(value));
        const dom = { kind: 'dom', domid, mfn: mfn ?? 0n, remotePort: this.#int() } as const;
        return this.#at === this.#values.length ? dom : { ...dom, localPort: this.#int() };
      }
      case 'socket':
        return { kind: 'socket', fd: this.#int() };
      case 'watch':
        return { kind: 'watch', id: this.#int(), path: this.#hex(), token: octetsOf(this.#hex()) };
      default: {
        const path = this.#hex();
        const perms = this.#next((value) => parsePerms(unhexify(value)), 'are no permissions') ?? [];
        return { kind: 'store', path, perms, value: octetsOf(this.#hex()) };
      }
    }
  }

  #int(): number {
    const value = this.#next((text) => {
      const int = ocamlInt(text);
      return int === undefined || !Number.isSafeInteger(Number(int)) ? undefined : Number(int);
    });
    return value ?? 0;
  }

  #hex(): string {
    return this.#next(unhexify, 'is not hexadecimal') ?? '';
  }

  #next<T>(parse: (text: string) => T | undefined, reason = 'is not a number'): T | undefined {
    const text = this.#values[this.#at] ?? '';
    const value = parse(text);
    const path = (this.#names[this.#at] ?? '').replace('?', '');
    if (value === undefined) this.fault ??= { field: this.#field, path, reason };
    this.#at++;
    this.#field += text.length + 1;
    return value;
  }
}

/** int_of_string of OCaml: a sign, a base prefix, underscores between and behind digits. */
function ocamlInt(text: string): bigint | undefined {
  const m = /^([-+]?)(0[xX][0-9a-fA-F][0-9a-fA-F_]*|0[oO][0-7][0-7_]*|0[bB][01][01_]*|[0-9][0-9_]*)$/.exec(text);
  if (m === null) return undefined;
  const value = BigInt((m[2] ?? '').replaceAll('_', '').toLowerCase());
  return m[1] === '-' ? -value : value;
}

/** Octets of hex pairs. An odd digit at the end is ignored, and the second of a pair may be `_`, as the daemon has it. */
function unhexify(text: string): string | undefined {
  let octets = '';
  for (let at = 0; at + 1 < text.length; at += 2) {
    const pair = text.slice(at, at + 2);
    if (!/^[0-9a-fA-F][0-9a-fA-F_]$/.test(pair)) return undefined;
    octets += String.fromCharCode(Number.parseInt(pair.replace('_', ''), 16));
  }
  return octets;
}

function hexify(text: string): string {
  let hex = '';
  for (let i = 0; i < text.length; i++) hex += text.charCodeAt(i).toString(16).padStart(2, '0');
  return hex;
}

/** `n5 NUL r0`: letter and domid, the owner first. */
function parsePerms(text: string | undefined): AclEntry[] | undefined {
  if (text === undefined) return undefined;
  const entries: AclEntry[] = [];
  for (const word of text.split('\0')) {
    const letter = PERM_LETTERS.find((l) => l === word[0]);
    const domid = ocamlInt(word.slice(1));
    if (letter === undefined || domid === undefined) return undefined;
    entries.push({ letter, domid: Number(domid), stale: false });
  }
  return entries;
}

/** The line as the daemon writes it. */
export function lineText(line: DumpFields): string {
  switch (line.kind) {
    case 'global':
      return `global,${line.rw}`;
    case 'evtchn-dev':
      return `evtchn-dev,${line.fd},${line.port}`;
    case 'dom':
      return `dom,${line.domid},${line.mfn},${line.remotePort}${line.localPort === undefined ? '' : `,${line.localPort}`}`;
    case 'socket':
      return `socket,${line.fd}`;
    case 'watch':
      return `watch,${line.id},${hexify(line.path)},${hexify(textOf(line.token))}`;
    case 'store': {
      const perms = line.perms.map(({ letter, domid }: { letter: PermLetter; domid: number }) => `${letter}${domid}`);
      return `store,${hexify(line.path)},${hexify(perms.join('\0'))},${hexify(textOf(line.value))}`;
    }
    case 'skipped':
      return line.text;
  }
}

/** Annotate a dump: every octet once, field by field, separators and line ends as rows of their own. */
export function textDumpRows(octets: Uint8Array, layout: TextLayout = oxC): FileRow[] {
  const found: FileRow[] = [];
  for (const [i, { offset, text }] of textLines(octets).entries()) {
    const record = i - 1;
    const [kind = ''] = text.split(',');
    const name = record < 0 ? 'header' : kind;
    const names = record < 0 ? [] : (layout.lines[kind]?.fields ?? []);
    let at = offset;
    const put = (length: number, path: string, meaning: string) => {
      if (length > 0) found.push({ record, name, offset: at, bytes: octets.subarray(at, at + length), path, meaning });
      at += length;
    };
    for (const [k, field] of text.split(',').entries()) {
      if (k > 0) put(1, 'comma', '');
      const path = k === 0 ? 'kind' : (names[k - 1]?.replace('?', '') ?? `more[${k - 1}]`);
      put(field.length, path, unhexNote(path, field));
    }
    if (at < octets.length) put(1, 'end', '');
  }
  return found;
}

const HEX_FIELDS: readonly string[] = ['path', 'token', 'perms', 'value'];

function unhexNote(path: string, field: string): string {
  if (!HEX_FIELDS.includes(path)) return '';
  return unhexify(field) === undefined ? 'Not hexadecimal.' : `${field.length >> 1} octets in hexadecimal.`;
}
