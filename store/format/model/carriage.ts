/**
 * What each format can carry. One table says it for documentation, for comparisons, for predictions, and for the
 * conversion itself, which takes from a state what the table does not grant.
 */

/** Kinds of state, in the words of the documents. */
export const STATE_ROWS = {
  node: 'node path, value',
  siblingOrder: 'sibling order',
  acl: 'owner and ACL',
  staleAcl: 'stale ACL entry',
  specialAcl: 'ACL of special nodes',
  generation: 'node generation',
  watch: 'watch path, token',
  watchDepth: 'watch depth',
  txId: 'open transaction id',
  txWrites: 'transaction writes',
  txDeletes: 'transaction deletes',
  txReads: 'transaction reads',
  txBase: 'conflict base (generation at start / first access)',
  txEvents: 'watch events queued in a transaction',
  output: 'undelivered output',
  outputBoundary: 'boundary of half-sent message',
  input: 'consumed but unprocessed input',
  delayed: 'delayed requests',
  target: 'SET_TARGET',
  binding: 'which domain a record belongs to',
  connections: 'more than one connection',
  sockets: 'socket connections (fd)',
  readOnly: 'read-only connection',
  listeners: 'listening sockets',
  evtchnFd: 'event channel device fd',
  port: 'event channel port',
  excPort: 'port of VIRQ_DOM_EXC',
  mfn: 'ring frame number',
  defaultQuotas: 'default quotas',
  domainQuotas: 'per-domain quotas',
  unknownQuotas: 'unknown quotas passed through',
  features: 'server features per domain',
  uniqueId: 'domain unique id',
  flags: 'introduced-but-dead, ignored, shutdown flags',
  ringWords: 'ring indexes, ring connection and error words',
} as const;
export type StateRow = keyof typeof STATE_ROWS;
export const STATE_ROW_NAMES = Object.keys(STATE_ROWS) as readonly StateRow[];

/** What a cell of the table says; `extent` is how much of the row survives. */
export const MARKS = {
  y: { extent: 'full', note: '' },
  '-': { extent: 'none', note: 'not representable' },
  'n/a': { extent: 'none', note: 'the daemon has no such thing' },
  memory: { extent: 'full', note: 'in guest memory in every generation' },
  p1: { extent: 'full', note: 'by record order only, no text says so' },
  p2: { extent: 'full', note: '"absolute path" literally excludes @ names' },
  p3: { extent: 'none', note: 'written, but not as the document says: it cannot be read back' },
  p4: { extent: 'part', note: 'nodes listed without saying read or written' },
  p5: { extent: 'full', note: 'as ordinary input octets' },
  p6: { extent: 'part', note: "only if the target's connection comes earlier" },
  p7: { extent: 'full', note: "implicitly the stream's domain" },
  p8: { extent: 'part', note: 'domains yes, sockets no' },
  p9: { extent: 'part', note: 'released only' },
  'rw+ro': { extent: 'full', note: 'both sockets' },
  rw: { extent: 'part', note: 'not the read-only one' },
  guest: { extent: 'part', note: "the guest's end only" },
  daemon: { extent: 'part', note: "the daemon's end only" },
  both: { extent: 'full', note: 'both ends' },
  v2: { extent: 'part', note: 'in version 2 only' },
} as const;
export type Mark = keyof typeof MARKS;

/** Formats of the table, oldest first; daemons' dialects by the release that began them. */
export const CARRIERS = [
  'G1',
  'G2',
  'R1',
  'D1',
  'D4',
  'G3.0',
  'G3.1',
  'G3.2',
  'G4.0',
  'G4.1',
  'C-4.15',
  'C-4.16',
  'C-4.18',
  'C-4.21',
  'C-4.22',
  'Ox-a',
  'Ox-b',
  'Ox-c',
] as const;
export type Carrier = (typeof CARRIERS)[number];

