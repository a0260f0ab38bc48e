import { escapeOctets, type FileRow, formatFailure, textOf } from '../../../store/format/index.ts';
import { differencesText, diffStates, type LabFormat, rootless } from '../../../store/format/model/index.ts';
import { print, printJson, printJsonText } from '../terminal/output.ts';
import { readOctets, tell } from './io.ts';
import { formatFor, type Reading } from './named.ts';

interface LookOptions extends Reading {
  readonly format?: string;
  readonly json?: true;
}

/** Print an image record by record; what could be read before a fault is printed, then the fault. Exit 1: it is broken. */
export async function decodeCommand(file: string, options: LookOptions): Promise<number> {
  const octets = readOctets(file);
  const format = await formatFor(file, octets, options.format, options);
  const json = format.json(octets);
  if (!options.json) print(format.show(octets));
  else if (json.ok) printJson(json.value);
  return json.ok ? 0 : tell([`${file}: ${formatFailure(json.failure)}`]);
}

/** Print every octet with the field that it belongs to. Exit 1: it is broken; what can be followed is printed. */
export async function annotateCommand(file: string, options: LookOptions): Promise<number> {
  const octets = readOctets(file);
  const format = await formatFor(file, octets, options.format, options);
  const rows = format.rows(octets);
  const out = new Pieces(options.json === true ? printJsonText : print);
  let next = rows.next();
  for (let count = 0; !next.done; next = rows.next(), count++) {
    if (!options.json) out.put(rowText(next.value));
    else out.put(`${count === 0 ? '[\n  ' : ',\n  '}${indented(rowJson(next.value))}`);
  }
  if (options.json) out.put(octets.length === 0 ? '[]\n' : '\n]\n');
  out.end();
  const failure = next.value;
  return failure === undefined ? 0 : tell([`${file}: ${formatFailure(failure)}`]);
}

/** Text for standard output, in pieces: a large file is never in memory as text. */
class Pieces {
  readonly #print: (text: string) => void;
  #text = '';

  constructor(print: (text: string) => void) {
    this.#print = print;
  }

  put(text: string): void {
    this.#text += text;
    if (this.#text.length > PIECE_CHARS) this.end();
  }

  end(): void {
    this.#print(this.#text);
    this.#text = '';
  }
}

const PIECE_CHARS = 1 << 16;

function indented(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', '\n  ');
}

const SHOWN_BYTES = 16;

/** Offset, octets, record, field, value, meaning. */
function rowText({ offset, bytes, record, name, path, value, meaning }: FileRow): string {
  const shown = Array.from(bytes.subarray(0, SHOWN_BYTES), (octet) => octet.toString(16).padStart(2, '0')).join(' ');
  const hex = bytes.length > SHOWN_BYTES ? `${shown} ..(${bytes.length})` : shown;
  const where = `${record < 0 ? '' : `${record} `}${name}${path === '' ? '' : ` ${path}`}`;
  const text = `${where} = ${value ?? escapeOctets(bytes, 64)}${meaning === '' ? '' : `  ${meaning}`}`;
  return `${offset.toString(16).padStart(8, '0')} ${hex.padEnd(47)}  ${text}\n`;
}

/** Octets as a string of one code point each, a u64 as decimal digits. */
function rowJson({ bytes, value, ...row }: FileRow): unknown {
  const number = typeof value === 'bigint' ? String(value) : value;
  return { ...row, length: bytes.length, value: number ?? textOf(bytes) };
}

/** Say what is wrong with an image, and what is worth a note. Exit 1: something is wrong. */
export async function validateCommand(file: string, options: LookOptions): Promise<number> {
  const octets = readOctets(file);
  const format = await formatFor(file, octets, options.format, options);
  const found = format.validate(octets);
  const isBroken = found.some(({ severity }) => severity === 'error');
  const read = isBroken ? undefined : format.read(octets);
  const findings = read?.ok === true ? [...found, ...rootless(read.value.state, octets.length)] : found;
  if (options.json) printJson(findings);
  for (const finding of options.json ? [] : findings) {
    const note = finding.severity === 'note' ? 'note: ' : '';
    print(`${note}${formatFailure(finding)} [${finding.rule}]\n`);
  }
  return isBroken ? 1 : 0;
}

/** Compare what two images say, whatever their formats. Exit 1: they differ, or one is broken. */
export async function diffCommand(
  a: string,
  b: string,
  options: LookOptions & { readonly formatB?: string },
): Promise<number> {
  const states = [];
  for (const [file, name] of [
    [a, options.format],
    [b, options.formatB ?? options.format],
  ] as const) {
    const octets = readOctets(file);
    const format: LabFormat = await formatFor(file, octets, name, options);
    const read = format.read(octets);
    if (!read.ok) return tell([`${file}: ${formatFailure(read.failure)}`]);
    states.push(read.value.state);
  }
  const [first, second] = states;
  if (first === undefined || second === undefined) return 1;
  const differences = diffStates(first, second);
  if (options.json) printJson(differences);
  else print(differencesText(differences));
  return differences.length === 0 ? 0 : 1;
}
