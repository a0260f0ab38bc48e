import { annotateFile, fileRows } from '../file/annotate.ts';
import { type Format, type FormatFile, type FormatRecord, inFormatOrder } from '../file/format.ts';
import { generateOctets } from '../file/generate.ts';
import { decodeFile } from '../file/reader.ts';
import { validateFile } from '../file/validate.ts';
import { encodeFile } from '../file/writer.ts';
import { type FormatFailure, type FormatResult, formatFailure } from '../schema/cursor.ts';
import type { Knobs } from '../schema/knobs.ts';
import { escapeOctets } from '../schema/text.ts';
import { CARRIERS, type Carriage, carriageOf } from './carriage.ts';
import type { WriteOptions } from './convert.ts';
import { derivedCarriage } from './derive.ts';
import { stateJson } from './diff.ts';
import { type ImageLayout, recordsOfState, stateOfRecords } from './image-model.ts';
import type { LabFormat } from './lab-format.ts';
import type { LooseRecord } from './loose.ts';
import { MeaningFault, meaningsOf } from './meaning.ts';
import { connectionName, type DaemonState } from './state.ts';
import { stateOfStream, streamOfState } from './stream-model.ts';

/** What a format written as a value can carry: the published column, or what its fields show. */
export function carriageOfFormat(format: Format): Carriage {
  const carrier = CARRIERS.find((name) => name === format.name);
  const carriage = carrier === undefined ? derivedCarriage(format) : carriageOf(carrier);
  const told = (format.meanings ?? []).flatMap(({ carries }) => carries.map((row) => [row, 'y'] as const));
  return told.length === 0 ? carriage : { ...carriage, marks: { ...carriage.marks, ...Object.fromEntries(told) } };
}

/**
 * All that can be done with files of a format that is written as a value.
 * @param knobs over the format's own, for all that is read and written
 */
export function binaryFormat(format: Format, knobs: Partial<Knobs> = {}): LabFormat {
  const carriage = carriageOfFormat(format);
  const meanings = meaningsOf(format);
  const isStream = !format.records.some((one) => 'name' in one && one.name === 'CONNECTION_DATA');
  return {
    name: format.name,
    aliases: format.aliases ?? [],
    title: format.title,
    format,
    carriage,
    ...choicesOfKnobs({ ...format.knobs, ...knobs }),
    read(octets, options) {
      const decoded = decodeFile(format, octets, knobs);
      if (!decoded.ok) return decoded;
      const { file } = decoded;
      const understood = understand(() =>
        isStream
          ? streamState(file, carriage, options?.domid)
          : stateOfRecords(looseOf(file.records), file.byteOrder === 'big', carriage.readOnlyRings, meanings),
      );
      if (!understood.ok) return understood;
      const state = understood.value;
      // What a migrated domain brings has its parents on the other side.
      const isKnown = (rule: string) => rule === 'parent-first' && state.scope === 'migration';
      const warnings = validateFile(format, octets, knobs).filter(
        ({ severity, rule }) => severity === 'error' && !isKnown(rule),
      );
      return { ok: true, value: { state, warnings } };
    },
    write(state, options) {
      const socket = isStream ? state.connections.find(({ link }) => link.kind !== 'ring') : undefined;
      if (socket !== undefined) return cannotHold(connectionName(socket.link));
      const told = understand(() =>
        isStream
          ? streamRecords(state, format, carriage, options)
          : recordsOfState(state, layoutOf(format, carriage), meanings),
      );
      if (!told.ok) return told;
      const { records, assumptions } = told.value;
      const file: FormatFile = {
        header: headerOf(format, options),
        byteOrder: options.bigEndian ? 'big' : 'little',
        records: inFormatOrder(format, records as readonly FormatRecord[]),
      };
      const encoded = encodeFile(format, file, knobs);
      return encoded.ok ? { ok: true, value: { octets: encoded.octets, assumptions } } : encoded;
    },
    show(octets) {
      const decoded = decodeFile(format, octets, knobs);
      if (!decoded.ok) return `failure: ${formatFailure(decoded.failure)}\n`;
      return shownFile(decoded.file);
    },
    json(octets) {
      const decoded = decodeFile(format, octets, knobs);
      return decoded.ok ? { ok: true, value: stateJson(decoded.file) } : decoded;
    },
    annotate: (octets) => annotateFile(format, octets, knobs),
    rows: (octets) => fileRows(format, octets, knobs),
    validate: (octets) => validateFile(format, octets, knobs),
    generate(draws, size) {
      const made = generateOctets(format, draws, size, knobs);
      return made.ok ? { ok: true, value: made.octets } : made;
    },
  };
}