/** One mark for each of `CARRIERS`: the documents, the C daemons, the text dumps. */
const TABLE: Readonly<Record<StateRow, string>> = {
  //              G1   G2   R1   D1    D4    G3.0  G3.1  G3.2   G4.0   G4.1     C-4.15 .16    .18    .21    .22        Ox-a  Ox-b  Ox-c
  node: '         y    y    y    y     y     y     y     y      y      y        y      y      y      y      y          y     y     y   ',
  siblingOrder:
    ' p1   p1   p1   p1    p1    p1    p1    p1     p1     p1       y      y      y      y      y          p1    -     -   ',
  acl: '          y    y    y    y     y     y     y     y      y      y        y      y      y      y      y          y     y     y   ',
  staleAcl:
    '     -    -    -    -     -     -     -     y      y      y        y      y      y      y      y          -     -     -   ',
  specialAcl:
    '   -    -    -    p2    p2    p2    p2    p2     p2     p2       y      y      y      y      y          y     y     y   ',
  generation:
    '   -    -    -    -     -     -     -     -      -      -        -      -      -      -      -          -     -     -   ',
  watch:
    '        y    y    y    y     y     y     y     y      y      y        y      y      y      y      y          y     y     y   ',
  watchDepth:
    '   -    -    -    -     -     -     -     -      y      y        n/a    n/a    n/a    -      p3         n/a   n/a   n/a ',
  txId: '         y    y    y    y     y     y     y     y      y      y        -      -      -      -      -          -     -     -   ',
  txWrites:
    '     -    p4   p4   y     y     y     y     y      y      y        -      -      -      -      -          -     -     -   ',
  txDeletes:
    '    -    y    y    y     y     y     y     y      y      y        -      -      -      -      -          -     -     -   ',
  txReads:
    '      -    p4   p4   y     y     y     y     y      y      y        -      -      -      -      -          -     -     -   ',
  txBase:
    '       -    -    -    -     -     -     -     -      -      -        -      -      -      -      -          -     -     -   ',
  txEvents:
    '     -    -    -    -     -     -     -     -      -      -        -      -      -      -      -          -     -     -   ',
  output:
    '       -    y    y    y     y     y     y     y      y      y        y      y      y      y      y          -     -     -   ',
  outputBoundary:
    '-   -    -    -     -     -     y     y      y      y        y      y      y      y      y          -     -     -   ',
  input:
    '        -    -    -    -     -     -     y     y      y      y        y      y      y      y      y          -     -     -   ',
  delayed:
    '      -    -    -    -     -     -     p5    p5     p5     p5       -      y      y      y      y          -     -     -   ',
  target:
    '       -    -    -    y     y     y     y     y      y      y        p6     p6     p6     p6     p6         -     -     -   ',
  binding:
    '      p7   y    y    y     y     y     y     y      y      y        y      y      y      y      y          y     y     y   ',
  connections:
    '  -    p8   -    y     y     y     y     y      y      y        y      y      y      y      y          p8    y     y   ',
  sockets:
    '      -    -    -    y     y     y     y     y      y      y        y      y      y      y      y          -     y     y   ',
  readOnly:
    '     -    -    -    y     y     y     y     -      -      -        n/a    n/a    n/a    n/a    n/a        n/a   n/a   n/a ',
  listeners:
    '    -    -    -    rw+ro rw+ro rw+ro rw+ro rw     rw     rw       rw     rw     rw     rw     rw         -     rw    rw  ',
  evtchnFd:
    '     -    -    -    -     -     -     -     y      y      y        y      y      y      y      y          -     -     y   ',
  port: '         -    -    -    both  guest guest guest daemon daemon daemon   daemon daemon daemon daemon daemon     guest guest both',
  excPort:
    '      -    -    -    -     -     -     -     -      -      -        -      -      -      -      -          -     -     y   ',
  mfn: '          -    -    -    y     y     -     -     -      -      -        -      -      -      -      -          y     y     y   ',
  defaultQuotas:
    '-    -    -    -     -     -     -     -      y      y        -      -      -      -      y          -     -     -   ',
  domainQuotas:
    ' -    -    -    -     -     -     -     -      y      y        -      -      -      -      y          -     -     -   ',
  unknownQuotas:
    '-    -    -    -     -     -     -     -      y      y        -      -      -      -      -          -     -     -   ',
  features:
    '     -    -    -    -     -     -     -     -      v2     v2       -      -      -      v2     v2         -     -     -   ',
  uniqueId:
    '     -    -    -    -     -     -     -     -      -      y        -      -      -      y      y          -     -     -   ',
  flags:
    '        -    -    -    p9    -     -     -     -      -      -        -      -      -      -      -          -     -     -   ',
  ringWords: `${'  memory'.repeat(CARRIERS.length)}`,
};

