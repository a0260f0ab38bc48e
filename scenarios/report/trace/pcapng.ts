import { messageType, XS } from '../../../store/protocol/wire.ts';
import type { RunResult } from '../../engine/scenario.ts';
import { joined } from './assembly.ts';
import { hostsIn, itemsOf, type MessageItem, type TraceItem } from './items.ts';
import { enhancedPacket, interfaceDescription, sectionHeader } from './pcapng-blocks.ts';

/** LINKTYPE_USER0: what a packet begins with is told in docs/trace.md, and read by docs/wireshark/xenstore.lua. */
const LINKTYPE_USER0 = 147;
/** 2000-01-01T00:00:00Z: where virtual time begins, in ns since 1970. */
export const EPOCH_NS = 946_684_800_000_000_000n;

/** Of the header before each message. */
const HEADER_VERSION = 1;
const FIXED_OCTETS = 36;
const KIND = { request: 0, reply: 1, event: 2, happening: 3 } as const;
const DIRECTION = { toStore: 0, fromStore: 1, none: 2 } as const;
const LINK = { ring: 0, socket: 1, none: 2 } as const;
const FLAG = { splitWritten: 1, splitRead: 2, cut: 4, hostile: 8 } as const;
const NO_CONN = 0xffff_ffff;

/** A run's messages as Wireshark reads them, block by block. Same run, same octets. Errors: none. */
export function* pcapngOf(result: RunResult, program: string): Generator<Uint8Array> {
  const { scenario, seed, format, digest, outcome } = result;
  yield sectionHeader(program, `${scenario}, seed ${seed}, format ${format}: ${outcome}, digest ${digest}`);
  for (const { name } of hostsIn(result))
    yield interfaceDescription(LINKTYPE_USER0, name, `xenstore of ${name}, virtual time since 2000`);
  for (const item of itemsOf(result)) yield packetOf(item);
}

function packetOf(item: TraceItem): Uint8Array {
  const at = { at: item.host, timeNs: EPOCH_NS + BigInt(item.timeNs) };
  if (item.kind === 'happening') {
    const { what, text } = item;
    const octets = joined(header(item), utf8(`${what}\0${text}`));
    return enhancedPacket({ ...at, octets, comments: [`${what}: ${text}`] });
  }
  return enhancedPacket({
    ...at,
    octets: joined(header(item), item.octets),
    direction: item.dir === 'req' ? 'inbound' : 'outbound',
    comments: commentsOn(item),
  });
}

function commentsOn({ splits, isCut }: MessageItem): string[] {
  const across = splits.map(({ update, how }) => `${how} across live update #${update}`);
  return isCut ? [...across, 'not all of it came'] : across;
}

function header(item: TraceItem): Uint8Array {
  const message = item.kind === 'message' ? item : undefined;
  const epoch = message?.epoch;
  const name = utf8(epoch?.name ?? '');
  const octets = new Uint8Array(FIXED_OCTETS + name.length);
  const view = new DataView(octets.buffer);
  view.setUint8(0, HEADER_VERSION);
  view.setUint8(1, message === undefined ? KIND.happening : kindOf(message));
  view.setUint16(2, octets.length, true);
  view.setUint8(4, message === undefined ? DIRECTION.none : DIRECTION[message.dir === 'req' ? 'toStore' : 'fromStore']);
  view.setUint8(5, epoch === undefined ? LINK.none : LINK[epoch.isSocket === true ? 'socket' : 'ring']);
  view.setUint16(6, message === undefined ? 0 : flagsOf(message), true);
  view.setUint16(8, item.host, true);
  view.setUint16(10, epoch?.domid ?? 0, true);
  view.setUint32(12, epoch?.conn ?? NO_CONN, true);
  view.setUint32(16, item.seq, true);
  view.setUint32(20, message?.begunSeq ?? item.seq, true);
  view.setBigUint64(24, EPOCH_NS + BigInt(message?.begunNs ?? item.timeNs), true);
  view.setUint32(32, name.length, true);
  octets.set(name, FIXED_OCTETS);
  return octets;
}

function kindOf({ dir, octets }: MessageItem): number {
  if (dir === 'req') return KIND.request;
  return octets.length >= 4 && messageType(octets) === XS.WATCH_EVENT ? KIND.event : KIND.reply;
}

function flagsOf({ splits, isCut, epoch }: MessageItem): number {
  const isSplit = (how: 'written' | 'read') => splits.some((split) => split.how === how);
  return (
    (isSplit('written') ? FLAG.splitWritten : 0) |
    (isSplit('read') ? FLAG.splitRead : 0) |
    (isCut ? FLAG.cut : 0) |
    (epoch.isHostile === true ? FLAG.hostile : 0)
  );
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