/** What knobs say of transactions. */
function choicesOfKnobs({ g2TxReads, r1KeepTxRecord }: Partial<Knobs>): Pick<LabFormat, 'choices'> {
  const reads = g2TxReads === undefined ? {} : { txReads: g2TxReads };
  return { choices: r1KeepTxRecord === undefined ? reads : { ...reads, txRecord: r1KeepTxRecord } };
}

/** What comes of a format's own meanings, which may fail. */
function understand<T>(make: () => T): FormatResult<T> {
  try {
    return { ok: true, value: make() };
  } catch (error) {
    if (!(error instanceof MeaningFault)) throw error;
    return { ok: false, failure: { offset: 0, record: 0, name: error.kind, path: '', reason: error.message } };
  }
}

/** A carriage claims more than the format has records for. */
function cannotHold(what: string): { readonly ok: false; readonly failure: FormatFailure } {
  return { ok: false, failure: { offset: 0, record: 0, name: '', path: '', reason: `no record for ${what}` } };
}

function looseOf(records: readonly FormatRecord[]): readonly LooseRecord[] {
  return records as readonly object[] as readonly LooseRecord[];
}

/** Whose file it is stands in its header (R1), or nowhere (G1): then the caller has to say. */
function streamState(file: FormatFile, carriage: Carriage, told = 0): DaemonState {
  const domid = typeof file.header.domid === 'number' ? file.header.domid : told;
  return stateOfStream(looseOf(file.records), carriage.oneDomain ? domid : undefined);
}

function streamRecords(state: DaemonState, format: Format, carriage: Carriage, { txRecord = true }: WriteOptions) {
  const hasEnd = format.end !== undefined;
  return streamOfState(state, { hasDomainStart: !carriage.oneDomain, hasTxRecord: txRecord, hasEnd });
}

function layoutOf(format: Format, { marks }: Carriage): ImageLayout {
  const at = (nodes: string) => format.order.findIndex((stage) => stage.nodes === nodes);
  const hasGuest = marks.port === 'guest' || marks.port === 'both';
  const hasOwn = marks.port === 'daemon' || marks.port === 'both';
  return {
    specialsFirst: at('special') < at('tree'),
    ports: [...(hasOwn ? (['port'] as const) : []), ...(hasGuest ? (['guestPort'] as const) : [])],
    hasMfn: marks.mfn === 'y',
  };
}

function headerOf(format: Format, { version, domid }: WriteOptions): Readonly<Record<string, unknown>> {
  const { header, versions } = format;
  if (header === undefined) return {};
  const told = header.version === undefined ? {} : { [header.version]: version ?? versions[0] };
  return domid === undefined ? told : { ...told, domid };
}

/** A header line, and one for each record. */
function shownFile(file: FormatFile): string {
  const header = Object.entries(file.header).map(([name, value]) => `${name} ${shown(value)}`);
  const lines = [['header', ...header, `${file.byteOrder} endian`].join(' ')];
  for (const { kind, ...fields } of looseOf(file.records))
    lines.push(
      `${kind}: ${Object.entries(fields)
        .map(([name, value]) => `${name} ${shown(value)}`)
        .join(', ')}`,
    );
  if (file.trailing !== undefined) lines.push(`trailing: ${file.trailing.length} octets`);
  return `${lines.join('\n')}\ntotal: ${file.records.length} records\n`;
}

function shown(value: unknown): string {
  if (value instanceof Uint8Array) return escapeOctets(value, 64);
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const { letter, domid, flags = 0, ...others } = value as Readonly<Record<string, unknown>>;
  if (letter === undefined) return `(${pairs(value)})`;
  const text = `${letter}${domid}${flags === 0 ? '' : `(flags ${flags})`}`;
  return Object.keys(others).length === 0 ? text : `${text}(${pairs(others)})`;
}

function pairs(value: object): string {
  return Object.entries(value)
    .map(([name, inner]) => `${name} ${shown(inner)}`)
    .join(' ');
}
