import { type OpName, XS } from '../../store/protocol/wire.ts';
import { expectationOf } from './expectation.ts';
import {
  countIn,
  domidIn,
  type Fields,
  isObject,
  isU32,
  NotUnderstood,
  nameIn,
  notUnderstood,
  octetsIn,
  shown,
  truthIn,
  u32In,
  wordIn,
} from './fields.ts';
import { type Action, SHUTDOWN_REASONS, type When, WORDS, type WordName } from './script.ts';

export type ParsedLine =
  | { readonly ok: true; readonly action: Action }
  | { readonly ok: false; readonly reason: string };

/** Parse one line. The reason of a refusal begins with the field that is wrong. */
export function parseLine(text: string): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'not JSON' };
  }
  if (!isObject(value)) return { ok: false, reason: 'not an object' };
  try {
    return { ok: true, action: actionOf(value) };
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

/** What may say when an action takes place. */
const WHEN = ['wait', 'atStep'];

/** The field that says which action a line is, and the fields that may stand beside it. */
const SHAPES: readonly (readonly [string, readonly string[]])[] = [
  ['domain', ['introduce']],
  ['socket', []],
  ['close', WHEN],
  ['hold', ['after', ...WHEN]],
  ['free', WHEN],
  ['go', WHEN],
  ['destroy', WHEN],
  ['shutdown', ['reason', ...WHEN]],
  ['liveUpdate', ['timeout', 'force', ...WHEN]],
  ['raw', ['on', ...WHEN]],
  ['word', ['on', 'value', ...WHEN]],
  ['op', ['on', 'payload', 'tx', 'as', 'octets', ...WHEN]],
  ['expect', ['ever']],
  ['never', ['ever']],
];

function actionOf(fields: Fields): Action {
  const shape = SHAPES.find(([key]) => Object.hasOwn(fields, key));
  if (shape === undefined) notUnderstood(Object.hasOwn(fields, 'on') ? 'op: missing (or raw)' : 'no action in it');
  const [key, others] = shape;
  for (const field of Object.keys(fields)) {
    if (field !== key && !others.includes(field)) notUnderstood(`${field}: no field of the action ${key}`);
  }
  const when = others.includes('wait') ? whenOf(fields) : {};
  switch (key) {
    case 'domain':
      return domainOf(fields);
    case 'destroy':
      return { kind: 'destroy', domid: domidIn(fields, 'destroy'), ...when };
    case 'shutdown':
      return {
        kind: 'shutdown',
        domid: domidIn(fields, 'shutdown'),
        reason: wordIn(fields, 'reason', SHUTDOWN_REASONS),
        ...when,
      };
    case 'socket':
      return { kind: 'socket', name: nameIn(fields, 'socket') };
    case 'close':
      return { kind: 'close', name: nameIn(fields, 'close'), ...when };
    case 'hold':
      return { kind: 'hold', on: nameIn(fields, 'hold'), ...afterOf(fields), ...when };
    case 'free':
      return { kind: 'free', on: nameIn(fields, 'free'), ...when };
    case 'go':
      return { kind: 'go', on: nameIn(fields, 'go'), ...when };
    case 'liveUpdate':
      return { kind: 'liveUpdate', format: nameIn(fields, 'liveUpdate'), ...patienceOf(fields), ...when };
    case 'word': {
      const word = wordIn(fields, 'word', Object.keys(WORDS) as WordName[]);
      return { kind: 'word', on: nameIn(fields, 'on'), word, value: u32In(fields, 'value'), ...when };
    }
    case 'raw':
      return { kind: 'raw', on: nameIn(fields, 'on'), octets: octetsIn(fields, 'raw'), ...when };
    case 'expect':
    case 'never':
      return expectationOf(fields, key);
    default:
      return { ...messageOf(fields), ...when };
  }
}

function whenOf(fields: Fields): When {
  return {
    ...(truthIn(fields, 'wait') === false ? { wait: false } : {}),
    ...(fields.atStep === undefined ? {} : { atStep: countIn(fields, 'atStep', 1) }),
  };
}

function afterOf(fields: Fields): { readonly after?: number } {
  return fields.after === undefined ? {} : { after: countIn(fields, 'after', 0) };
}

function patienceOf(fields: Fields): { readonly timeout?: number; readonly force?: true } {
  return {
    ...(fields.timeout === undefined ? {} : { timeout: countIn(fields, 'timeout', 0) }),
    ...(truthIn(fields, 'force') === true ? { force: true } : {}),
  };
}

function domainOf(fields: Fields): Action {
  const base = { kind: 'domain', domid: domidIn(fields, 'domain') } as const;
  return truthIn(fields, 'introduce') === false ? { ...base, introduce: false } : base;
}

function messageOf(fields: Fields): Action & { readonly kind: 'message' } {
  const on = nameIn(fields, 'on');
  const op = opIn(fields);
  const type = typeof op === 'number' ? op : XS[op];
  const payload = fields.payload === undefined ? new Uint8Array(0) : octetsIn(fields, 'payload');
  const tx = fields.tx === undefined ? 0 : txIn(fields);
  return {
    ...{ kind: 'message', on, op, type, payload, tx },
    ...(fields.as === undefined ? {} : { as: nameIn(fields, 'as') }),
    ...(fields.octets === undefined ? {} : { octets: countIn(fields, 'octets', 0) }),
  };
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
