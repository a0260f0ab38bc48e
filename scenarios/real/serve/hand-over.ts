import { spawn } from 'node:child_process';
import { existsSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { decodeImage, encodeImage, formatFailure, type StateRecord, v1, v2 } from '../../../store/format/index.ts';
import { isDead, standStill } from '../other-process.ts';
import type { Front } from './front.ts';
import { handleOf } from './handle.ts';

export interface HandOverOptions {
  readonly front: Front;
  readonly server: Server;
  readonly stateFile: string;
  readonly evtchnFd: number;
  /** Connections of domains and their watches, as the predecessor has written them. */
  readonly held: readonly StateRecord[];
}

/** How long a successor may take to read the state, in ms. */
const SUCCESSOR_MS = 10_000;
const FAILED = 'Error activating new binary.';

/**
 * Start the program of a live update with all sockets under the numbers that its state names; does not return when it has
 * taken over. Nothing is read or accepted meanwhile: the successor shares the sockets.
 * @returns why it did not, as the C daemon words it.
 */
export function handOver(options: HandOverOptions, image: Uint8Array, file: string, args: readonly string[]): string {
  const { front, server, stateFile, evtchnFd, held } = options;
  const decoded = decodeImage(image);
  if (!decoded.ok) return formatFailure(decoded.failure);
  // Above all that is open: descriptors of which this program knows nothing stay what they are.
  const base = 1 + Math.max(...readdirSync('/proc/self/fd').map(Number));
  const fds = evtchnFd < 0 ? [handleOf(server).fd] : [handleOf(server).fd, evtchnFd];
  const rings = new Set<number>();
  const domids = new Set<number>();
  for (const one of held) if (one.kind === 'CONNECTION_DATA' && one.conn.kind === 'ring') domids.add(one.conn.domid);
  const records: StateRecord[] = [];
  for (const record of decoded.value.records) {
    if (record.kind === 'GLOBAL_DATA') {
      const own = { socketFd: base, evtchnFd: evtchnFd < 0 ? -1 : base + 1 };
      records.push({ kind: 'GLOBAL_DATA', ...own }, ...held.map((one) => inVersion(one, decoded.value.version)));
    } else if (record.kind === 'CONNECTION_DATA') {
      if (record.conn.kind === 'ring') {
        rings.add(record.connId);
        continue;
      }
      const left = front.gather(record.conn.fd, record);
      if (left === undefined) {
        rings.add(record.connId);
        continue;
      }
      records.push({ ...left.record, conn: { kind: 'socket', fd: base + fds.length }, connId: record.connId + HELD });
      fds.push(left.fd);
    } else if (record.kind === 'WATCH_DATA' || record.kind === 'WATCH_DATA_EXTENDED') {
      if (!rings.has(record.connId)) records.push({ ...record, connId: record.connId + HELD });
    } else if (record.kind === 'DOMAIN_DATA') {
      if (domids.has(record.domid)) records.push(record); // a C daemon ends with one that no connection has made
    } else records.push(record);
  }
  // As the requester wants it: that is what its successor reads.
  const { version } = decoded.value;
  const encoded = encodeImage({ version, bigEndian: false, records }, version === 1 ? v1 : v2);
  if (!encoded.ok) return formatFailure(encoded.failure);
  writeFileSync(stateFile, encoded.value, { mode: 0o600 });
  front.setBlocking(true);
  const stdio = [0, 1, 2, ...new Array<'ignore'>(base - 3).fill('ignore'), ...fds];
  const child = spawn(file, [...args], { stdio });
  child.on('error', () => {});
  if (child.pid !== undefined && reads(child.pid, stateFile)) process.exit(0);
  child.kill('SIGKILL');
  if (existsSync(stateFile)) unlinkSync(stateFile);
  front.setBlocking(false);
  return FAILED;
}

/** Own connections are numbered after those that are held. */
const HELD = 0x10000;

/** A record as a version has it: the first knows of neither identities nor depths. */
function inVersion(record: StateRecord, version: number): StateRecord {
  if (version > 1) return record;
  if (record.kind === 'WATCH_DATA_EXTENDED') {
    const { connId, wpath, token } = record;
    return { kind: 'WATCH_DATA', connId, wpath, token };
  }
  if (record.kind !== 'CONNECTION_DATA') return record;
  const { uniqueId: _id, uniqueIdPad: _pad, ...kept } = record;
  return kept;
}

/** Whether the process takes the state file away while it lives. */
function reads(pid: number, stateFile: string): boolean {
  for (let ms = 0; ms < SUCCESSOR_MS; ms += 2) {
    if (!existsSync(stateFile)) return true;
    if (isDead(pid)) return false;
    standStill(2);
  }
  return false;
}
