/** Where the sources leave a hole or the daemons differ from the document: one choice each. */
export interface Knobs {
  /** Writer: `len` of a record counts its padding, as the daemons have it; the document does not count it. */
  readonly lenIncludesPad: boolean;
  /** Reader: the next record follows the padding, whether `len` counts it or not, or exactly `len` octets on. */
  readonly advance: 'padded' | 'exact';
  /** G1 and G2: a NUL is stored behind each string, counted by the padding only. */
  readonly g1StoredNul: boolean;
  /** G2 in a live update: records one after the other, or each in a libxl record. */
  readonly g2Framing: 'bare' | 'libxl';
  /** G2: nodes that a transaction only read are listed too. */
  readonly g2TxReads: 'omit' | 'include';
  readonly r1KeepTxRecord: boolean;
  /** WATCH_DATA_EXTENDED as documented, as the daemon of 4.22 writes it, or as that daemon reads it. */
  readonly watchExtLayout: 'doc12' | 'c422-writer' | 'c422-reader';
  /** Reader: byte orders taken. */
  readonly byteOrders: 'both' | 'little' | 'big';
  readonly unknownRecord: 'warn' | 'fatal';
  /** Reader: a record without octets that is not END. */
  readonly zeroLengthRecord: 'skip' | 'fatal';
  /** Reader: the file ends where a record header should be. */
  readonly missingEnd: 'accept' | 'fatal';
  readonly nonZeroPad: 'ignore' | 'warn' | 'fatal';
  readonly missingParent: 'skip' | 'fatal';
  readonly duplicateNode: 'skip' | 'fatal';
  readonly unknownDomain: 'skip' | 'fatal';
  /** A record that belongs to a connection which is not there. */
  readonly unknownConnection: 'skip' | 'fatal';
  /** Nodes that come before the connection of the privileged domain. */
  readonly privilegedFirst: 'ignore' | 'fatal';
  /** What belongs to a later version than the header announces: read all the same, or refused. */
  readonly strictVersionGate: boolean;
  /** What is done with transactions when a dump is asked for. */
  readonly txAtDump: 'refuse' | 'force-drop' | 'carry';
  /** How the COMMIT of a restored transaction ends. */
  readonly txAfterRestore: 'EAGAIN' | 'ENOENT' | 'commit';
  /** Type of the libxl record that carries an image, and its place. */
  readonly embedType: number;
  readonly embedPosition: 'after-libxc' | 'before-libxc' | 'last';
  readonly renumberDomid: 'refuse' | 'rewrite';
}

export const DEFAULT_KNOBS: Knobs = {
  lenIncludesPad: true,
  advance: 'padded',
  g1StoredNul: false,
  g2Framing: 'bare',
  g2TxReads: 'omit',
  r1KeepTxRecord: true,
  watchExtLayout: 'doc12',
  byteOrders: 'both',
  unknownRecord: 'warn',
  zeroLengthRecord: 'skip',
  missingEnd: 'fatal',
  nonZeroPad: 'ignore',
  missingParent: 'fatal',
  duplicateNode: 'fatal',
  unknownDomain: 'fatal',
  unknownConnection: 'fatal',
  privilegedFirst: 'ignore',
  strictVersionGate: false,
  txAtDump: 'refuse',
  txAfterRestore: 'EAGAIN',
  embedType: 7,
  embedPosition: 'after-libxc',
  renumberDomid: 'refuse',
};
