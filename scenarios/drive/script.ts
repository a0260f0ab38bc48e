import {
  CONNECTION,
  DOMID_FIRST_RESERVED,
  ERROR,
  REQ_CONS,
  REQ_PROD,
  RSP_CONS,
  RSP_PROD,
  SERVER_FEATURES,
} from '../../sim/index.ts';
import { type OpName, opName, XS } from '../../store/protocol/wire.ts';
import { STORE_BINARY } from '../engine/host.ts';

/**
 * Traffic scripts: what clients do to a xenstore, one JSON object a line, and what they see, one JSON object a line.
 * docs/traffic-script.md is the contract. Pure text and values: nothing here runs anything.
 */

/** Why a domain shut down, as scripts spell it. */
export const SHUTDOWN_REASONS = ['poweroff', 'reboot', 'suspend', 'crash'] as const;
export type ShutdownName = (typeof SHUTDOWN_REASONS)[number];

/** The transaction id that stands for a name which no `as` has given. */
export const UNKNOWN_TX = 4242;

/** What INTRODUCE says of every domain that a script creates: the gfn of its ring page, the port of its event channel. */
export const RING_GFN = 1234;
export const RING_PORT = 7;

/** The daemon's own program, as a script names it that drives a live update by hand. */
export const BINARY = STORE_BINARY;

/** Words of a ring page, by their names in xs_wire.h, in their order there. */
export const WORDS = {
  req_cons: REQ_CONS,
  req_prod: REQ_PROD,
  rsp_cons: RSP_CONS,
  rsp_prod: RSP_PROD,
  server_features: SERVER_FEATURES,
  connection: CONNECTION,
  error: ERROR,
} as const;
export type WordName = keyof typeof WORDS;

export interface MessageAction {
  readonly kind: 'message';
  readonly on: string;
  /** As the script spells it: output lines repeat it. */
  readonly op: OpName | number;
  /** The number that goes into the header, u32. */
  readonly type: number;
  readonly payload: Uint8Array;
  /** An id (u32), or a name given by an earlier `as`. */
  readonly tx: number | string;
  /** The name under which the id in a successful TRANSACTION_START reply is remembered. */
  readonly as?: string;
}

/** One line of a script. Domids are 0 to 32751. */
export type Action =
  /** `introduce: false`: nobody tells the store of it. */
  | { readonly kind: 'domain'; readonly domid: number; readonly introduce?: false }
  | { readonly kind: 'socket'; readonly name: string }
  | { readonly kind: 'close'; readonly name: string }
  | MessageAction
  | { readonly kind: 'raw'; readonly on: string; readonly octets: Uint8Array }
  /** A guest writes a word of its ring page, and raises the event. */
  | { readonly kind: 'word'; readonly on: string; readonly word: WordName; readonly value: number }
  | { readonly kind: 'hold'; readonly on: string }
  | { readonly kind: 'free'; readonly on: string }
  | { readonly kind: 'destroy'; readonly domid: number }
  | { readonly kind: 'shutdown'; readonly domid: number; readonly reason: ShutdownName }
  | { readonly kind: 'liveUpdate'; readonly format: string };

export type ParsedLine =
  | { readonly ok: true; readonly action: Action }
  | { readonly ok: false; readonly reason: string };

type Fields = Readonly<Record<string, unknown>>;

/** Thrown inside this file only, and turned into `reason` at its one door, `parseLine`. */
class NotUnderstood extends Error {}

function notUnderstood(reason: string): never {
  throw new NotUnderstood(reason);
}

/** Parse one line. The reason of a refusal begins with the field that is wrong. */
export function parseLine(text: string): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { ok: false, reason: 'not an object' };
  try {
    return { ok: true, action: actionOf(value as Fields) };
  } catch (error) {
    if (error instanceof NotUnderstood) return { ok: false, reason: error.message };
    throw error;
  }
}

/** A script's lines in order, up to and including the first that is not understood; empty lines are skipped. */
export function* parseScript(text: string): Generator<ParsedLine & { readonly line: number }> {
  let line = 0;
  for (const one of text.split('\n')) {
    line++;
    if (one.trim() === '') continue;
    const parsed = parseLine(one);
    yield { ...parsed, line };
    if (!parsed.ok) return;
  }
}

/** The field that says which action a line is, and the fields that may stand beside it. */
const SHAPES: readonly (readonly [string, readonly string[]])[] = [
  ['domain', ['introduce']],
  ['socket', []],
  ['close', []],
  ['hold', []],
  ['free', []],
  ['destroy', []],
  ['shutdown', ['reason']],
  ['liveUpdate', []],
  ['raw', ['on']],
  ['word', ['on', 'value']],
  ['op', ['on', 'payload', 'tx', 'as']],
];