/** What one format can carry. */
export interface Carriage {
  readonly marks: Readonly<Record<StateRow, Mark>>;
  /** One file for each domain. */
  readonly oneDomain: boolean;
  /** Output that does not start with a whole message cannot be told from one that does: it must stay out. */
  readonly outputOnBoundary: boolean;
  /** Entries for DOMID_ANY name an ordinary domain there, which does not exist. */
  readonly knowsDomidAny: boolean;
  /** Of the special nodes, only the two that fire events are taken. */
  readonly onlyOwnSpecials: boolean;
  /** A file can only be for a live update. */
  readonly scope?: 'update';
  /**
   * How records name a connection: by an id, by its domain, which then can have only one, or by one number, the domid or
   * the negated descriptor. A transaction has an id other than 0 where a domain is the name.
   */
  readonly names: 'ids' | 'domids' | 'numbers';
  /** A node without its parent is fatal to the reader, or is skipped. */
  readonly needsParents: boolean;
  /** Rings can be read-only, not sockets alone. */
  readonly readOnlyRings: boolean;
}

const BEFORE_4_22: readonly Carrier[] = ['C-4.15', 'C-4.16', 'C-4.18', 'C-4.21', 'Ox-a', 'Ox-b', 'Ox-c'];

function traitsOf(carrier: Carrier): Omit<Carriage, 'marks'> {
  const isText = carrier.startsWith('Ox');
  const isDaemon = isText || carrier.startsWith('C');
  const isStream = carrier === 'G1' || carrier === 'G2' || carrier === 'R1';
  const oneDomain = carrier === 'G1' || carrier === 'R1';
  return {
    oneDomain,
    outputOnBoundary: carrier === 'G2' || carrier === 'R1',
    knowsDomidAny: !BEFORE_4_22.includes(carrier),
    onlyOwnSpecials: carrier === 'C-4.15' || carrier === 'C-4.16',
    ...(isDaemon || carrier === 'G2' ? { scope: 'update' } : {}),
    names: isText ? 'numbers' : isStream ? 'domids' : 'ids',
    needsParents: isDaemon,
    readOnlyRings: carrier === 'G3.1',
  };
}

function isMark(word: string): word is Mark {
  return Object.hasOwn(MARKS, word);
}

/** The column of the table. */
export function carriageOf(carrier: Carrier): Carriage {
  const column = CARRIERS.indexOf(carrier);
  const marks: Partial<Record<StateRow, Mark>> = {};
  for (const row of STATE_ROW_NAMES) {
    const mark = TABLE[row].trim().split(/ +/)[column] ?? '';
    if (!isMark(mark)) throw new Error(`carriage of ${row} in ${carrier} is '${mark}'`); // our own table
    marks[row] = mark;
  }
  return { marks: marks as Record<StateRow, Mark>, ...traitsOf(carrier) };
}

/** How much of a row survives. */
export function extentOf(carriage: Carriage, row: StateRow): 'full' | 'part' | 'none' {
  return MARKS[carriage.marks[row]].extent;
}
