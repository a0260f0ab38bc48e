import { describe, expect, it } from 'vitest';
import { parseLine, parseScript } from '../../../scenarios/drive/parse.ts';
import {
  type Action,
  compareNames,
  formatAction,
  formatLine,
  type OutputLine,
  txIdOf,
} from '../../../scenarios/drive/script.ts';
import { XS } from '../../../store/protocol/wire.ts';

const octets = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

const PARSED: readonly (readonly [why: string, line: string, action: Action])[] = [
  ['a domain', '{"domain": 3}', { kind: 'domain', domid: 3 }],
  [
    'a word of a ring page',
    '{"on": "1", "word": "rsp_prod", "value": 5000}',
    { kind: 'word', on: '1', word: 'rsp_prod', value: 5000 },
  ],
  [
    'a domain of which nobody tells',
    '{"domain": 3, "introduce": false}',
    { kind: 'domain', domid: 3, introduce: false },
  ],
  ['a socket', '{"socket": "a"}', { kind: 'socket', name: 'a' }],
  ['its end', '{"close": "a"}', { kind: 'close', name: 'a' }],
  ['hold', '{"hold": "1"}', { kind: 'hold', on: '1' }],
  ['free', '{"free": "1"}', { kind: 'free', on: '1' }],
  ['destroy', '{"destroy": 3}', { kind: 'destroy', domid: 3 }],
  ['shutdown', '{"shutdown": 3, "reason": "crash"}', { kind: 'shutdown', domid: 3, reason: 'crash' }],
  ['a live update', '{"liveUpdate": "v2"}', { kind: 'liveUpdate', format: 'v2' }],
  ['raw octets', '{"on": "1", "raw": "\\u0000\\u00ff"}', { kind: 'raw', on: '1', octets: octets('\0\xff') }],
  [
    'a message as on the page',
    '{"on": "1", "op": "WRITE", "payload": "x\\u0000y", "tx": 0}',
    { kind: 'message', on: '1', op: 'WRITE', type: 11, payload: octets('x\0y'), tx: 0 },
  ],
  [
    'the least that a message says',
    '{"on": "a", "op": "RESET_WATCHES"}',
    { kind: 'message', on: 'a', op: 'RESET_WATCHES', type: 21, payload: octets(''), tx: 0 },
  ],
  [
    'an operation by number, a named transaction',
    '{"on": "a", "op": 4294967295, "payload": "", "tx": "t1"}',
    { kind: 'message', on: 'a', op: 0xffff_ffff, type: 0xffff_ffff, payload: octets(''), tx: 't1' },
  ],
  [
    'a name for the id to come',
    '{"on": "a", "op": "TRANSACTION_START", "payload": "\\u0000", "as": "t1"}',
    { kind: 'message', on: 'a', op: 'TRANSACTION_START', type: 6, payload: octets('\0'), tx: 0, as: 't1' },
  ],
];

const PLACED: readonly (readonly [why: string, line: string, action: Action])[] = [
  [
    'a message that nobody waits for',
    '{"on": "a", "op": "RESET_WATCHES", "payload": "", "wait": false}',
    { kind: 'message', on: 'a', op: 'RESET_WATCHES', type: 21, payload: octets(''), tx: 0, wait: false },
  ],
  [
    'its first octets',
    '{"on": "a", "op": "RESET_WATCHES", "payload": "", "octets": 7}',
    { kind: 'message', on: 'a', op: 'RESET_WATCHES', type: 21, payload: octets(''), tx: 0, octets: 7 },
  ],
  ['the others', '{"go": "a"}', { kind: 'go', on: 'a' }],
  ['a client that stops later', '{"hold": "a", "after": 16}', { kind: 'hold', on: 'a', after: 16 }],
  ['a live update at a step', '{"liveUpdate": "v2", "atStep": 7}', { kind: 'liveUpdate', format: 'v2', atStep: 7 }],
  [
    'a live update with patience',
    '{"liveUpdate": "v2", "timeout": 60, "force": true}',
    { kind: 'liveUpdate', format: 'v2', timeout: 60, force: true },
  ],
  ['a death at one', '{"destroy": 3, "atStep": 1}', { kind: 'destroy', domid: 3, atStep: 1 }],
  ['something expected', '{"expect": {"on":"a"}}', { kind: 'expect', what: 'some', patterns: [{ on: 'a' }] }],
  [
    'a part of something',
    '{"expect": {"payload":{"like":"^OK.$"}}, "ever": true}',
    { kind: 'expect', what: 'some', patterns: [{ payload: { like: '^OK.$' } }], ever: true },
  ],
  [
    'something that must not come',
    '{"never": {"event":"x"}}',
    { kind: 'expect', what: 'none', patterns: [{ event: 'x' }] },
  ],
  ['nothing else', '{"expect": []}', { kind: 'expect', what: 'all', patterns: [] }],
];

