import {
  decodeImage,
  encodeImage,
  FileReader,
  FileWriter,
  octetsOf,
  type StateRecord,
  v2,
} from '../../store/format/index.ts';

/** One measurement: the best and the median of several rounds. */
export interface FormatBenchResult {
  readonly name: string;
  readonly recordsPerSecond: number;
  readonly medianRecordsPerSecond: number;
  readonly megabytesPerSecond: number;
}

const VALUES = ['4', 'connected', '/local/domain/0/backend/vbd/5/51712', ''];

/** A store of `count` small nodes with two permissions each, and END. */
function smallNodes(count: number): StateRecord[] {
  const records: StateRecord[] = [];
  for (let i = 0; i < count; i++)
    records.push({
      kind: 'NODE_DATA',
      connId: 0,
      txId: 0,
      access: 0,
      perms: [
        { letter: 'n', flags: 0, domid: i % 100 },
        { letter: 'r', flags: 0, domid: 0 },
      ],
      path: octetsOf(`/local/domain/${i % 100}/k${i}`),
      value: octetsOf(VALUES[i % VALUES.length]!),
    });
  records.push({ kind: 'END' });
  return records;
}

/** Measure the codec of the state image on `count` small NODE_DATA records. */
export function benchFormat(count = 200_000, rounds = 9): FormatBenchResult[] {
  const records = smallNodes(count);
  const encoded = encodeImage({ version: 2, bigEndian: false, records });
  if (!encoded.ok) throw new Error(encoded.failure.reason);
  const bytes = encoded.value.slice();
  /** Looks at every record, so that none of the work can be left out. */
  const drain = (reader: FileReader<StateRecord>): number => {
    let sum = 0;
    for (let record = reader.next(); record !== undefined; record = reader.next())
      if (record.kind === 'NODE_DATA') sum += record.path.length + record.perms.length;
    return sum;
  };
  const append = () => {
    const writer = new FileWriter(v2);
    for (const record of records) writer.append(record);
    return writer.offset;
  };
  const work: readonly (readonly [name: string, run: () => unknown])[] = [
    ['FileReader: decode one at a time', () => drain(new FileReader(v2, bytes))],
    ['decodeImage: decode and hold all', () => decodeImage(bytes).ok],
    ['FileWriter: encode into a growing buffer', append],
    ['encodeImage: encode a whole image', () => encodeImage({ version: 2, bigEndian: false, records }).ok],
  ];
  return work.map(([name, run]) => {
    for (let i = 0; i < 3; i++) run();
    const ms = Array.from({ length: rounds }, () => {
      const start = performance.now();
      run();
      return performance.now() - start;
    }).sort((a, b) => a - b);
    const perSecond = (elapsed: number) => Math.round(((count + 1) * 1000) / elapsed);
    return {
      name,
      recordsPerSecond: perSecond(ms[0]!),
      medianRecordsPerSecond: perSecond(ms[rounds >> 1]!),
      megabytesPerSecond: Math.round(bytes.length / 1000 / ms[0]!),
    };
  });
}
