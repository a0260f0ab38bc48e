import { describe, expect, it } from 'vitest';
import { type DriveOptions, Driver } from '../../../scenarios/drive/drive.ts';
import { parseLine } from '../../../scenarios/drive/parse.ts';
import type { Action } from '../../../scenarios/drive/script.ts';

function actions(...lines: readonly string[]): readonly Action[] {
  return lines.map((line) => {
    const parsed = parseLine(line);
    if (!parsed.ok) throw new Error(parsed.reason);
    return parsed.action;
  });
}

const START = '{"on": "1", "op": "TRANSACTION_START", "payload": "\\u0000", "as": "t"}';
const END = '{"on": "1", "op": "TRANSACTION_END", "payload": "F\\u0000", "tx": "t"}';

describe('a silent live update', () => {
  it('is told of when it is refused, and only then', () => {
    const driver = new Driver({ compat: '4.22', seed: '1', liveUpdateEvery: 1, format: 'v2' });
    const output = actions('{"domain": 1}', START, END).map((action) => driver.perform(action));
    expect(output).toEqual([
      ['{"domain": 1, "reply": "INTRODUCE"}'],
      [
        '{"on": "1", "op": "TRANSACTION_START", "reply": "TRANSACTION_START", "payload": "<t>\\u0000"}',
        expect.stringMatching(/^\{"liveUpdate": "failed", "reason": "Domains with long running transactions:/),
      ],
      ['{"on": "1", "op": "TRANSACTION_END", "reply": "TRANSACTION_END", "payload": "OK\\u0000"}'],
    ]);
  });

  it('carries paths of sockets as long as a request can name them', () => {
    const driver = new Driver({ compat: '4.22', seed: '1', liveUpdateEvery: 1, format: 'v2' });
    const path = `/${'a'.repeat(4000)}`;
    const output = actions(
      '{"socket": "a"}',
      `{"on": "a", "op": "WATCH", "payload": "${path}\\u0000t\\u0000"}`,
      `{"on": "a", "op": "WRITE", "payload": "${path}\\u0000v"}`,
      `{"on": "a", "op": "READ", "payload": "${path}\\u0000"}`,
    ).flatMap((action) => driver.perform(action));
    expect(output.filter((line) => line.includes('liveUpdate'))).toEqual([]);
    expect(output.filter((line) => line.includes('"event"'))).toHaveLength(2);
    expect(output.at(-1)).toBe('{"on": "a", "op": "READ", "reply": "READ", "payload": "v"}');
  });
});

/** What a new driver prints of these lines, and what it did not get. */
function driven(lines: readonly string[], options: Partial<DriveOptions> = {}) {
  const driver = new Driver({ compat: '4.22', seed: '1', liveUpdateEvery: 0, format: 'v2', ...options });
  const output = actions(...lines).map((action) => driver.perform(action));
  return { output, disappointments: driver.disappointments };
}

describe('a script in mid-traffic', () => {
  const WATCHED = ['{"domain": 1}', '{"socket": "a"}', '{"on": "a", "op": "WATCH", "payload": "/x\\u0000t\\u0000"}'];
  const WRITE = '{"on": "a", "op": "WRITE", "payload": "/x\\u0000value"';

  it('stops a client after any octet of a request, updates there, and goes on', () => {
    const octetsOf = (line: string) => (actions(`${line}}`)[0] as { payload: Uint8Array }).payload.length + 16;
    for (let n = 0; n <= octetsOf(WRITE); n++) {
      const { output } = driven([...WATCHED, `${WRITE}, "octets": ${n}}`, '{"liveUpdate": "v2"}', '{"go": "a"}']);
      expect(output[3]![0]).toBe(`{"on": "a", "op": "WRITE", "sent": ${n}}`);
      expect(output[4]![0]).toBe('{"liveUpdate": "ok"}');
      const reply = '{"on": "a", "op": "WRITE", "reply": "WRITE", "payload": "OK\\u0000"}';
      expect(output.slice(3).flat()).toContain(reply);
      expect(output.slice(3).flat()).toContain('{"on": "a", "event": "/x\\u0000t\\u0000"}');
    }
  });

  it('puts a message behind one that was stopped, whose rest goes first', () => {
    const { output } = driven([
      ...WATCHED,
      `${WRITE}, "octets": 3}`,
      '{"on": "a", "op": "READ", "payload": "/x\\u0000"}',
    ]);
    expect(output[4]).toEqual([
      '{"on": "a", "op": "READ", "reply": "READ", "payload": "value"}',
      '{"on": "a", "event": "/x\\u0000t\\u0000"}',
      '{"on": "a", "op": "WRITE", "reply": "WRITE", "payload": "OK\\u0000"}',
    ]);
  });

  it('stops a client after any octet of a reply, and updates there', () => {
    const script = (n: number) => [
      '{"domain": 1}',
      '{"on": "1", "op": "WRITE", "payload": "data\\u0000value"}',
      `{"hold": "1", "after": ${n}}`,
      '{"on": "1", "op": "READ", "payload": "data\\u0000", "wait": false}',
      '{"liveUpdate": "v2"}',
      '{"free": "1"}',
    ];
    for (let n = 0; n <= 21; n++) {
      const { output } = driven(script(n));
      const read = '{"on": "1", "op": "READ", "reply": "READ", "payload": "value"}';
      expect(output[4]).toEqual(n < 21 ? ['{"liveUpdate": "ok"}'] : ['{"liveUpdate": "ok"}', read]);
      expect(output[5]).toEqual(n < 21 ? ['{"free": "1"}', read] : ['{"free": "1"}']);
    }
  });

  it('lets something happen at a step of what is going on, and never later than its end', () => {
    const seen = Array.from({ length: 40 }, (_, i) => {
      const { output } = driven([
        '{"domain": 1}',
        '{"socket": "a"}',
        '{"socket": "b"}',
        '{"on": "b", "op": "WRITE", "payload": "/local/domain/1/x\\u0000v", "wait": false}',
        `{"on": "a", "op": "READ", "payload": "/local/domain/1/x\\u0000", "atStep": ${i + 1}}`,
      ]);
      expect(output[4]).toHaveLength(3); // what was sent, and the replies to both
      return output[4]!.some((line) => line.includes('"reply": "READ"'));
    });
    // Early, nothing is there; late, it is. There is one moment at which that changes.
    expect(new Set(seen)).toEqual(new Set([true, false]));
    expect(seen).toEqual([...seen].sort((a, b) => Number(a) - Number(b)));
  });

  it('tells of a live update when it is answered', () => {
    const { output } = driven([
      '{"domain": 1}',
      START,
      '{"liveUpdate": "v2", "timeout": 60, "wait": false}',
      '{"on": "1", "op": "READ", "payload": "data\\u0000", "tx": "t"}',
      END,
    ]);
    expect(output[2]).toEqual(['{"liveUpdate": "asked"}']);
    expect(output[3]).toEqual(['{"on": "1", "op": "READ", "reply": "ERROR", "payload": "ENOENT\\u0000"}']);
    expect(output[4]!.at(-1)).toBe('{"liveUpdate": "ok"}'); // it has waited for the transaction
  });

  it('has the policy that it was given', () => {
    const lines = ['{"domain": 1}', START, '{"liveUpdate": "v2"}', END];
    expect(driven(lines, { policy: 'carry' }).output[2]).toEqual(['{"liveUpdate": "ok"}']);
    expect(driven(lines, { policy: 'daemon' }).output[2]![0]).toMatch(/failed/);
  });
});

describe('what a script expects', () => {
  const SAID = ['{"socket": "a"}', '{"on": "a", "op": "READ", "payload": "/x\\u0000"}'];

  it.each([
    '{"expect": {"reply": "ERROR"}}',
    '{"expect": {"payload": "ENOENT\\u0000"}}',
    '{"expect": {"payload": {"shown": "ENOENT "}}}',
    '{"expect": {"payload": {"like": "^ENO[A-Z]+.$"}}}',
    '{"expect": [{"on": "a", "reply": "ERROR"}]}',
    '{"expect": {"socket": "a"}, "ever": true}',
    '{"never": {"reply": "READ"}}',
  ])('%s holds', (line) => {
    expect(driven([...SAID, line]).disappointments).toEqual([]);
  });

  it.each([
    ['{"expect": {"reply": "READ"}}', /^expected \{"reply":"READ"\}, came \{"on": "a"/],
    ['{"expect": {"payload": {"shown": "ENOENT"}}}', /^expected/],
    ['{"expect": {"nothing": {"like": "x"}}}', /^expected/],
    ['{"expect": []}', /^expected exactly nothing, came/],
    ['{"expect": [{"on": "a"}, {"on": "a"}]}', /^expected exactly/],
    ['{"expect": {"socket": "a"}}', /^expected/],
    ['{"never": {"reply": "ERROR"}}', /^never expected \{"reply":"ERROR"\}, came \{"on": "a"/],
  ])('%s does not', (line, reason) => {
    expect(driven([...SAID, line]).disappointments).toEqual([expect.stringMatching(reason)]);
  });
});
