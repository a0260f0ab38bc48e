import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-cli-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const STREAMS = join(import.meta.dirname, '../../vectors/streams');
const QUICK = ['--set', 'requests=1500', '--set', 'updates=3'];

describe('xenarium run', () => {
  it('prints the same octets for the same seed, and others for another', () => {
    const a = xenarium('run', '--seed', '7', '--json', ...QUICK);
    const b = xenarium('run', '--seed', '7', '--json', ...QUICK);
    const c = xenarium('run', '--seed', '8', '--json', ...QUICK);
    expect(a.code).toBe(0);
    expect(a.out).toBe(b.out);
    expect(JSON.parse(c.out).digest).not.toBe(JSON.parse(a.out).digest);
  });

  it('gives programs one object with what they need', () => {
    const record = JSON.parse(xenarium('run', 'live-update-mid-traffic', '--json', ...QUICK).out);
    expect(record).toMatchObject({
      record: 'xenarium-run',
      outcome: 'pass',
      seed: '1',
      format: 'v2',
      settings: { requests: 1500 },
    });
    expect(record.updates).toHaveLength(3);
    expect(record.checks.map((c: { invariant: string }) => c.invariant)).toEqual([
      'ring-octets',
      'replies',
      'watch-events',
      'transactions',
      'final-tree',
      'mappings',
      'toolstack',
    ]);
    expect(record.replay).toContain('--seed 1 --format v2 --set domains=12 --set requests=1500');
  });

  it('writes the trace as JSON Lines', () => {
    const file = join(dir, 'trace');
    expect(xenarium('run', '--trace', file, ...QUICK).code).toBe(0);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(10_000);
    const kinds = new Set(lines.map((line) => JSON.parse(line).kind));
    expect([...kinds].sort()).toEqual(['grant', 'index', 'life', 'port', 'send', 'socket', 'store']);
  });

  it.each([
    [['run', 'nothing'], /no scenario 'nothing'/],
    [['run', '--set', 'domains'], /--set domains/],
    [['run', '--set', 'nothing=1'], /has the settings domains, requests/],
    [['run', '--set', 'policy=maybe'], /one of carry, daemon/],
    [['run', '--set', 'domains=-1'], /whole number/],
    [['run', '--seed', '1x'], /decimal digits/],
    [['run', '--seed', '01'], /decimal digits/],
    [['run', '--format', 'v9'], /no format 'v9'/],
    [['run', '--trace', '/nowhere/at/all'], /--trace \/nowhere\/at\/all/],
    [['frobnicate', 'x', 'y'], /error/],
    [['image', 'decode', '/nowhere'], /no such file/],
    [['drive', '/nowhere'], /nowhere: no such file/],
    [['drive', '-', '--policy', 'maybe'], /one of daemon, carry/],
    [['sweep', '--seeds', '5..1'], /two numbers/],
  ])('%j is bad usage: exit 2 with the reason', (args, reason) => {
    const { code, err, out } = xenarium(...args);
    expect(code).toBe(2);
    expect(err).toMatch(reason);
    expect(out).toBe('');
  });
});

describe('xenarium sweep', () => {
  it('prints the same whatever the number of threads', () => {
    const alone = xenarium('sweep', '--seeds', '3..9', '--jobs', '1', ...QUICK);
    const together = xenarium('sweep', '--seeds', '3..9', '--jobs', '3', ...QUICK);
    expect(alone.code).toBe(0);
    expect(alone.out).toMatch(
      /^marks \(in seeds\): update 21 \(7\), .*\n(never reached: .*\n)?7 seeds, [0-9]+ requests, 0 failed\n$/,
    );
    expect(together).toEqual(alone);
  });

  it('refuses a number of threads that is none', () => {
    expect(xenarium('sweep', '--jobs', '0')).toMatchObject({ code: 2, out: '' });
  });
});

describe('xenarium list', () => {
  it('names scenarios and settings', () => {
    const { code, out } = xenarium('list');
    expect(code).toBe(0);
    expect(out).toMatch(/^live-update-mid-traffic\n/);
    expect(out).toContain('policy=carry');
    expect(JSON.parse(xenarium('list', '--json').out)[0].name).toBe('live-update-mid-traffic');
  });
});

