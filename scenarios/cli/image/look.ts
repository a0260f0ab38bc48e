import { escapeOctets, type FormatFailure, formatFailure, type ImageRow } from '../../../store/format/index.ts';
import { differencesText, diffStates, type LabFormat } from '../../../store/format/model/index.ts';
import { readOctets, tell } from './io.ts';
import { formatFor } from './named.ts';

interface LookOptions {
  readonly format?: string;
  readonly json?: true;
}

/** Print an image record by record; what could be read before a fault is printed, then the fault. Exit 1: it is broken. */
export async function decodeCommand(file: string, options: LookOptions): Promise<number> {
  const octets = readOctets(file);
  const format = await formatFor(file, octets, options.format);
  const json = format.json(octets);
  if (!options.json) process.stdout.write(format.show(octets));
  else if (json.ok) process.stdout.write(`${JSON.stringify(json.value, null, 2)}\n`);
  return json.ok ? 0 : tell([`${file}: ${formatFailure(json.failure)}`]);
}

/** Print every octet with the field that it belongs to. Exit 1: it is broken; what can be followed is printed. */
export async function annotateCommand(file: string, options: LookOptions): Promise<number> {
  const octets = readOctets(file);
  const format = await formatFor(file, octets, options.format);
  const { rows, failure } = format.rows(octets);
  if (options.json) process.stdout.write(`${JSON.stringify(rows.map(rowJson), null, 2)}\n`);
  else process.stdout.write(rows.map((row) => rowText(row, octets)).join(''));
  return failure === undefined ? 0 : tell([`${file}: ${formatFailure(failure)}`]);
}

const SHOWN_BYTES = 16;

/** Offset, octets, record, field, value, note. */
function rowText(row: ImageRow, octets: Uint8Array): string {
  const offset = row.offset.toString(16).padStart(8, '0');
  const shown = octets.subarray(row.offset, row.offset + Math.min(row.length, SHOWN_BYTES));
  const hex = Array.from(shown, (octet) => octet.toString(16).padStart(2, '0')).join(' ');
  const more = row.length > SHOWN_BYTES ? ` ..(${row.length})` : '';
  const value = row.value instanceof Uint8Array ? escapeOctets(row.value, 64) : String(row.value);
  const where = `${row.record < 0 ? '' : `${row.record} `}${row.name}${row.path === '' ? '' : ` ${row.path}`}`;
  return `${offset} ${`${hex}${more}`.padEnd(47)}  ${where} = ${value}${row.note === '' ? '' : `  ${row.note}`}\n`;
}

function rowJson({ value, ...row }: ImageRow): unknown {
  const plain = value instanceof Uint8Array ? String.fromCharCode(...value) : String(value);
  return { ...row, value: typeof value === 'number' ? value : plain };
}

/** Say what is wrong with an image. Exit 1: something is. */
export async function validateCommand(file: string, options: LookOptions): Promise<number> {
  const octets = readOctets(file);
  const format = await formatFor(file, octets, options.format);
  const findings = format.validate(octets);
  for (const finding of findings) process.stdout.write(`${findingText(finding)}\n`);
  return findings.length === 0 ? 0 : 1;
}

/** With the rule, where there is one. */
function findingText(finding: FormatFailure & { readonly rule?: string }): string {
  const text = formatFailure(finding);
  return finding.rule === undefined ? text : `${text} [${finding.rule}]`;
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
    const format: LabFormat = await formatFor(file, octets, name);
    const read = format.read(octets);
    if (!read.ok) return tell([`${file}: ${formatFailure(read.failure)}`]);
    states.push(read.value.state);
  }
  const [first, second] = states;
  if (first === undefined || second === undefined) return 1;
  const differences = diffStates(first, second);
  if (options.json) process.stdout.write(`${JSON.stringify(differences, null, 2)}\n`);
  else process.stdout.write(differencesText(differences));
  return differences.length === 0 ? 0 : 1;
}
