import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../../scenarios/catalogue/index.ts';
import { base64, octetsIn, packed, unpacked } from '../../../../scenarios/report/page/columns.ts';
import { KIND } from '../../../../scenarios/report/page/layout.ts';
import { pageOf } from '../../../../scenarios/report/page/page.ts';
import { pageDataOf } from '../../../../scenarios/report/page/page-data.ts';
import { HOSTILE, smallRun } from './small-run.ts';

const PARTS = { script: 'draw("</script>")', style: 'body { margin: 0 }' };

describe('numbers and octets of a page', () => {
  it('read back as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
        expect([...unpacked(packed(numbers), numbers.length)]).toEqual(numbers);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(octetsIn(base64(bytes))).toEqual(bytes);
      }),
    );
  });

  it.each([
    ['', ''],
    ['f', 'Zg=='],
    ['fo', 'Zm8='],
    ['foobar', 'Zm9vYmFy'],
  ])('have RFC 4648 for %j', (text, expected) => {
    expect(base64(Uint8Array.from(text, (letter) => letter.charCodeAt(0)))).toBe(expected);
  });
});

describe('what the page of a run holds', () => {
  const { result, at } = smallRun();
  const data = pageDataOf(result);
  const column = (name: keyof typeof data.columns) => unpacked(data.columns[name], data.count);
  const link = (name: 'served' | 'reply' | 'asked' | 'written' | 'cause', from: number, sign: number) =>
    from + sign * (column(name)[from] as number);

  it('is every record, on the lane of who did it', () => {
    expect(data.count).toBe(result.history?.records.length);
    const kinds = [...column('kind')];
    expect([KIND.sent, KIND.got, KIND.event].map((kind) => kinds.filter((each) => each === kind).length)).toEqual([
      2, 2, 1,
    ]);
    const laneAt = (record: number) => data.lanes[column('lane')[record] as number]?.name;
    expect([at.write, at.served, at.event].map((record) => laneAt(record as number))).toEqual([
      'dom0',
      'xenstored',
      'domU1',
    ]);
    expect([...column('ns')].slice(1).every((ns) => ns === 1000)).toBe(true);
  });

  it('has arrows from a request to the store, from there to its answer, and to the event that tells of it', () => {
    expect(link('served', at.write as number, 1)).toBe(at.served);
    expect(link('reply', at.write as number, 1)).toBe(at.answer);
    expect(link('asked', at.answer as number, -1)).toBe(at.write);
    expect(link('written', at.event as number, -1)).toBe(at.eventPut);
  });

  it('takes no refused request for what an event tells of', () => {
    // The WRITE came to EIO: what is left is the setting of the watch.
    expect(link('cause', at.event as number, -1)).toBe((at.watch as number) + 1);
  });

  it('has the live update as a band, and the finding with everything that led to it', () => {
    const { dump = 0, up = 0, answer = 0, write = 0, served = 0, answerPut = 0 } = at;
    expect(data.bands).toMatchObject([{ kind: 'update', first: dump, last: up, fromNs: dump * 1000, toNs: up * 1000 }]);
    expect(data.bands[0]?.text).toContain('3 transactions open');
    expect(data.start).toBe(answer);
    expect(data.findings).toMatchObject([{ name: 'transactions', at: answer, bands: [0] }]);
    expect(data.findings[0]?.chain.map(([record]) => record)).toEqual([write, dump, up, served, answerPut, answer]);
  });

  it('stands at the first live update, where every check holds', () => {
    const passed = pageDataOf({ ...result, outcome: 'pass', verdicts: [] });
    expect(passed.findings).toEqual([]);
    expect(passed.start).toBe(at.up);
  });

  it('is nothing but its facts, for a run that never began', () => {
    const never = pageDataOf({ ...result, history: undefined, outcome: 'error', verdicts: [], updates: [] });
    expect(never).toMatchObject({ count: 0, lanes: [], start: 0 });
    expect(never.findings).toMatchObject([{ name: 'error' }]);
  });

  it('cannot end its element, whatever guests have written', () => {
    const page = pageOf(data, PARTS);
    expect(page.match(/<\/script/g)).toHaveLength(2);
    expect(page).not.toContain('\x1b');
    expect(data.findings[0]?.detail).toContain('</script>');
    const [, json = ''] = /id="run">(.*?)<\/script>/s.exec(page) ?? [];
    expect(JSON.parse(json)).toEqual(data);
    expect(new TextDecoder('latin1').decode(octetsIn(data.conns[0]?.req ?? ''))).toContain(HOSTILE);
  });

  const runOf = (name: string, settings: Readonly<Record<string, number>>) => {
    const scenario = SCENARIOS.find((each) => each.name === name);
    return scenario!.run({ seed: '3', format: 'v2', settings, checks: true });
  };

  it('is the same octets for the same run', () => {
    const once = () =>
      pageOf(
        pageDataOf(runOf('live-update-mid-traffic', { domains: 3, requests: 200, updates: 1 }), { token: 'XS1-T' }),
        PARTS,
      );
    const first = once();
    expect(first === once()).toBe(true);
  });

  it('has several hosts on one time, and migrations as bands over two of them', () => {
    const run = runOf('migrate-mid-traffic', { domains: 3, migrations: 1, requests: 200, block: 30, net: 30 });
    const page = pageDataOf(run);
    expect(page.hosts).toEqual(run.hosts?.map(({ name }) => name));
    const migrations = page.bands.filter(({ kind }) => kind === 'migration');
    expect(migrations.map(({ name }) => name)).toEqual(run.migrations?.map(({ n }) => `migration #${n}`));
    expect(migrations.every(({ hosts }) => hosts.length === 2)).toBe(true);
    expect(new Set(page.lanes.map(({ host }) => host)).size).toBe(page.hosts.length);
    expect(page.count).toBe(run.hosts?.reduce((sum, { history }) => sum + (history?.records.length ?? 0), 0));
  });
});
