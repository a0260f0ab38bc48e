import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../../scenarios/catalogue/index.ts';
import type { Settings } from '../../../../scenarios/engine/settings.ts';
import type { History, HistoryRecord } from '../../../../scenarios/judge/history.ts';
import { INSTALLED_DAEMONS } from '../../../../scenarios/real/conform/standin.ts';
import { compareRun } from '../../../../scenarios/real/follow/comparison.ts';
import { besideOf, differenceLines } from '../../../../scenarios/real/follow/difference.ts';
import { RealDaemon } from '../../../../scenarios/real/lockstep/daemon.ts';
import { runOn } from '../../../../scenarios/real/lockstep/run-on.ts';
import { HEADER_BYTES, XS } from '../../../../store/protocol/wire.ts';
import { daemonIsMissing } from '../../../support/needs.ts';

const { xenstored, oxenstored } = INSTALLED_DAEMONS;
const isMissing = await daemonIsMissing('a scenario on a real daemon, beside ours', xenstored);
const hasNoOxenstored = await daemonIsMissing('a scenario on a real oxenstored, beside ours', oxenstored);

const SMALL = { domains: 4, requests: 1_200, updates: 3, policy: 'daemon', limit: 1 } as const;
/** `@`, with which special events begin. */
const AT = 0x40;

const OURS = { compat: '4.22', known: [], comparesEvents: true } as const;

function historyOf(daemon: RealDaemon | undefined, name: string, settings: Settings, seed = '1'): History {
  const scenario = SCENARIOS.find((each) => each.name === name);
  const result =
    scenario && runOn(daemon, scenario, { seed, format: daemon?.traits.format ?? 'v2', settings, checks: true });
  expect(result?.outcome).toBe('pass');
  if (result?.history === undefined) throw new Error(`no history of ${name}`);
  return result.history;
}

/** The same history, in which the payload of one message of the store is another; the place where it ends. */
function withOther(
  history: History,
  is: (header: Uint8Array, payload: Uint8Array) => boolean,
): { readonly history: History; readonly seq: number } {
  const { records } = history;
  const said = records.flatMap((record, at) => (record.kind === 'publish' && record.dir === 'rsp' ? [at] : []));
  const publishAt = (at: number) => records[at] as HistoryRecord & { readonly kind: 'publish' };
  for (const [i, at] of said.entries()) {
    const { conn, bytes: header } = publishAt(at);
    const behind = said.slice(i + 1).find((each) => publishAt(each).conn === conn);
    if (header.length !== HEADER_BYTES || behind === undefined) continue;
    const payload = publishAt(behind);
    if (payload.bytes.length === 0 || payload.bytes.length !== header[12] || !is(header, payload.bytes)) continue;
    const bytes = payload.bytes.slice();
    bytes[0] = (bytes[0] as number) ^ 1;
    return { history: { ...history, records: records.with(behind, { ...payload, bytes }) }, seq: payload.seq };
  }
  throw new Error('there is no such message');
}

describe("a run's clients, beside what ours says to the same requests in the same order", () => {
  const history = historyOf(undefined, 'live-update-mid-traffic', SMALL);

  it('finds nothing in a run of ours, updates in mid-traffic and all', () => {
    const { first, messages, connections } = compareRun(history, OURS);
    expect(first).toBeUndefined();
    expect(messages).toBeGreaterThan(1_500);
    expect(connections).toBeGreaterThan(20);
    expect(history.records.some((record) => record.kind === 'liveUpdate' && record.what === 'up')).toBe(true);
  });

  it('finds nothing where guests break their rings', () => {
    const hostile = historyOf(undefined, 'hostile-guests', { domains: 4, hostile: 8, requests: 800, limit: 1 }, '3');
    expect(compareRun(hostile, OURS).first).toBeUndefined();
  });

  it('names the answer that is another, with its request and the place', () => {
    const { history: other, seq } = withOther(history, ([type]) => type === XS.READ);
    const { first } = compareRun(other, OURS);
    expect(first?.seq).toBe(seq);
    expect(first?.request?.type).toBe(XS.READ);
    expect(first && differenceLines(first).join('\n')).toMatch(/^first difference at seq \d+, .*the answer to READ/);
  });

  it('names the event that is another', () => {
    const { history: other, seq } = withOther(history, ([type], [first]) => type === XS.WATCH_EVENT && first !== AT);
    expect(compareRun(other, OURS).first).toMatchObject({ seq, request: undefined });
  });
});

describe.skipIf(isMissing)('a real xenstored in a scenario, beside ours', () => {
  const daemon = isMissing ? undefined : new RealDaemon({ binary: xenstored });

  it.each([
    ['live-update-mid-traffic', SMALL],
    ['hostile-guests', { domains: 4, hostile: 8, requests: 800, limit: 1 }],
    ['suspend-resume', { domains: 3 }],
  ] as const)('%s: guests see of both the same', (name, settings) => {
    if (daemon === undefined) return;
    const { first, messages } = compareRun(historyOf(daemon, name, settings), besideOf(daemon.traits));
    expect(first && differenceLines(first)).toBeUndefined();
    expect(messages).toBeGreaterThan(1_000);
  });
});

describe.skipIf(hasNoOxenstored)('a real oxenstored in a scenario, beside ours', () => {
  it('answers otherwise only where it is known to', () => {
    const daemon = new RealDaemon({ binary: oxenstored });
    const history = historyOf(daemon, 'live-update-mid-traffic', { ...SMALL, updates: 0 });
    const { first, messages } = compareRun(history, besideOf(daemon.traits));
    expect(first && differenceLines(first)).toBeUndefined();
    expect(messages).toBeGreaterThan(100);
  });
});
