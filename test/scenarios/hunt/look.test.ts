import { describe, expect, it } from 'vitest';
import { migrateMidTraffic } from '../../../scenarios/catalogue/migrate-mid-traffic.ts';
import { completeSettings } from '../../../scenarios/engine/settings.ts';
import { EventLog, type LoggedEvent } from '../../../scenarios/hunt/event-log.ts';
import { momentsOf } from '../../../scenarios/hunt/look/moments.ts';
import { names, touches } from '../../../scenarios/hunt/look/questions.ts';
import { runnerOf } from '../../../scenarios/hunt/spec.ts';
import { storyOf } from '../../../scenarios/hunt/story.ts';
import { violationsOf } from '../../../scenarios/report/cause.ts';
import { historiesOf, historyOf } from '../../../scenarios/report/histories.ts';
import { xenarium } from '../../support/cli.ts';

const SMALL = { domains: 2, requests: 400, migrations: 1, block: 50, net: 50, updates: 1 };
const SPEC = {
  scenario: migrateMidTraffic.name,
  seed: '1',
  format: 'v2',
  settings: completeSettings(migrateMidTraffic.settings, SMALL),
};
const SEQS = [400, 100, 1e9];

describe('a run of two hosts', () => {
  const { result, moments } = momentsOf(runnerOf([migrateMidTraffic]), SPEC, SEQS);
  const hosts = historiesOf(result);

  it('is looked into on each of them, by the numbers of its own history', () => {
    expect(hosts.map(({ name }) => name)).toEqual(['alpha', 'beta']);
    for (const [i, { history }] of hosts.entries()) {
      const { records } = history;
      expect(records.length).toBeGreaterThan(1_000);
      const [late, early, end] = moments[i]!;
      // What a client says is no event of the trace: the moment is that of the next one, which says how far the history is.
      for (const [at, seq] of [
        [late!, 400],
        [early!, 100],
      ] as const) {
        expect(at.seq).toBeGreaterThan(seq);
        expect(at.seq).toBeLessThan(seq + 10);
        expect(at.timeNs).toBeGreaterThanOrEqual(records[at.seq - 1]!.timeNs);
        expect(at.timeNs).toBeLessThanOrEqual(records[at.seq]!.timeNs);
      }
      expect(end!.seq).toBe(records.length);
    }
    const guests = (i: number) => [...moments[i]!.at(-1)!.things.keys()].filter((name) => /^domain [1-9]/.test(name));
    expect(guests(0)).not.toEqual(guests(1));
  });

  it('knows who asked for anything on which of them', () => {
    const [alpha, beta] = hosts.map(({ history }) => names(history));
    expect([...alpha!].some((name) => name.startsWith('dom0/xl-migrate-'))).toBe(true);
    expect([...beta!].some((name) => name.startsWith('dom0/xl-migrate-receive'))).toBe(true);
    const { history } = hosts[1]!;
    const moved = [...beta!].find((name) => name.startsWith('domU'))!;
    const own = history.records.filter((record) => touches(history, record, { conn: moved }) && 'conn' in record);
    expect(own.length).toBeGreaterThan(0);
    for (const record of own) expect('conn' in record && history.epochs[record.conn]?.name).toMatch(/^domU/);
  });

  it('has an event log of all hosts', () => {
    const events: LoggedEvent[] = [];
    const log = new EventLog({ from: 20_000, to: 24_000 }, (event) => events.push(event));
    const { digest } = runnerOf([migrateMidTraffic])(SPEC, log.extras);
    log.end(digest);
    expect(events).toHaveLength(4_000);
    for (const pattern of [/ ns {2}host 1: /, / ns {2}(?!host )/])
      expect(events.filter(({ text }) => pattern.test(text)).length).toBeGreaterThan(100);
    expect(events.filter(({ text }) => text === '(unseen)')).toEqual([]);
  });

  it('is told as one story, in the order of time', () => {
    const lines = storyOf(result);
    const times = lines.map((line) => Number(line.split(' us  ')[0]));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    for (const name of ['alpha', 'beta']) expect(lines.some((line) => line.includes(` on ${name}, `))).toBe(true);
  });

  it('names its first violation by time, and whose number it bears', () => {
    const violation = (host: number, seq: number, timeNs: number) => {
      return { invariant: 'replies', host, seq, timeNs, actor: '', request: '', detail: '' };
    };
    const verdict = { invariant: 'replies', claim: '', source: '', checked: [] };
    const violations = [violation(0, 10, 900), violation(1, 5_000, 200)];
    const [first] = violationsOf({ verdicts: [{ ...verdict, violations }] });
    expect(first).toMatchObject({ host: 1, seq: 5_000 });
    expect(historyOf(result, first!)).toBe(hosts[1]!.history);
  });
});

describe('show', () => {
  const set = Object.entries(SMALL).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const { token } = JSON.parse(xenarium('run', migrateMidTraffic.name, ...set, '--json').out);
  const refused = (...args: readonly string[]) => {
    const { code, err } = xenarium('show', token, ...args);
    return [code, err.trim()];
  };

  it('asks for the host where there are several, and for what there is', () => {
    expect(refused('--at', '400')).toEqual([
      2,
      'xenarium: --at: each host has numbers of its own; say --host alpha or beta',
    ]);
    expect(refused('--host', 'gamma', '--at', '400')[1]).toBe('xenarium: --host gamma: the hosts are alpha, beta');
    expect(refused('--host', 'beta', '--at', '99999999')[1]).toMatch(
      /^xenarium: --at 99999999: the last record of the history of beta is \d+$/,
    );
    expect(refused('--conn', 'domU7')[1]).toMatch(
      /^xenarium: --conn domU7: nobody of that name asks the store for anything \(did you mean domU\d.*\?\); there are dom0, /,
    );
  });

  it('shows what it is asked for of that host', () => {
    expect(xenarium('show', token, '--host', 'beta', '--around', '400').out).toMatch(/^> +400 {2}/m);
    expect(xenarium('show', token, '--path', '/nowhere').out).toBe('alpha\n  nothing\nbeta\n  nothing\n');
    expect(xenarium('show', token).out).toContain(' --host beta --update 1\n');
  });
});
