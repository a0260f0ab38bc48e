import { fstatSync, readFileSync, readlinkSync } from 'node:fs';
import { DOMID_FIRST_RESERVED } from '../../../sim/index.ts';
import { FileReader, type FormatFailure, type StateRecord, v2 } from '../../../store/format/index.ts';

/** What stands behind a descriptor of this process. */
export type Behind =
  | 'nothing'
  /** A unix stream socket that accepts clients. */
  | 'listener'
  /** One that has a peer. */
  | 'connection'
  /** Any other file that a predecessor can have left: an event channel device. */
  | 'file'
  /** What this program has opened for itself, and sockets of other kinds. */
  | 'other';

/** Standard input, output and error are nobody's connection. */
const FIRST_FD = 3;
/** Columns of /proc/net/unix, and its marks of a stream socket that listens, and of one that is connected. */
const COLUMN = { flags: 3, type: 4, state: 5, inode: 6 } as const;
const FLAG_ACCEPTS = 0x10000;
const TYPE_STREAM = 1;
const STATE_CONNECTED = 3;

/** Look behind a descriptor; /proc tells. */
export function behind(fd: number): Behind {
  let target: string;
  try {
    target = readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return 'nothing';
  }
  const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
  if (inode === undefined) {
    if (!target.startsWith('/')) return 'other';
    const stat = fstatSync(fd);
    return stat.isCharacterDevice() || stat.isFIFO() ? 'file' : 'other';
  }
  for (const line of readFileSync('/proc/net/unix', 'latin1').split('\n')) {
    const words = line.split(/\s+/);
    if (words[COLUMN.inode] !== inode) continue;
    const number = (at: number) => Number.parseInt(words[at] ?? '0', 16);
    if (number(COLUMN.type) !== TYPE_STREAM) return 'other';
    if ((number(COLUMN.flags) & FLAG_ACCEPTS) !== 0) return 'listener';
    return number(COLUMN.state) === STATE_CONNECTED ? 'connection' : 'other';
  }
  return 'other';
}

/**
 * Whether the process has what an image says it was handed, before anything of it is touched: each descriptor is open, of its
 * kind, and nobody's but one; domains can be such, and no two have one identity. The image can be read. Source: style of
 * `validate`, offset and field.
 */
export function checkHanded(image: Uint8Array, look: (fd: number) => Behind = behind): FormatFailure | undefined {
  const reader = new FileReader(v2, image);
  const check = new HandedCheck(look);
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const found = check.take(record);
    if (found !== undefined) return { ...found, offset: reader.offset, record: reader.index, name: record.kind };
  }
  if (check.hasListener) return undefined;
  const reason = 'the image names no listening socket';
  return { offset: reader.offset, record: reader.index, name: 'END', path: '', reason };
}

interface Finding {
  readonly path: string;
  readonly reason: string;
}

class HandedCheck {
  hasListener = false;
  readonly #look: (fd: number) => Behind;
  readonly #owners = new Map<number, string>();
  readonly #identities = new Map<bigint, number>();
  readonly #rings = new Set<number>();

  constructor(look: (fd: number) => Behind) {
    this.#look = look;
  }

  take(record: StateRecord): Finding | undefined {
    if (record.kind === 'GLOBAL_DATA') {
      const { socketFd, evtchnFd } = record;
      if (socketFd < 0) return { path: 'socketFd', reason: 'the image names no listening socket' };
      this.hasListener = true;
      return (
        this.#descriptor('socketFd', socketFd, 'listener', 'the listening socket') ??
        (evtchnFd < 0 ? undefined : this.#descriptor('evtchnFd', evtchnFd, 'file', 'the event channel device'))
      );
    }
    if (record.kind !== 'CONNECTION_DATA') return undefined;
    const { conn, connId, uniqueId = 0n } = record;
    if (conn.kind === 'socket') return this.#descriptor('conn.fd', conn.fd, 'connection', `connection ${connId}`);
    const { domid } = conn;
    if (domid >= DOMID_FIRST_RESERVED) return { path: 'conn.domid', reason: `domain ${domid} cannot be` };
    if (this.#rings.has(domid)) return { path: 'conn.domid', reason: `domain ${domid} has a ring already` };
    this.#rings.add(domid);
    const other = this.#identities.get(uniqueId);
    if (other !== undefined) return { path: 'uniqueId', reason: `domain ${other} has it already` };
    if (uniqueId !== 0n) this.#identities.set(uniqueId, domid);
    return undefined;
  }

  #descriptor(path: string, fd: number, kind: Behind, whose: string): Finding | undefined {
    if (fd >= 0 && fd < FIRST_FD) return { path, reason: `descriptor ${fd} is a standard one` };
    const owner = this.#owners.get(fd);
    if (owner !== undefined) return { path, reason: `descriptor ${fd} is ${owner}` };
    this.#owners.set(fd, whose);
    const found = this.#look(fd);
    if (found === kind) return undefined;
    return { path, reason: `descriptor ${fd} ${found === 'nothing' ? 'is not open' : `is not ${NAMES[kind]}`}` };
  }
}

const NAMES: Readonly<Record<Behind, string>> = {
  nothing: 'open',
  listener: 'a listening unix socket',
  connection: 'a connected unix socket',
  file: 'a device',
  other: 'of this kind',
};
