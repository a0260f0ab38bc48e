export { binaryFormat, carriageOfFormat } from './binary-format.ts';
export {
  CARRIERS,
  type Carriage,
  type Carrier,
  carriageOf,
  extentOf,
  MARKS,
  type Mark,
  STATE_ROW_NAMES,
  STATE_ROWS,
  type StateRow,
} from './carriage.ts';
export {
  type Converted,
  type ConvertedFile,
  type ConvertOptions,
  convertFile,
  type Fills,
  IN_FLIGHT,
  LOSS_POLICIES,
  type LossPolicy,
  type StateFormat,
  type WriteOptions,
  writeState,
} from './convert.ts';
export { type Difference, differencesText, diffStates, stateJson } from './diff.ts';
export { detectFormat, formatOf, LAB_FORMATS } from './formats.ts';
export type { LabFinding, LabFormat } from './lab-format.ts';
export { type Assumption, assumptionText, type Loss, lossText, type Thing, thingText } from './losses.ts';
export { meaning, meaningless, meaningsFault, type Reading, type Writing } from './meaning.ts';
export { reduceState } from './reduce.ts';
export type { ReduceOptions } from './reduction.ts';
export { type Renumbering, renumberDomain } from './renumber.ts';
export { rootless } from './rootless.ts';
export { mergeShares, splitByDomain, takeDomain } from './split.ts';
export {
  type AclEntry,
  type ConnectionState,
  connectionName,
  type DaemonState,
  type DomainState,
  EMPTY_STATE,
  type NodeState,
  type OwedEvent,
  type QuotaState,
  type RingLink,
  type SocketLink,
  type TouchedNode,
  type TransactionState,
  type WatchState,
} from './state.ts';
export {
  type DumpLine,
  decodeTextDump,
  encodeTextDump,
  TEXT_DUMP_HEADER,
  type TextDump,
  textDumpRows,
} from './text-dump.ts';
export { TEXT_LAYOUTS, type TextLayout, type TextLine } from './text-layout.ts';
export { stateOfTextDump, textDumpOfState } from './text-model.ts';
export { WISHES, type Wishes, withWishes } from './wishes.ts';