function actionOf(fields: Fields): Action {
  const shape = SHAPES.find(([key]) => Object.hasOwn(fields, key));
  if (shape === undefined) notUnderstood(Object.hasOwn(fields, 'on') ? 'op: missing (or raw)' : 'no action in it');
  const [key, others] = shape;
  for (const field of Object.keys(fields)) {
    if (field !== key && !others.includes(field)) notUnderstood(`${field}: no field of the action ${key}`);
  }
  switch (key) {
    case 'domain':
      return domainOf(fields);
    case 'destroy':
      return { kind: 'destroy', domid: domidIn(fields, 'destroy') };
    case 'shutdown':
      return { kind: 'shutdown', domid: domidIn(fields, 'shutdown'), reason: reasonIn(fields) };
    case 'socket':
      return { kind: 'socket', name: nameIn(fields, 'socket') };
    case 'close':
      return { kind: 'close', name: nameIn(fields, 'close') };
    case 'hold':
      return { kind: 'hold', on: nameIn(fields, 'hold') };
    case 'free':
      return { kind: 'free', on: nameIn(fields, 'free') };
    case 'liveUpdate':
      return { kind: 'liveUpdate', format: nameIn(fields, 'liveUpdate') };
    case 'word':
      return { kind: 'word', on: nameIn(fields, 'on'), word: wordIn(fields), value: valueIn(fields) };
    case 'raw':
      return { kind: 'raw', on: nameIn(fields, 'on'), octets: octetsIn(fields, 'raw') };
    default:
      return messageOf(fields);
  }
}

function domainOf(fields: Fields): Action {
  const base = { kind: 'domain', domid: domidIn(fields, 'domain') } as const;
  if (fields.introduce === undefined || fields.introduce === true) return base;
  if (fields.introduce !== false) notUnderstood(`introduce: must be true or false, not ${shown(fields.introduce)}`);
  return { ...base, introduce: false };
}

function messageOf(fields: Fields): MessageAction {
  const on = nameIn(fields, 'on');
  const op = opIn(fields);
  const type = typeof op === 'number' ? op : XS[op];
  const payload = fields.payload === undefined ? new Uint8Array(0) : octetsIn(fields, 'payload');
  const tx = fields.tx === undefined ? 0 : txIn(fields);
  const base = { kind: 'message', on, op, type, payload, tx } as const;
  return fields.as === undefined ? base : { ...base, as: nameIn(fields, 'as') };
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

function domidIn(fields: Fields, key: string): number {
  const value = fields[key];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < DOMID_FIRST_RESERVED) return value;
  notUnderstood(`${key}: a domid is a whole number from 0 to ${DOMID_FIRST_RESERVED - 1}, not ${shown(value)}`);
}

function nameIn(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value === 'string' && value !== '') return value;
  notUnderstood(`${key}: must be a string that is not empty, not ${shown(value)}`);
}

function isU32(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

function opIn(fields: Fields): OpName | number {
  const value = fields.op;
  if (isU32(value)) return value;
  if (typeof value === 'string' && Object.hasOwn(XS, value)) return value as OpName;
  notUnderstood(`op: must be an operation's name or a number of 32 bits, not ${shown(value)}`);
}

function txIn(fields: Fields): number | string {
  const value = fields.tx;
  if (isU32(value) || (typeof value === 'string' && value !== '')) return value;
  notUnderstood(`tx: must be a number of 32 bits or a name, not ${shown(value)}`);
}

function reasonIn(fields: Fields): ShutdownName {
  const reason = SHUTDOWN_REASONS.find((name) => name === fields.reason);
  return reason ?? notUnderstood(`reason: must be one of ${SHUTDOWN_REASONS.join(', ')}, not ${shown(fields.reason)}`);
}

function wordIn({ word: value }: Fields): WordName {
  if (typeof value === 'string' && Object.hasOwn(WORDS, value)) return value as WordName;
  notUnderstood(`word: must be one of ${Object.keys(WORDS).join(', ')}, not ${shown(value)}`);
}

function valueIn({ value }: Fields): number {
  return isU32(value) ? value : notUnderstood(`value: must be a number of 32 bits, not ${shown(value)}`);
}

function octetsIn(fields: Fields, key: string): Uint8Array {
  const value = fields[key];
  if (typeof value !== 'string') notUnderstood(`${key}: must be a string of octets, not ${shown(value)}`);
  const octets = new Uint8Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0xff) notUnderstood(`${key}: U+${unit.toString(16).toUpperCase().padStart(4, '0')} at ${i} is no octet`);
    octets[i] = unit;
  }
  return octets;
}

/** The id that a header carries for `tx`, given the names that `as` has made so far. */
export function txIdOf(tx: number | string, names: ReadonlyMap<string, number>): number {
  return typeof tx === 'number' ? tx : (names.get(tx) ?? UNKNOWN_TX);
}

// What a run prints ----------------------------------------------------------------------------------------------------

