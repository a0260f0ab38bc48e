import { KIND } from '../layout.ts';
import { HEADER_OCTETS, type Message, messageAt, type Run } from './run.ts';

/** Octets for people: what is not printable ASCII as an escape, cut behind `max`. */
export function shown(bytes: Uint8Array, max = 60): string {
  let text = '';
  for (const octet of bytes.subarray(0, max))
    text +=
      octet === 0
        ? '\\0'
        : octet === 0x5c
          ? '\\\\'
          : octet >= 0x20 && octet < 0x7f
            ? String.fromCharCode(octet)
            : `\\x${octet.toString(16).padStart(2, '0')}`;
  return bytes.length > max ? `${text}… (${bytes.length} octets)` : text;
}

/** Text of a run without what a terminal or a reader could stumble over. */
export function tame(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (mark) => {
    return `\\x${mark.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

export function ms(ns: number): string {
  return `${(ns / 1e6).toFixed(3)} ms`;
}

export function messageText(run: Run, { type, reqId, txId, payload }: Message): string {
  const tx = txId === 0 ? '' : ` tx ${txId}`;
  return `${run.operation(type)} req_id ${reqId}${tx} ${shown(payload)}`;
}

/** A record in a line, without its time. */
export function recordLine(run: Run, at: number): string {
  const name = tame(run.connName(at));
  const size = run.size[at]!;
  const span = `${size} octets, ${run.place[at]!}..${run.place[at]! + size}`;
  switch (run.kind[at]) {
    case KIND.putReq:
      return `${name} puts in a request: ${span}`;
    case KIND.putRsp:
      return `the store writes to ${name}: ${span}`;
    case KIND.tookReq:
      return `the store takes from ${name}: ${span}`;
    case KIND.tookRsp:
      return `${name} takes out: ${span}`;
    case KIND.sent:
      return `${tame(run.whoAt(at))} sent ${messageText(run, run.message(at))}`;
    case KIND.got:
    case KIND.event:
      return `${tame(run.whoAt(at))} got ${messageText(run, run.message(at))}`;
    default:
      return tame(run.data.notes[run.place[at]!] ?? '');
  }
}

/** A part of a message that a move carries. */
export interface Piece {
  readonly message: Message;
  /** Octets of it, header counted. */
  readonly from: number;
  readonly to: number;
}

/** The messages that a move carries octets of: the stream is read from its begin. */
export function piecesOf(run: Run, at: number): Piece[] {
  const conn = run.conn[at]! - 1;
  if (conn < 0 || run.kind[at] === KIND.other || run.isMessage(at)) return [];
  const stream = run.stream(conn, run.dirOf(at));
  const from = run.place[at]!;
  const to = from + run.size[at]!;
  const pieces: Piece[] = [];
  for (let begin = 0; begin < to; ) {
    const message = messageAt(stream, begin);
    if (message === undefined) break;
    const end = begin + HEADER_OCTETS + message.len;
    if (end > from) pieces.push({ message, from: Math.max(from, begin) - begin, to: Math.min(to, end) - begin });
    begin = end;
  }
  return pieces;
}

/** Eight octets a line, with their positions and what is printable of them. */
export function hexLines(bytes: Uint8Array, max = 512): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, max); at += 8) {
    const row = [...bytes.subarray(at, Math.min(at + 8, max))];
    const hex = row.map((octet) => octet.toString(16).padStart(2, '0')).join(' ');
    const text = row.map((octet) => (octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(23)}  ${text}`);
  }
  if (bytes.length > max) lines.push(`… ${bytes.length - max} octets more`);
  return lines.join('\n');
}
