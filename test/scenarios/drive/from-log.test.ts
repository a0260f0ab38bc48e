import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { octets, text } from '../../../guests/index.ts';
import { Driver } from '../../../scenarios/drive/drive.ts';
import { cDaemonLog, isCDaemonLog } from '../../../scenarios/drive/from-log/c-daemon.ts';
import { BadListing, treeOf } from '../../../scenarios/drive/from-log/listing.ts';
import { isOCamlDaemonLog, ocamlDaemonLog } from '../../../scenarios/drive/from-log/ocaml-daemon.ts';
import { scriptOf } from '../../../scenarios/drive/from-log/script-of.ts';
import { type Action, formatAction, type MessageAction } from '../../../scenarios/drive/script.ts';
import { XS } from '../../../store/protocol/wire.ts';

const LOGS = new URL('../../vectors/logs/', import.meta.url);
const log = (name: string) => readFileSync(new URL(name, LOGS), 'latin1');

function replayed(actions: readonly Action[], compat: '4.17' | '4.22' = '4.17') {
  const driver = new Driver({ compat, seed: '1', liveUpdateEvery: 0, format: compat === '4.17' ? 'v1' : 'v2' });
  const lines = actions.flatMap((action) => driver.perform(action));
  return { lines, disappointments: driver.disappointments };
}

const messages = (actions: readonly Action[]) => actions.filter((action) => action.kind === 'message');

describe('a log of the C daemon', () => {
  const { actions, requests, notes } = scriptOf(cDaemonLog(log('c-4.17.trace')));

  it('is told from others', () => {
    expect(isCDaemonLog(log('c-4.17.trace'))).toBe(true);
    expect(isCDaemonLog(log('oxenstored-access.txt'))).toBe(false);
    expect(isCDaemonLog('{"domain": 1}\n')).toBe(false);
  });

  it('becomes a script that gets the same answers from this store', () => {
    expect(requests).toBe(37);
    expect(messages(actions)).toHaveLength(37);
    expect(actions.filter(({ kind }) => kind === 'expect').length).toBeGreaterThan(37);
    expect(replayed(actions).disappointments).toEqual([]);
  });

  it('does not where a store answers otherwise', () => {
    const other = actions.map((action) =>
      action.kind === 'message' && action.op === 'WRITE'
        ? { ...action, payload: octets(action.payload, new Uint8Array(1)) }
        : action,
    );
    expect(replayed(other).disappointments.length).toBeGreaterThan(0);
  });

  it('has values with line feeds and parentheses whole', () => {
    const write = messages(actions).find(({ payload }) => text(payload).startsWith('/a/c')) as MessageAction;
    expect(text(write.payload)).toBe('/a/c\0two\nlines) x');
  });

  it('puts requests into the transaction that is open on their connection, and says so', () => {
    const [start, write, , end] = messages(actions).filter(({ on }) => on === 's2') as MessageAction[];
    expect([start!.as, write!.tx, end!.tx]).toEqual(['t1', 't1', 't1']);
    expect(notes.join()).toMatch(/Transaction ids of requests are not in this log/);
  });

  it('knows rings by their INTRODUCE, deaths by what is dropped without a RELEASE', () => {
    const lines = [
      'CREATE connection 0x1',
      'IN 0x1 20261130 10:00:00 INTRODUCE (3 77 8 )',
      'CREATE connection 0x2',
      'OUT 0x1 20261130 10:00:00 INTRODUCE (OK )',
      'IN 0x2 20261130 10:00:00 READ (data )',
      'OUT 0x2 20261130 10:00:00 ERROR (EACCES )',
      'DESTROY connection 0x2',
      'IN 0x1 20261130 10:00:00 INTRODUCE (4 77 8 )',
      'CREATE connection 0x2',
      'OUT 0x1 20261130 10:00:00 INTRODUCE (OK )',
      'IN 0x1 20261130 10:00:00 RELEASE (4 )',
      'DESTROY connection 0x2',
      'OUT 0x1 20261130 10:00:00 RELEASE (OK )',
    ];
    const script = scriptOf(cDaemonLog(lines.join('\n')));
    expect(script.actions.filter(({ kind }) => kind !== 'expect').map(formatAction)).toEqual([
      '{"domain": 3, "introduce": false}',
      '{"socket": "s1"}',
      '{"on": "s1", "op": "INTRODUCE", "payload": "3\\u00001234\\u00007\\u0000"}',
      '{"on": "3", "op": "READ", "payload": "data\\u0000"}',
      '{"destroy": 3}',
      '{"domain": 4, "introduce": false}',
      '{"on": "s1", "op": "INTRODUCE", "payload": "4\\u00001234\\u00007\\u0000"}',
      '{"on": "s1", "op": "RELEASE", "payload": "4\\u0000"}',
    ]);
    expect(script.notes.join()).toContain('so INTRODUCE says for 3, 4');
    expect(replayed(script.actions).disappointments).toEqual([]);
  });

  it.each(['4.17', '4.22'] as const)('that this store wrote as %s gives the same requests again', (compat) => {
    let written = '';
    const write = (piece: string) => {
      written += piece;
    };
    const file = { write, close: () => {} };
    const driver = new Driver({ ...{ compat, seed: '1', liveUpdateEvery: 0, format: 'v1' }, appendTo: () => file });
    const say = (
      on: string,
      op: keyof typeof XS,
      payload: string,
      more: Partial<MessageAction> = {},
    ): MessageAction => ({
      ...{ kind: 'message', on, op, type: XS[op], payload: Uint8Array.from(payload, (c) => c.charCodeAt(0)), tx: 0 },
      ...more,
    });
    driver.perform({ kind: 'socket', name: 's1' });
    driver.perform(say('s1', 'CONTROL', 'logfile\0/log\0'));
    const done = [
      say('s1', 'WRITE', '/x\0some value'),
      say('s1', 'WATCH', '/x\0tok\0'),
      say('s1', 'TRANSACTION_START', '\0', { as: 't1' }),
      say('s1', 'READ', '/x\0', { tx: 't1' }),
      say('s1', 'SET_PERMS', '/x\0n0\0r3\0', { tx: 't1' }),
      say('s1', 'TRANSACTION_END', 'T\0', { tx: 't1' }),
      say('s1', 'RM', '/nothing\0'),
      say('s1', 'UNWATCH', '/x\0tok\0'),
    ];
    for (const action of done) driver.perform(action);
    const again = scriptOf(cDaemonLog(written));
    const sent = messages(again.actions).map((action) => ({ ...action, on: 's1' }));
    expect(sent).toEqual(done);
    expect(replayed(again.actions, compat).disappointments).toEqual([]);
  });

  it('says which replies have no request in it', () => {
    const script = scriptOf(cDaemonLog('OUT 0x1 20261130 10:00:00 READ (x)\n'));
    expect(script.notes.at(-1)).toMatch(/^1: a reply whose request is not in the log/);
  });
});