/** One line of output. `gone` answers every action on a name that is gone. */
export type OutputLine =
  /** Without `introduced`: nobody has tried. */
  | { readonly kind: 'domain'; readonly domid: number; readonly introduced?: boolean }
  | { readonly kind: 'socket' | 'close' | 'hold' | 'free'; readonly name: string }
  | {
      readonly kind: 'reply';
      readonly on: string;
      readonly op: OpName | number;
      readonly type: number;
      readonly payload: Uint8Array;
      /** The name that stands for the id which the payload holds. */
      readonly as?: string;
    }
  | { readonly kind: 'dead'; readonly on: string; readonly op: OpName | number }
  | { readonly kind: 'raw'; readonly on: string; readonly taken: number }
  /** `words`: what all of them are when the system is quiet; of a socket there are none. */
  | { readonly kind: 'word'; readonly on: string; readonly word: WordName; readonly words: readonly number[] }
  | { readonly kind: 'gone' | 'closed'; readonly on: string }
  | { readonly kind: 'destroy' | 'shutdown'; readonly domid: number }
  /** Without a reason the update was done. */
  | { readonly kind: 'liveUpdate'; readonly reason?: string }
  | { readonly kind: 'event'; readonly on: string; readonly payload: Uint8Array }
  | {
      readonly kind: 'stray';
      readonly on: string;
      readonly req: number;
      readonly type: number;
      readonly payload: Uint8Array;
    };

/** The line as it is printed, without its newline. */
export function formatLine(line: OutputLine): string {
  switch (line.kind) {
    case 'domain':
      if (line.introduced === undefined) return `{"domain": ${line.domid}}`;
      return `{"domain": ${line.domid}, "reply": "${line.introduced ? 'INTRODUCE' : 'ERROR'}"}`;
    case 'socket':
    case 'close':
    case 'hold':
    case 'free':
      return `{"${line.kind}": ${quote(line.name)}}`;
    case 'reply': {
      const payload =
        line.as !== undefined && line.type === XS.TRANSACTION_START ? quote(`<${line.as}>\0`) : octets(line.payload);
      return `{"on": ${quote(line.on)}, "op": ${word(line.op)}, "reply": ${word(nameOf(line.type))}, "payload": ${payload}}`;
    }
    case 'dead':
      return `{"on": ${quote(line.on)}, "op": ${word(line.op)}, "dead": true}`;
    case 'raw':
      return `{"on": ${quote(line.on)}, "raw": ${line.taken}}`;
    case 'word':
      return `{"on": ${quote(line.on)}, "word": "${line.word}", "words": [${line.words.join(', ')}]}`;
    case 'gone':
    case 'closed':
      return `{"on": ${quote(line.on)}, "${line.kind}": true}`;
    case 'destroy':
    case 'shutdown':
      return `{"${line.kind}": ${line.domid}}`;
    case 'liveUpdate':
      if (line.reason === undefined) return '{"liveUpdate": "ok"}';
      return `{"liveUpdate": "failed", "reason": ${quote(line.reason)}}`;
    case 'event':
      return `{"on": ${quote(line.on)}, "event": ${octets(line.payload)}}`;
    case 'stray': {
      const reply = word(nameOf(line.type));
      return `{"on": ${quote(line.on)}, "req": ${line.req}, "reply": ${reply}, "payload": ${octets(line.payload)}}`;
    }
  }
}

/** The action as a script's line, spelled as on the page; `parseLine` reads it back. Fields with their default are left out. */
export function formatAction(action: Action): string {
  switch (action.kind) {
    case 'domain':
      return `{"domain": ${action.domid}${action.introduce === false ? ', "introduce": false' : ''}}`;
    case 'destroy':
      return `{"${action.kind}": ${action.domid}}`;
    case 'shutdown':
      return `{"shutdown": ${action.domid}, "reason": "${action.reason}"}`;
    case 'socket':
    case 'close':
      return `{"${action.kind}": ${quote(action.name)}}`;
    case 'hold':
    case 'free':
      return `{"${action.kind}": ${quote(action.on)}}`;
    case 'liveUpdate':
      return `{"liveUpdate": ${quote(action.format)}}`;
    case 'raw':
      return `{"on": ${quote(action.on)}, "raw": ${octets(action.octets)}}`;
    case 'word':
      return `{"on": ${quote(action.on)}, "word": "${action.word}", "value": ${action.value}}`;
    case 'message': {
      const tx = action.tx === 0 ? '' : `, "tx": ${word(action.tx)}`;
      const as = action.as === undefined ? '' : `, "as": ${quote(action.as)}`;
      return `{"on": ${quote(action.on)}, "op": ${word(action.op)}, "payload": ${octets(action.payload)}${tx}${as}}`;
    }
  }
}

/** The order in which connections are printed: by the octets of their names in UTF-8, which is the order of code points. */
export function compareNames(a: string, b: string): number {
  const x = Array.from(a, (c) => c.codePointAt(0)!);
  const y = Array.from(b, (c) => c.codePointAt(0)!);
  for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return x[i]! - y[i]!;
  return x.length - y.length;
}

function nameOf(type: number): string | number {
  const name = opName(type);
  return Object.hasOwn(XS, name) ? name : type;
}

function word(value: string | number): string {
  return typeof value === 'number' ? String(value) : quote(value);
}

/** JSON, in ASCII only: other code units and all control characters as `\u` and four digits. */
function quote(text: string): string {
  return `"${text.replace(/["\\]|[^\x20-\x7e]/g, escaped)}"`;
}

function escaped(unit: string): string {
  if (unit === '"' || unit === '\\') return `\\${unit}`;
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function octets(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return quote(text);
}
