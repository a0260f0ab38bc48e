import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../../scenarios/catalogue/index.ts';
import type { RunResult } from '../../../../scenarios/engine/scenario.ts';
import type { History, HistoryRecord } from '../../../../scenarios/judge/history.ts';
import { pcapngOf } from '../../../../scenarios/report/trace/index.ts';
import { has } from '../../../support/needs.ts';

const DISSECTOR = join(import.meta.dirname, '../../../../docs/wireshark/xenstore.lua');
const dir = mkdtempSync(join(tmpdir(), 'xenarium-pcapng-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function runOf(name: string, settings: Record<string, number | string>, format = 'v2', seed = '1'): RunResult {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) throw new Error(name);
  return scenario.run({ seed, format, settings, checks: true });
}

function fileOf(result: RunResult): Uint8Array {
  return Buffer.concat([...pcapngOf(result, 'xenarium test')]);
}

/** Each message with the record of its last octet, found in the plainest way. */
function messagesIn({ records, epochs }: History): { readonly seq: number; readonly conn: number }[] {
  const found: { seq: number; conn: number }[] = [];
  const held = new Map<string, Buffer>();
  for (const record of records) {
    if (record.kind !== 'publish' && record.kind !== 'consume') continue;
    const { conn, dir, seq, bytes } = record;
    if (record.kind !== (dir === 'req' && epochs[conn]?.isHostile === true ? 'consume' : 'publish')) continue;
    let octets = Buffer.concat([held.get(`${conn} ${dir}`) ?? Buffer.of(), bytes]);
    while (octets.length >= 16 && octets.length >= 16 + octets.readUInt32LE(12)) {
      found.push({ seq, conn });
      octets = octets.subarray(16 + octets.readUInt32LE(12));
    }
    held.set(`${conn} ${dir}`, octets);
  }
  return found;
}

/** What tshark prints of these fields, a row a frame. `-2`: it reads the file twice, so that requests know their replies. */
function tshark(file: string, filter: string, fields: readonly string[]): string[][] {
  const args = ['-n', '-2', '-X', `lua_script:${DISSECTOR}`, '-r', file, '-Y', filter, '-T', 'fields'];
  const { status, stdout, stderr } = spawnSync('tshark', [...args, ...fields.flatMap((field) => ['-e', field])], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  expect(stderr.replace(/^Running as user.*\n?/gm, '')).toBe('');
  expect(status).toBe(0);
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

const only = <K extends HistoryRecord['kind']>(history: History, kind: K) =>
  history.records.filter((record): record is Extract<HistoryRecord, { kind: K }> => record.kind === kind);

describe('a pcapng file of a run', () => {
  it('has the same octets for the same run, and other octets for another', () => {
    const quick = { requests: 100, updates: 1, domains: 2 };
    const [a, b] = [1, 2].map(() => Buffer.from(fileOf(runOf('live-update-mid-traffic', quick))));
    const c = Buffer.from(fileOf(runOf('live-update-mid-traffic', quick, 'v2', '2')));
    expect(a?.equals(b as Buffer)).toBe(true);
    expect(a?.equals(c)).toBe(false);
  });

  it('is blocks whose lengths stand at both their ends', () => {
    const octets = fileOf(runOf('live-update-mid-traffic', { requests: 100, updates: 1, domains: 2 }));
    const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    const types: number[] = [];
    for (let at = 0; at < octets.length; ) {
      const length = view.getUint32(at + 4, true);
      expect(length % 4).toBe(0);
      expect(view.getUint32(at + length - 4, true)).toBe(length);
      types.push(view.getUint32(at, true));
      at += length;
    }
    expect(types.slice(0, 3)).toEqual([0x0a0d0d0a, 1, 6]);
    expect(new Set(types.slice(2))).toEqual(new Set([6]));
  });
});

/** Of each frame, so that tshark has to read the file once. */
const FIELDS = [
  ...['frame.number', 'frame.time_epoch', 'frame.interface_name', 'frame.comment', '_ws.malformed', '_ws.lua.error'],
  ...[
    'kind',
    'type',
    'seq',
    'conn',
    'cut',
    'conn.hostile',
    'split.read',
    'split.written',
    'happening',
    'happening.text',
  ],
  ...['response_in', 'response_to', 'time', 'error', 'request_type', 'token', 'watch_in', 'tx_id', 'tx_start_in'],
  ...['path', 'perm', 'perm.domid', 'control.command', 'control.argument', 'domid', 'evtchn', 'unanswered'],
  ...['unterminated', 'unasked', 'short', 'overlong', 'unknown_type', 'version', 'finding'].map(
    (name) => `expert.${name}`,
  ),
].map((name) => (/^(frame|_ws)\./.test(name) ? name : `xenstore.${name}`));

type Row = Readonly<Record<string, string>>;

/** Each frame's fields by name, without `xenstore.` before it. */
function framesIn(result: RunResult, name: string): Row[] {
  const file = join(dir, name);
  writeFileSync(file, fileOf(result));
  return tshark(file, 'xenstore', FIELDS).map((row) =>
    Object.fromEntries(FIELDS.map((field, i) => [field.replace('xenstore.', ''), row[i] as string])),
  );
}

/** What must not be in the messages of those who keep the rules. */
function wrongIn(rows: readonly Row[]): Row[] {
  const wrong = ['_ws.malformed', '_ws.lua.error', 'unanswered'].concat(
    ['unterminated', 'unasked', 'short', 'overlong', 'unknown_type', 'version'].map((name) => `expert.${name}`),
  );
  return rows.filter((row) => wrong.some((field) => row[field] !== ''));
}

const ns = (text: string | undefined) => BigInt((text as string).replace('.', ''));

describe.skipIf(!has('the Wireshark dissector', 'tshark'))('the dissector in tshark', () => {
  const file = join(dir, 'run.pcapng');
  let result: RunResult;
  let history: History;
  let rows: readonly Row[];
  let messages: readonly Row[];

  beforeAll(() => {
    result = runOf('live-update-mid-traffic', { requests: 600, updates: 3, domains: 4 });
    history = result.history as History;
    rows = framesIn(result, 'run.pcapng');
    messages = rows.filter(({ kind }) => kind !== '3');
  });

  it('counts each type of message as the run does', () => {
    const typesOf = (...kinds: string[]) =>
      tally(messages.filter(({ kind }) => kinds.includes(kind as string)).map(({ type }) => type as string));
    const sent = only(history, 'sent').map(({ type }) => String(type));
    expect(typesOf('0')).toEqual(tally(sent));
    expect(typesOf('1', '2')).toEqual(tally(only(history, 'got').map(({ type }) => String(type))));
    expect(sent.length).toBe(result.requests);
  });

  it('finds no message malformed, no string without its end, and no reply without its request', () => {
    expect(wrongIn(rows)).toEqual([]);
  });

  it('gives each message the number of the record that completed it, and the virtual time', () => {
    const expected = messagesIn(history).map(({ seq, conn }) => `${seq} ${conn}`);
    expect(messages.map(({ seq, conn }) => `${seq} ${conn}`).sort()).toEqual(expected.sort());
    for (const { seq, 'frame.time_epoch': time } of messages)
      expect(ns(time) - 946_684_800_000_000_000n).toBe(BigInt(history.records[Number(seq)]?.timeNs as number));
  });

  it('matches each request with its reply, to the nanosecond', () => {
    const byFrame = new Map(messages.map((row) => [row['frame.number'], row]));
    const replies = messages.filter(({ kind }) => kind === '1');
    expect(replies.length).toBe(result.replies);
    for (const { 'frame.number': frame, 'frame.time_epoch': time, response_to: to, time: took } of replies) {
      const request = byFrame.get(to);
      expect(request?.response_in).toBe(frame);
      expect(ns(time) - ns(request?.['frame.time_epoch'])).toBe(ns(took));
    }
  });

  it('finds errors by name, with what was asked', () => {
    const errors = only(history, 'got').filter(({ type }) => type === 16);
    const named = errors.map(({ payload }) => Buffer.from(payload).toString('latin1').replace('\0', ''));
    const found = messages.filter(({ error }) => error !== '');
    expect(named.length).toBeGreaterThan(5);
    expect(tally(found.map(({ error }) => error as string))).toEqual(tally(named));
    expect(found.every(({ request_type: type }) => type !== '')).toBe(true);
    const filtered = tshark(file, 'xenstore.error == "ENOENT" and xenstore.response_to', ['frame.number']);
    expect(filtered.length).toBe(named.filter((name) => name === 'ENOENT').length);
  });

  it('knows the WATCH of each event, and the START of what is in a transaction', () => {
    const byFrame = new Map(messages.map((row) => [row['frame.number'], row]));
    const events = messages.filter(({ kind }) => kind === '2');
    expect(events.length).toBeGreaterThan(20);
    for (const { token, watch_in: watch } of events)
      expect(byFrame.get(watch)).toMatchObject({ kind: '0', type: '4', token });
    const inside = messages.filter(({ tx_id: id }) => id !== '0');
    expect(inside.length).toBeGreaterThan(20);
    for (const { tx_start_in: start } of inside) expect(byFrame.get(start)).toMatchObject({ kind: '0', type: '6' });
  });

  it('finds messages that lie across a live update, and each phase of it', () => {
    const said = rows.filter(({ happening }) => happening === 'live-update');
    expect(said.filter(({ 'happening.text': text }) => /dump/.test(text as string))).toHaveLength(
      result.updates.length,
    );
    for (const row of said) expect(row['frame.comment']).toBe(`live-update: ${row['happening.text']}`);
    const across = messages.filter((row) => row['split.read'] === '1' || row['split.written'] === '1');
    expect(across.length).toBeGreaterThan(0);
    for (const row of across) expect(row['frame.comment']).toMatch(/(read|written) across live update #[123]/);
  });

  it('takes paths, values, permissions and arguments apart', () => {
    const requests = messages.filter(({ kind }) => kind === '0');
    const first = requests.find(({ type }) => type === '14');
    expect(first).toMatchObject({ path: '/shared', perm: 'b0', 'perm.domid': '0' });
    const updates = requests.filter(({ 'control.command': command }) => command === 'live-update');
    expect(updates.some(({ 'control.argument': argument }) => argument?.startsWith('-f,/usr/'))).toBe(true);
    expect(requests.filter(({ type, evtchn }) => type === '8' && evtchn !== '').length).toBe(result.domainsCreated);
    const name = tshark(file, 'xenstore.path == "/local/domain/0/name" and xenstore.value.text == "Domain-0"', [
      'xenstore.type',
    ]);
    expect(name).toEqual([['11']]);
  });

  it('shows findings where they were made', () => {
    const found = { invariant: 'replies', seq: 500, timeNs: 0, actor: 'domU1/w', request: 'READ', detail: 'no reply' };
    const verdict = { invariant: 'replies', claim: '', source: '', checked: [], violations: [found] };
    const shown = framesIn({ ...result, verdicts: [verdict] }, 'finding.pcapng').filter((row) => row['expert.finding']);
    expect(shown).toMatchObject([{ seq: '500', 'happening.text': 'replies: domU1/w READ: no reply' }]);
  });

  it('reads what hostile guests write without losing its way', () => {
    const hostile = runOf('hostile-guests', { requests: 500 });
    const frames = framesIn(hostile, 'hostile.pcapng');
    expect(frames.filter((row) => row['_ws.malformed'] || row['_ws.lua.error'] || row['expert.version'])).toEqual([]);
    expect(frames.filter((row) => row['conn.hostile'] === '1').length).toBeGreaterThan(20);
    const whole = frames.filter(({ type, cut }) => type !== '' && cut !== '1');
    expect(whole.length).toBe(messagesIn(hostile.history as History).length);
  });

  it('has an interface for each host of a run on several, with its migrations', () => {
    const moved = runOf('migrate-mid-traffic', { domains: 2, migrations: 1, requests: 300, block: 20, net: 20 });
    const frames = framesIn(moved, 'moved.pcapng');
    const hosts = new Set(frames.map((row) => row['frame.interface_name']));
    expect([...hosts].sort()).toEqual(moved.hosts?.map((host) => host.name).sort());
    const said = frames.filter(({ happening }) => happening === 'migration');
    expect(said.length).toBe(2 * (moved.migrations?.length ?? 0));
    expect(said.length).toBeGreaterThan(0);
    expect(frames.filter((row) => row['_ws.malformed'] || row['_ws.lua.error'] || row['expert.unasked'])).toEqual([]);
  });
});