describe('xenarium image decode', () => {
  it.each(readdirSync(STREAMS).filter((f) => f.endsWith('.bin')))('prints %s record by record', (file) => {
    const { code, out } = xenarium('image', 'decode', join(STREAMS, file));
    expect(code).toBe(0);
    expect(out).toMatch(/xenstore image version [12], little endian/);
    expect(out).toContain('GLOBAL_DATA');
    expect(out).toMatch(/CONTROL req_id \d+ tx_id 0 len 3 "OK/);
    expect(out).toMatch(/\bEND\b/);
    const json = JSON.parse(xenarium('image', 'decode', '--json', join(STREAMS, file)).out);
    expect(json.records.at(-1)).toMatchObject({ kind: 'END' });
  });

  it('says where and why an image is broken', () => {
    const file = join(dir, 'cut');
    writeFileSync(file, readFileSync(join(STREAMS, 'c-4.22-nodes.bin')).subarray(0, 1_000));
    const { code, err } = xenarium('image', 'decode', file);
    expect(code).toBe(1);
    expect(err).toMatch(/offset \d+ .*record \d+/);
  });
});

describe('xenarium drive', () => {
  const script = (...lines: readonly unknown[]) => {
    const file = join(dir, 'script.jsonl');
    writeFileSync(file, lines.map((l) => (typeof l === 'string' ? l : JSON.stringify(l))).join('\n'));
    return file;
  };

  it('prints what clients see, one line a thing', () => {
    const file = script(
      { socket: 'a' },
      { domain: 1 },
      { on: '1', op: 'WATCH', payload: 'data\0tok\0' },
      { on: 'a', op: 'WRITE', payload: '/local/domain/1/data/x\0\u00ff' },
      { on: '1', op: 'READ', payload: 'data/x\0' },
      { on: 'a', op: 'TRANSACTION_START', payload: '\0', as: 't' },
      { on: 'a', op: 'READ', payload: '/tool\0', tx: 't' },
      { on: 'a', op: 'READ', payload: '/tool\0', tx: 'never' },
      { on: 'a', op: 99, payload: '' },
      { on: '1', raw: 'x' },
      { liveUpdate: 'v2' },
      { on: 'a', op: 'TRANSACTION_END', payload: 'F\0', tx: 't' },
      { liveUpdate: 'v2' },
      { destroy: 1 },
      { on: '1', op: 'READ', payload: 'x\0' },
      { close: 'a' },
      { on: 'a', op: 'READ', payload: 'x\0' },
    );
    const { code, out } = xenarium('drive', file);
    expect(code).toBe(0);
    expect(out.trimEnd().split('\n')).toEqual([
      '{"socket": "a"}',
      '{"domain": 1, "reply": "INTRODUCE"}',
      '{"on": "1", "op": "WATCH", "reply": "WATCH", "payload": "OK\\u0000"}',
      '{"on": "1", "event": "data\\u0000tok\\u0000"}',
      '{"on": "a", "op": "WRITE", "reply": "WRITE", "payload": "OK\\u0000"}',
      '{"on": "1", "event": "data/x\\u0000tok\\u0000"}',
      '{"on": "1", "op": "READ", "reply": "READ", "payload": "\\u00ff"}',
      '{"on": "a", "op": "TRANSACTION_START", "reply": "TRANSACTION_START", "payload": "<t>\\u0000"}',
      '{"on": "a", "op": "READ", "reply": "READ", "payload": ""}',
      '{"on": "a", "op": "READ", "reply": "ERROR", "payload": "ENOENT\\u0000"}',
      '{"on": "a", "op": 99, "reply": "ERROR", "payload": "ENOSYS\\u0000"}',
      '{"on": "1", "raw": 1}',
      '{"liveUpdate": "failed", "reason": "Domains with long running transactions:\\u000aDomain 0: 0 s"}',
      '{"on": "a", "op": "TRANSACTION_END", "reply": "TRANSACTION_END", "payload": "OK\\u0000"}',
      '{"liveUpdate": "ok"}',
      '{"destroy": 1}',
      '{"on": "1", "gone": true}',
      '{"close": "a"}',
      '{"on": "a", "gone": true}',
    ]);
  });

  it('ends with 1 where what a script expects did not come, and says what came instead', () => {
    const file = script(
      { domain: 1 },
      { on: '1', op: 'WRITE', payload: 'x\0y' },
      { expect: { on: '1', reply: 'ERROR' } },
      { on: '1', op: 'READ', payload: 'x\0' },
      { expect: { payload: 'y' } },
    );
    const { code, out, err } = xenarium('drive', file);
    expect(code).toBe(1);
    expect(out.trimEnd().split('\n')).toHaveLength(3);
    expect(err).toMatch(/script\.jsonl:3: expected \{"on":"1","reply":"ERROR"\}, came \{"on": "1", "op": "WRITE"/);
    expect(err).not.toMatch(/:5:/);
  });

  it('runs what comes before a line that is not understood, and names file, line and reason', () => {
    const file = script({ socket: 'a' }, '{"on": "a", "op": "FROB"}', { close: 'a' });
    const { code, out, err } = xenarium('drive', file);
    expect(code).toBe(2);
    expect(out).toBe('{"socket": "a"}\n');
    expect(err).toMatch(/script\.jsonl:2: op/);
  });
});
