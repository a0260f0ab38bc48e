import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileWriter, type NodeData, octetsOf, recordsInPieces, v2 } from '../../store/format/index.ts';

/** A million-node image written to a file and read back, piece by piece; the best of several rounds. */
export interface MillionNodes {
  readonly megabytes: number;
  readonly writeMBs: number;
  readonly readMBs: number;
  readonly writeRecords: number;
  readonly readRecords: number;
  /** Growth of the process beside the records themselves, MiB. */
  readonly heldMiB: number;
}

const NODES = 1_000_000;
const PIECE = 1 << 20;
const ROUNDS = 5;
const VALUES = ['4', 'connected', '/local/domain/0/backend/vbd/5/51712', ''].map((text) => octetsOf(text));

/** One path that is filled anew for each node: none of them is held. */
function* nodes(): Iterable<NodeData> {
  const perms = [
    { letter: 'n', flags: 0, domid: 5 },
    { letter: 'r', flags: 0, domid: 0 },
  ] as const;
  const path = octetsOf('/local/domain/000/device/vbd/0000000');
  const digits = path.length - 7;
  for (let i = 0; i < NODES; i++) {
    for (let at = digits, rest = i, unit = 1_000_000; unit >= 1; at++, unit /= 10) {
      path[at] = 0x30 + Math.floor(rest / unit);
      rest %= unit;
    }
    yield { kind: 'NODE_DATA', connId: 0, txId: 0, access: 0, perms, path, value: VALUES[i & 3]! };
  }
}

function write(file: string): number {
  const fd = openSync(file, 'w');
  const writer = new FileWriter(v2, { sink: (piece) => writeSync(fd, piece) });
  for (const node of nodes()) writer.append(node);
  writer.append({ kind: 'END' });
  writer.finish();
  closeSync(fd);
  return writer.offset;
}

function* piecesOf(fd: number): Iterable<Uint8Array> {
  const piece = new Uint8Array(PIECE);
  for (let n = readSync(fd, piece); n > 0; n = readSync(fd, piece)) yield piece.subarray(0, n);
}

function read(file: string): number {
  const fd = openSync(file, 'r');
  let sum = 0;
  for (const record of recordsInPieces(v2, piecesOf(fd)))
    if (record.kind === 'NODE_DATA') sum += record.path.length + record.value.length;
  closeSync(fd);
  return sum;
}

export function millionNodes(): MillionNodes {
  const dir = mkdtempSync(join(tmpdir(), 'xenarium-bench-'));
  const file = join(dir, 'image');
  const best = { write: Number.POSITIVE_INFINITY, read: Number.POSITIVE_INFINITY };
  let octets = 0;
  let held = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const before = process.memoryUsage();
      const from = performance.now();
      octets = write(file);
      const written = performance.now();
      if (read(file) === 0) throw new Error('nothing was read');
      const after = process.memoryUsage();
      best.write = Math.min(best.write, written - from);
      best.read = Math.min(best.read, performance.now() - written);
      held = Math.max(held, after.heapUsed + after.external - before.heapUsed - before.external);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  const perSecond = (what: number, ms: number) => Math.round((what * 1000) / ms);
  return {
    megabytes: octets / 1e6,
    writeMBs: perSecond(octets / 1e6, best.write),
    readMBs: perSecond(octets / 1e6, best.read),
    writeRecords: perSecond(NODES, best.write),
    readRecords: perSecond(NODES, best.read),
    heldMiB: Math.max(0, held) / (1 << 20),
  };
}