const REFUSED: readonly (readonly [why: string, line: string, reason: RegExp])[] = [
  ['no JSON', '{"domain": 3', /^not JSON/],
  ['no object', '[1]', /^not an object/],
  ['nothing asked', '{}', /^no action/],
  ['a connection alone', '{"on": "1"}', /^op: missing/],
  ['a domid in words', '{"domain": "3"}', /^domain: /],
  ['a reserved domid', '{"domain": 32752}', /^domain: .*32751/],
  ['half a domid', '{"destroy": 1.5}', /^destroy: /],
  ['an empty name', '{"socket": ""}', /^socket: /],
  ['a number for a name', '{"close": 1}', /^close: /],
  ['no such operation', '{"on": "1", "op": "FROB"}', /^op: .*FROB/],
  ['an inherited name', '{"on": "1", "op": "toString"}', /^op: /],
  ['an operation below zero', '{"on": "1", "op": -1}', /^op: /],
  ['a character that is no octet', '{"on": "1", "op": "READ", "payload": "a\\u0100"}', /^payload: U\+0100 at 1/],
  ['the same in raw', '{"on": "1", "raw": "\\u20ac"}', /^raw: U\+20AC at 0/],
  ['a payload that is no string', '{"on": "1", "op": "READ", "payload": [1]}', /^payload: /],
  ['a transaction id of 33 bits', '{"on": "1", "op": "READ", "tx": 4294967296}', /^tx: /],
  ['an unknown reason', '{"shutdown": 1, "reason": "boredom"}', /^reason: .*poweroff/],
  ['no reason', '{"shutdown": 1}', /^reason: /],
  ['two actions in one', '{"domain": 3, "socket": "a"}', /^socket: /],
  ['a misspelt field', '{"on": "1", "op": "READ", "paylod": "/"}', /^paylod: /],
  ['message and raw at once', '{"on": "1", "op": "READ", "raw": ""}', /^op: /],
  ['nobody to send it', '{"op": "READ"}', /^on: /],
  ['a step before the first', '{"liveUpdate": "v2", "atStep": 0}', /^atStep: .*from 1, not 0/],
  ['a wait that is none', '{"destroy": 1, "wait": 0}', /^wait: /],
  ['a domain that is made at a step', '{"domain": 1, "atStep": 1}', /^atStep: no field of the action domain/],
  ['octets of no message', '{"go": "1", "octets": 3}', /^octets: /],
  ['an expectation of nothing', '{"expect": 3}', /^expect: a pattern/],
  ['an expression that is none', '{"expect": {"on": {"like": "("}}}', /^expect: on: like: /],
  ['two ways in one', '{"expect": {"on": {"like": "a", "shown": "b"}}}', /^expect: on: /],
  ['a list that must not come', '{"never": []}', /^never: /],
];

