import { describe, expect, it } from 'vitest';
import { Driver } from '../../../scenarios/drive/drive.ts';
import { type Action, parseLine } from '../../../scenarios/drive/script.ts';

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
