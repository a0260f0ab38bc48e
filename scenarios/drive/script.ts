import { CONNECTION, ERROR, REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, SERVER_FEATURES } from '../../sim/index.ts';
import { type OpName, opName, XS } from '../../store/protocol/wire.ts';
import { STORE_BINARY } from '../engine/host.ts';
import type { Expectation } from './expectation.ts';

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

/** When an action takes place, and what comes after it; both left out: now, and then the system runs until it is quiet. */
export interface When {
  /** The system does not run after it, and nothing is waited for. */
  readonly wait?: false;
  /** The system runs first: this happens right before so many steps of any actor, from 1 on, or when it is quiet before that. */
  readonly atStep?: number;
}

export interface MessageAction extends When {
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
  /** Only so many octets of the message, header and payload, are put in; the rest waits for `go`. Its reply is not waited for. */
  readonly octets?: number;
}

/** One line of a script. Domids are 0 to 32751. */
export type Action =
  /** `introduce: false`: nobody tells the store of it. */
  | { readonly kind: 'domain'; readonly domid: number; readonly introduce?: false }
  | { readonly kind: 'socket'; readonly name: string }
  | ({ readonly kind: 'close'; readonly name: string } & When)
  | MessageAction
  | ({ readonly kind: 'raw'; readonly on: string; readonly octets: Uint8Array } & When)
  /** A guest writes a word of its ring page, and raises the event. */
  | ({ readonly kind: 'word'; readonly on: string; readonly word: WordName; readonly value: number } & When)
  /** `after`: it still consumes so many octets. */
  | ({ readonly kind: 'hold'; readonly on: string; readonly after?: number } & When)
  | ({ readonly kind: 'free'; readonly on: string } & When)
  /** What is left of messages that were stopped is put in. */
  | ({ readonly kind: 'go'; readonly on: string } & When)
  | ({ readonly kind: 'destroy'; readonly domid: number } & When)
  | ({ readonly kind: 'shutdown'; readonly domid: number; readonly reason: ShutdownName } & When)
  /** `timeout`: seconds for which it waits for open transactions, 0 where left out; `force`: then it goes on all the same. */
  | ({ readonly kind: 'liveUpdate'; readonly format: string; readonly timeout?: number; readonly force?: true } & When)
  | Expectation;

/** The id that a header carries for `tx`, given the names that `as` has made so far. */
export function txIdOf(tx: number | string, names: ReadonlyMap<string, number>): number {
  return typeof tx === 'number' ? tx : (names.get(tx) ?? UNKNOWN_TX);
}

// What a run prints ----------------------------------------------------------------------------------------------------

/** One line of output. `gone` answers every action on a name that is gone. */
export type OutputLine =
  /** Without `introduced`: nobody has tried. */
  | { readonly kind: 'domain'; readonly domid: number; readonly introduced?: boolean }
  | { readonly kind: 'socket' | 'close' | 'hold' | 'free' | 'go'; readonly name: string }
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
  /** A message that is not waited for: so many octets of it are in. */
  | { readonly kind: 'sent'; readonly on: string; readonly op: OpName | number; readonly octets: number }
  | { readonly kind: 'raw'; readonly on: string; readonly taken: number }
  /** `words`: what all of them are when the system is quiet; of a socket there are none. */
  | { readonly kind: 'word'; readonly on: string; readonly word: WordName; readonly words: readonly number[] }
  | { readonly kind: 'gone' | 'closed'; readonly on: string }
  | { readonly kind: 'destroy' | 'shutdown'; readonly domid: number }
  /** Without a reason the update was done. */
  | { readonly kind: 'liveUpdate'; readonly reason?: string }
  /** One that is not answered yet. */
  | { readonly kind: 'liveUpdateAsked' }
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
    case 'go':
      return `{"${line.kind}": ${quote(line.name)}}`;
    case 'sent':
      return `{"on": ${quote(line.on)}, "op": ${word(line.op)}, "sent": ${line.octets}}`;
    case 'liveUpdateAsked':
      return '{"liveUpdate": "asked"}';
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
  if (action.kind === 'expect') return formatExpectation(action);
  const fields = fieldsOf(action);
  const { wait, atStep } = action as When;
  if (wait === false) fields.push('"wait": false');
  if (atStep !== undefined) fields.push(`"atStep": ${atStep}`);
  return `{${fields.join(', ')}}`;
}

function fieldsOf(action: Exclude<Action, Expectation>): string[] {
  switch (action.kind) {
    case 'domain':
      return [`"domain": ${action.domid}`, ...(action.introduce === false ? ['"introduce": false'] : [])];
    case 'destroy':
      return [`"destroy": ${action.domid}`];
    case 'shutdown':
      return [`"shutdown": ${action.domid}`, `"reason": "${action.reason}"`];
    case 'socket':
    case 'close':
      return [`"${action.kind}": ${quote(action.name)}`];
    case 'hold':
      return [`"hold": ${quote(action.on)}`, ...(action.after === undefined ? [] : [`"after": ${action.after}`])];
    case 'free':
    case 'go':
      return [`"${action.kind}": ${quote(action.on)}`];
    case 'liveUpdate':
      return [
        `"liveUpdate": ${quote(action.format)}`,
        ...(action.timeout === undefined ? [] : [`"timeout": ${action.timeout}`]),
        ...(action.force === true ? ['"force": true'] : []),
      ];
    case 'raw':
      return [`"on": ${quote(action.on)}`, `"raw": ${octets(action.octets)}`];
    case 'word':
      return [`"on": ${quote(action.on)}`, `"word": "${action.word}"`, `"value": ${action.value}`];
    case 'message':
      return [
        `"on": ${quote(action.on)}`,
        `"op": ${word(action.op)}`,
        `"payload": ${octets(action.payload)}`,
        ...(action.tx === 0 ? [] : [`"tx": ${word(action.tx)}`]),
        ...(action.as === undefined ? [] : [`"as": ${quote(action.as)}`]),
        ...(action.octets === undefined ? [] : [`"octets": ${action.octets}`]),
      ];
  }
}

function formatExpectation({ what, patterns, ever }: Expectation): string {
  const value = what === 'all' ? patterns : patterns[0];
  const json = JSON.stringify(value).replace(/[^\x20-\x7e]/g, escaped);
  return `{"${what === 'none' ? 'never' : 'expect'}": ${json}${ever === true ? ', "ever": true' : ''}}`;
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