const LINES: readonly (readonly [line: string, output: OutputLine])[] = [
  ['{"domain": 3, "reply": "INTRODUCE"}', { kind: 'domain', domid: 3, introduced: true }],
  ['{"domain": 3}', { kind: 'domain', domid: 3 }],
  ['{"domain": 3, "reply": "ERROR"}', { kind: 'domain', domid: 3, introduced: false }],
  ['{"socket": "a"}', { kind: 'socket', name: 'a' }],
  ['{"close": "a"}', { kind: 'close', name: 'a' }],
  ['{"hold": "1"}', { kind: 'hold', name: '1' }],
  ['{"free": "1"}', { kind: 'free', name: '1' }],
  [
    '{"on": "1", "op": "WRITE", "reply": "WRITE", "payload": "OK\\u0000"}',
    { kind: 'reply', on: '1', op: 'WRITE', type: XS.WRITE, payload: octets('OK\0') },
  ],
  [
    '{"on": "1", "op": 27, "reply": "ERROR", "payload": "ENOSYS\\u0000"}',
    { kind: 'reply', on: '1', op: 27, type: XS.ERROR, payload: octets('ENOSYS\0') },
  ],
  [
    '{"on": "1", "op": "TRANSACTION_START", "reply": "TRANSACTION_START", "payload": "<t1>\\u0000"}',
    { kind: 'reply', on: '1', op: 'TRANSACTION_START', type: XS.TRANSACTION_START, payload: octets('17\0'), as: 't1' },
  ],
  ['{"on": "1", "op": "WRITE", "dead": true}', { kind: 'dead', on: '1', op: 'WRITE' }],
  ['{"on": "1", "raw": 16}', { kind: 'raw', on: '1', taken: 16 }],
  ['{"on": "1", "gone": true}', { kind: 'gone', on: '1' }],
  ['{"on": "a", "closed": true}', { kind: 'closed', on: 'a' }],
  ['{"destroy": 3}', { kind: 'destroy', domid: 3 }],
  ['{"shutdown": 3}', { kind: 'shutdown', domid: 3 }],
  ['{"liveUpdate": "ok"}', { kind: 'liveUpdate' }],
  ['{"liveUpdate": "failed", "reason": "two\\u000alines"}', { kind: 'liveUpdate', reason: 'two\nlines' }],
  ['{"on": "1", "event": "p\\u0000t\\u0000"}', { kind: 'event', on: '1', payload: octets('p\0t\0') }],
  [
    '{"on": "1", "req": 77, "reply": "READ", "payload": "\\"\\\\~\\u007f\\u00ff"}',
    { kind: 'stray', on: '1', req: 77, type: XS.READ, payload: octets('"\\~\x7f\xff') },
  ],
];

describe('traffic scripts', () => {
  it.each([...PARSED, ...PLACED])('a line that says %s is understood', (_why, line, action) => {
    expect(parseLine(line)).toEqual({ ok: true, action });
  });

  it.each([...PARSED, ...PLACED])('%s is spelled so that it reads back the same', (_why, _line, action) => {
    expect(parseLine(formatAction(action))).toEqual({ ok: true, action });
  });

  it.each(REFUSED)('a line with %s is refused, and the reason names the field', (_why, line, reason) => {
    expect(parseLine(line)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });

  it.each(LINES)('prints %s', (line, output) => {
    expect(formatLine(output)).toBe(line);
    expect(() => JSON.parse(line)).not.toThrow();
  });

  it('counts lines, skips empty ones and ends at the first that it does not understand', () => {
    const parsed = [...parseScript('{"socket": "a"}\n\n{"soket": "b"}\n{"socket": "c"}\n')];
    expect(parsed.map(({ ok, line }) => [ok, line])).toEqual([
      [true, 1],
      [false, 3],
    ]);
  });

  it('sends 4242 for a transaction that nobody has named', () => {
    expect(txIdOf('t', new Map([['t', 7]]))).toBe(7);
    expect(txIdOf('u', new Map([['t', 7]]))).toBe(4242);
    expect(txIdOf(9, new Map())).toBe(9);
  });

  it('orders names by their octets, not as numbers and not by UTF-16 units', () => {
    expect(['b', '10', '9', 'a', 'aa', 'B', '\u{1f600}', '\uffff'].sort(compareNames)).toEqual([
      '10',
      '9',
      'B',
      'a',
      'aa',
      'b',
      '\uffff',
      '\u{1f600}',
    ]);
  });
});
