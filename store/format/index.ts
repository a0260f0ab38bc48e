export {
  CHECK_RULES,
  type CheckOptions,
  type CheckRule,
  checkImage,
  type Finding,
  ImageCheck,
  pathFault,
} from './check.ts';
export { type RecordSchema, record } from './codec/compile.ts';
export {
  IMAGE_HEADER,
  type ImageRow,
  type ImageRowsResult,
  imageRows,
  RECORD_HEADER,
  type Row,
  type RowsOptions,
  type RowsResult,
  rows,
} from './codec/rows.ts';
export { type Dialect, type StateSchema, v1, v2 } from './dialect.ts';
export { type Annotation, annotateFile, type FileRow, type FileRows } from './file/annotate.ts';
export { formatFault } from './file/fault.ts';
export {
  type AnyRecord,
  type Changes,
  type Chosen,
  chosen,
  type DecodedFile,
  type EncodedFile,
  extend,
  type Format,
  type FormatFile,
  type FormatRecord,
  type Framing,
  type HeaderRule,
  headerRule,
  inFormatOrder,
  knobsOf,
  readerKnobs,
  recordsOf,
  type Stage,
} from './file/format.ts';
export { type Draws, damageFile, generateFile, generateOctets } from './file/generate.ts';
export { recordsInPieces } from './file/pieces.ts';
export { decodeFile, encodeFile, FileReader } from './file/reader.ts';
export { usefulKnobs } from './file/useful-knobs.ts';
export { CODEC_RULES, type FormatFinding, validateFile } from './file/validate.ts';
export { allFormats, formatNamed } from './formats.ts';
export { d1 } from './generations/d1.ts';
export { d4 } from './generations/d4.ts';
export { g1 } from './generations/g1.ts';
export { g2 } from './generations/g2.ts';
export { g30 } from './generations/g3-0.ts';
export { g31 } from './generations/g3-1.ts';
export { g32 } from './generations/g3-2.ts';
export { g40 } from './generations/g4-0.ts';
export { g41 } from './generations/g4-1.ts';
export { r1 } from './generations/r1.ts';
export {
  type ConnectionData,
  connectionData,
  connectionDataV1,
  type DomainData,
  domainData,
  type End,
  end,
  type GlobalData,
  type GlobalQuotaData,
  globalData,
  globalQuotaData,
  type KnownRecord,
  NODE_READ,
  NODE_WRITTEN,
  type NodeData,
  nodeData,
  PERM_LETTERS,
  PERM_STALE,
  type Perm,
  type PermLetter,
  type Quota,
  type RecordTail,
  type RingConnection,
  type SocketConnection,
  type StateRecord,
  type TransactionData,
  transactionData,
  type UnknownRecord,
  type WatchData,
  type WatchDataExtended,
  watchData,
  watchDataExtended,
} from './generations/records.ts';
export {
  type DecodeOptions,
  decodeHeader,
  decodeImage,
  encodeImage,
  IMAGE_BIG_ENDIAN,
  IMAGE_HEADER_BYTES,
  IMAGE_IDENT,
  type ImageHeader,
  ImageWriter,
  RECORD_HEADER_BYTES,
  type RecordAt,
  RecordReader,
  readRecords,
  type StateImage,
  type WriterOptions,
} from './image.ts';
export { type DumpOptions, dumpImage, dumpJson, type Json, permsText } from './model/image-text.ts';
export {
  type CursorFailure,
  type FormatFailure,
  type FormatResult,
  formatFailure,
  type IntType,
  Reader,
  Writer,
} from './schema/cursor.ts';
export { type Description, describe, type FieldDescription } from './schema/describe.ts';
export { DEFAULT_KNOBS, KNOB_NAMES, KNOBS, type KnobName, type KnobSpec, type Knobs } from './schema/knobs.ts';
export type { Place, Rule, Source, Where } from './schema/rules.ts';
export {
  align,
  atLeast,
  bigEndian,
  called,
  constant,
  cstring,
  type Field,
  type Fields,
  flags,
  i32,
  type Layout,
  letter,
  list,
  littleEndian,
  magic,
  note,
  nulString,
  octets,
  optional,
  reserved,
  rest,
  since,
  table,
  terminated,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
  variant,
} from './schema/schema.ts';
export { derivedFields, fieldsBytes, fixedBytes } from './schema/sizes.ts';
export { escapeOctets, octetsOf, textOf } from './schema/text.ts';
