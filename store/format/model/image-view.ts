import { FileReader } from '../file/reader.ts';
import {
  type ConnectionData,
  type NodeData,
  PERM_STALE,
  type Perm,
  type Quota,
  type StateRecord,
} from '../generations/records.ts';
import { type Dialect, decodeImage, v2 } from '../image.ts';
import { formatFailure } from '../schema/cursor.ts';
import { escapeOctets } from '../schema/text.ts';
import { stateJson } from './diff.ts';
import type { LabFormat } from './lab-format.ts';

/** So many octets of a value or a message body are shown. */
const VALUE_BYTES_MAX = 64;

/** How images of versions 1 and 2 are shown: with the messages in their buffers. */
export function imageView(dialect: Dialect): Pick<LabFormat, 'show' | 'json'> {
  return {
    show: (octets) => dumpImage(octets, dialect),
    json(octets) {
      const decoded = decodeImage(octets, dialect);
      return decoded.ok ? { ok: true, value: stateJson(decoded.value) } : decoded;
    },
  };
}

/** Names of the operations. Source: xen/include/public/io/xs_wire.h. */
const WIRE_TYPES = [
  'CONTROL',
  'DIRECTORY',
  'READ',
  'GET_PERMS',
  'WATCH',
  'UNWATCH',
  'TRANSACTION_START',
  'TRANSACTION_END',
  'INTRODUCE',
  'RELEASE',
  'GET_DOMAIN_PATH',
  'WRITE',
  'MKDIR',
  'RM',
  'SET_PERMS',
  'WATCH_EVENT',
  'ERROR',
  'IS_DOMAIN_INTRODUCED',
  'RESUME',
  'SET_TARGET',
  undefined,
  'RESET_WATCHES',
  'DIRECTORY_PART',
  'GET_FEATURE',
  'SET_FEATURE',
  'GET_QUOTA',
  'SET_QUOTA',
] as const;

const MESSAGE_HEADER_BYTES = 16;
const DOMID_INVALID = 0x7ff4;

/**
 * A readable text of an image: a header line, one line for each record (offset, name, len, fields), further lines for
 * buffered messages, a line of totals. A failure ends the text in a line of its own.
 */