describe('a log of oxenstored', () => {
  const { actions, requests } = scriptOf(ocamlDaemonLog(log('oxenstored-access.txt')));

  it('is told from others', () => {
    expect(isOCamlDaemonLog(log('oxenstored-access.txt'))).toBe(true);
    expect(isOCamlDaemonLog(log('c-4.17.trace'))).toBe(false);
  });

  it('becomes a script with its transactions, and with the errors and events that it tells of', () => {
    expect(requests).toBe(46);
    expect(
      messages(actions)
        .filter(({ tx }) => tx === 'A2.1')
        .map(({ op }) => op),
    ).toEqual(['WRITE', 'WRITE', 'TRANSACTION_END']);
    expect(replayed(actions).disappointments).toEqual([]);
  });

  it('ends a transaction as the log tells: conflict, or neither', () => {
    const [line, changes] = [
      (who: string, what: string) => `[20261130T10:00:00.000Z]  ${who}         ${what}`,
      'write     /x 1',
    ];
    const ends = (lines: readonly string[]) => {
      const script = scriptOf(ocamlDaemonLog(lines.join('\n')));
      return messages(script.actions)
        .filter(({ op }) => op === 'TRANSACTION_END')
        .map(({ payload }) => text(payload));
    };
    expect(ends([line('A1.1', changes), line('A1.1', 't end    '), line('A1.1', 'conflict ')])).toEqual(['T\0']);
    expect(ends([line('A1.1', changes), line('A1.1', 't end    '), line('A1', 'endconn  ')])).toEqual(['F\0']);
    expect(ends([line('A1.1', 'read      /x'), line('A1.1', 't end    ')])).toEqual(['T\0']);
    expect(ends([line('D3.7', changes), line('D3.7', 'commit   ')])).toEqual(['T\0']);
  });
});

describe('a listing', () => {
  it('becomes the tree that it shows', () => {
    const listing = ['/local = ""   (n0)', '/local/x = "a \\"b\\" \\n\\001"   (n0,b0)', '/local/y = ""'];
    const actions = treeOf(listing.join('\n'), 'w');
    const { lines } = replayed([
      ...actions,
      { kind: 'socket', name: 'a' },
      ...(['READ', 'GET_PERMS'] as const).map(
        (op): Action => ({
          kind: 'message',
          on: 'a',
          op,
          type: XS[op],
          payload: octets(...[47, 108, 111, 99, 97, 108, 47, 120, 0].map((c) => Uint8Array.of(c))),
          tx: 0,
        }),
      ),
    ]);
    expect(lines.slice(-2)).toEqual([
      '{"on": "a", "op": "READ", "reply": "READ", "payload": "a \\"b\\" \\u000a\\u0001"}',
      '{"on": "a", "op": "GET_PERMS", "reply": "GET_PERMS", "payload": "n0\\u0000b0\\u0000"}',
    ]);
  });

  it('that is none is refused with its line', () => {
    expect(() => treeOf('/a = "b"\nnothing\n', 'w')).toThrow(
      new BadListing('line 2: not a node as xenstore-ls -fp shows one'),
    );
  });
});
