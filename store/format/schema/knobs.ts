/** One choice: what it is about, and its values, the usual one first. */
export interface KnobSpec<V extends string | boolean = string | boolean> {
  readonly values: readonly [V, ...V[]];
  readonly meaning: string;
}

/** Where the sources leave a hole or the daemons differ from the document: one choice each. */
export const KNOBS = {
  lenIncludesPad: {
    values: [true, false],
    meaning: 'writer: len of a record counts its padding, as the daemons have it; the document does not count it',
  },
  advance: {
    values: ['padded', 'exact'],
    meaning: 'reader: the next record follows the padding, whether len counts it or not, or exactly len octets on',
  },
  g1StoredNul: { values: [false, true], meaning: 'a NUL is stored behind each string, counted by the padding only' },
  g2Framing: { values: ['bare', 'libxl'], meaning: 'records one after the other, or each in a libxl record' },
  g2TxReads: { values: ['omit', 'include'], meaning: 'nodes that a transaction has only read are listed too' },
  r1KeepTxRecord: {
    values: [true, false],
    meaning: 'TRANSACTION_DATA is there; without it a transaction that touched nothing is lost',
  },
  watchExtLayout: {
    values: ['doc12', 'c422-writer', 'c422-reader'],
    meaning: 'WATCH_DATA_EXTENDED as documented, as the daemon of 4.22 writes it, or as that daemon reads it',
  },
  byteOrders: { values: ['both', 'little', 'big'], meaning: 'reader: byte orders taken; generate: those written' },
  unknownRecord: {
    values: ['warn', 'fatal', 'fatal-unless-optional'],
    meaning: 'reader: a record of a type that is not defined; optional ones have bit 31 of the type set, as in libxc',
  },
  zeroLengthRecord: {
    values: ['skip', 'fatal'],
    meaning: 'reader: a record without octets that does not end the file',
  },
  missingEnd: { values: ['fatal', 'accept'], meaning: 'reader: the file ends where a record should begin' },
  nonZeroPad: { values: ['ignore', 'warn', 'fatal'], meaning: 'reader: padding that is not zero' },
  missingParent: { values: ['fatal', 'skip'], meaning: 'reader: a node whose parent has not come' },
  duplicateNode: { values: ['fatal', 'skip'], meaning: 'reader: a path that comes twice' },
  unknownDomain: { values: ['fatal', 'skip'], meaning: 'reader: DOMAIN_DATA of a domain that nothing else tells of' },
  unknownConnection: { values: ['fatal', 'skip'], meaning: 'reader: a record of a connection that has not come' },
  privilegedFirst: {
    values: ['ignore', 'fatal'],
    meaning: 'reader: nodes that come before the connection of the privileged domain',
  },
  strictVersionGate: {
    values: [false, true],
    meaning: 'reader: what belongs to a later version than the header tells is refused',
  },
} as const satisfies Readonly<Record<string, KnobSpec>>;

export type KnobName = keyof typeof KNOBS;
export type Knobs = { readonly [K in KnobName]: (typeof KNOBS)[K]['values'][number] };

export const KNOB_NAMES = Object.keys(KNOBS) as readonly KnobName[];

export const DEFAULT_KNOBS: Knobs = Object.fromEntries(
  KNOB_NAMES.map((name) => [name, KNOBS[name].values[0]]),
) as unknown as Knobs;
