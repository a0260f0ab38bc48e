export { record } from './codec/compile.ts';
export { type Annotation, annotateFile, type FileRow } from './file/annotate.ts';
export { formatFault } from './file/fault.ts';
export {
  type AnyRecord,
  type Changes,
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
  type Meaning,
  recordsOf,
  type Stage,
} from './file/format.ts';
export { type Draws, damageFile, generateFile, generateOctets } from './file/generate.ts';
export { recordsInPieces } from './file/pieces.ts';
export type { Keys } from './file/places.ts';
export { type Plan, planOf } from './file/plan.ts';
export { decodeFile, FileReader } from './file/reader.ts';
export { RuleCheck } from './file/rule-check.ts';
export { type Rules, rulesOf } from './file/rules.ts';
export { usefulKnobs } from './file/useful-knobs.ts';
export { type FormatFinding, validateFile } from './file/validate.ts';
export { encodeFile, FileWriter } from './file/writer.ts';
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
  domainData,
  end,
  globalData,
  globalQuotaData,
  NODE_READ,
  NODE_WRITTEN,
  type NodeData,
  nodeData,
  PERM_STALE,
  type Perm,
  type StateRecord,
  transactionData,
  type WatchData,
  type WatchDataExtended,
  watchData,
  watchDataExtended,
} from './generations/records.ts';
export { type Dialect, decodeImage, encodeImage, type StateImage, v1, v2 } from './image.ts';
export { type FormatFailure, type FormatResult, formatFailure } from './schema/cursor.ts';
export { KNOBS, type KnobSpec, type Knobs } from './schema/knobs.ts';
export type { Rule } from './schema/rules.ts';
export {
  align,
  atLeast,
  bigEndian,
  called,
  constant,
  cstring,
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
export { escapeOctets, octetsOf, textOf } from './schema/text.ts';