export function dumpImage(bytes: Uint8Array, dialect: Dialect = v2): string {
  const reader = new FileReader(dialect, bytes);
  const lines: string[] = [];
  const counts = new Map<string, number>();
  if (reader.header !== undefined)
    lines.push(
      `00000000 xenstore image version ${reader.header.version}, ${reader.header.byteOrder} endian, ${bytes.length} octets`,
    );
  const isBigEndian = reader.header?.byteOrder === 'big';
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    counts.set(record.kind, (counts.get(record.kind) ?? 0) + 1);
    const offset = reader.offset.toString(16).padStart(8, '0');
    const [text = '', ...more] = recordLines(record, isBigEndian);
    lines.push(`${offset} ${record.kind} len ${reader.len}${text === '' ? '' : `: ${text}`}${tailText(record)}`);
    for (const line of more) lines.push(`         ${line}`);
  }
  if (reader.failure !== undefined) lines.push(`failure: ${formatFailure(reader.failure)}`);
  else if (reader.pos < bytes.length) lines.push(`trailing: ${bytes.length - reader.pos} octets after END`);
  const kinds = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${count} ${kind}`);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  lines.push(`total: ${total} records${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}`);
  return `${lines.join('\n')}\n`;
}

function tailText(record: StateRecord): string {
  const { tail } = record;
  return tail === undefined ? '' : ` [slack ${tail.slack.length}, pad ${tail.pad.length}]`;
}

/** Fields of one record: the first line, then lines of their own. */
function recordLines(record: StateRecord, isBigEndian: boolean): string[] {
  switch (record.kind) {
    case 'END':
      return [''];
    case 'GLOBAL_DATA':
      return [`socket fd ${record.socketFd}, evtchn fd ${record.evtchnFd}`];
    case 'CONNECTION_DATA':
      return connectionLines(record, isBigEndian);
    case 'WATCH_DATA':
      return [`conn ${record.connId} ${escapeOctets(record.wpath)} token ${escapeOctets(record.token)}`];
    case 'WATCH_DATA_EXTENDED':
      return [
        `conn ${record.connId} ${escapeOctets(record.wpath)} token ${escapeOctets(record.token)} depth ${record.depth === 0xffff ? 'unlimited' : record.depth}`,
      ];
    case 'TRANSACTION_DATA':
      return [`conn ${record.connId} tx ${record.txId}`];
    case 'NODE_DATA':
      return [nodeText(record)];
    case 'GLOBAL_QUOTA_DATA':
      return [`domain ${quotasText(record.domainQuotas)}; global ${quotasText(record.globalQuotas)}`];
    case 'DOMAIN_DATA':
      return [`domid ${record.domid}, features 0x${record.features.toString(16)}, ${quotasText(record.quotas)}`];
    case 'UNKNOWN':
      return [`type ${record.type}, body ${escapeOctets(record.body, VALUE_BYTES_MAX)}`];
  }
}

/** `n5 r0 r9(stale)`. */
export function permsText(perms: readonly Perm[]): string {
  return perms.map(permText).join(' ');
}

function permText(perm: Perm): string {
  const letter = perm.letterOctet === undefined ? perm.letter : `${perm.letter}(octet ${perm.letterOctet})`;
  const unknown = perm.flags & ~PERM_STALE;
  return `${letter}${perm.domid}${perm.flags & PERM_STALE ? '(stale)' : ''}${unknown === 0 ? '' : `(flags 0x${unknown.toString(16)})`}`;
}

function nodeText(node: NodeData): string {
  const text = `${escapeOctets(node.path)} = ${escapeOctets(node.value, VALUE_BYTES_MAX)} [${permsText(node.perms)}]`;
  if (node.connId === 0) return text;
  const access = ['deleted', 'read', 'written', 'read, written'][node.access] ?? `access 0x${node.access.toString(16)}`;
  return `${text} pending in conn ${node.connId} tx ${node.txId}: ${access}`;
}

function quotasText(quotas: readonly Quota[]): string {
  if (quotas.length === 0) return 'no quotas';
  return quotas.map(({ name, value }) => `${escapeOctets(name).slice(1, -1)}=${value}`).join(' ');
}

function connectionLines(record: ConnectionData, isBigEndian: boolean): string[] {
  const { connId, conn, inData, outData, outRespLen, uniqueId, fields } = record;
  const target = conn.kind === 'ring' && conn.targetDomid !== DOMID_INVALID ? ` target ${conn.targetDomid}` : '';
  const link = conn.kind === 'ring' ? `ring domid ${conn.domid}${target} port ${conn.port}` : `socket fd ${conn.fd}`;
  const unique = uniqueId === undefined ? '' : `, unique id 0x${uniqueId.toString(16)}`;
  const odd = fields === undefined ? '' : `, fields 0x${fields.toString(16)}`;
  const lines = [
    `conn ${connId} ${link}${unique}${odd}, in ${inData.length}, out ${outData.length} (${outRespLen} of a half-written message)`,
  ];
  for (const line of messageLines(inData, 0, isBigEndian)) lines.push(`in  ${line}`);
  for (const line of messageLines(outData, outRespLen, isBigEndian)) lines.push(`out ${line}`);
  return lines;
}

/**
 * Messages of the wire protocol in a buffer that starts with `restBytes` octets of a message already begun. The last
 * one may be incomplete. Numbers have the byte order of the image, which is that of its machine.
 */
function messageLines(buffer: Uint8Array, restBytes: number, isBigEndian: boolean): string[] {
  const lines: string[] = [];
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  let at = Math.min(restBytes, buffer.length);
  if (at > 0) lines.push(`rest of a message, ${at} octets ${escapeOctets(buffer.subarray(0, at), VALUE_BYTES_MAX)}`);
  while (at < buffer.length) {
    const left = buffer.length - at;
    if (left < MESSAGE_HEADER_BYTES) {
      lines.push(`partial header, ${left} of 16 octets ${escapeOctets(buffer.subarray(at))}`);
      break;
    }
    const u32 = (offset: number) => view.getUint32(at + offset, !isBigEndian);
    const [type, reqId, txId, len] = [u32(0), u32(4), u32(8), u32(12)];
    const have = Math.min(len, left - MESSAGE_HEADER_BYTES);
    const body = buffer.subarray(at + MESSAGE_HEADER_BYTES, at + MESSAGE_HEADER_BYTES + have);
    const partial = have < len ? ` partial, ${have} octets of the body` : '';
    lines.push(
      `${WIRE_TYPES[type] ?? `type ${type}`} req_id ${reqId} tx_id ${txId} len ${len}${partial} ${escapeOctets(body, VALUE_BYTES_MAX)}`,
    );
    at += MESSAGE_HEADER_BYTES + have;
  }
  return lines;
}
