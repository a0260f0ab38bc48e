import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labOf } from '../../../scenarios/cli/lab-of.ts';
import { writeReport } from '../../../scenarios/cli/report-file.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import { type PageData, pageData, pageHtml } from '../../../scenarios/report/page/index.ts';
import { XS } from '../../../store/protocol/wire.ts';
import { CHROMIUM, Page } from '../../support/browser.ts';
import { headline } from '../../support/headline.ts';
import { has } from '../../support/needs.ts';

const SOURCES = join(import.meta.dirname, '../../../scenarios/report/page');
const REPLAY = 'xenarium run --seed 1';
const folder = mkdtempSync(join(tmpdir(), 'xenarium-page-'));
const pathOf = (name: string) => join(folder, `${name}.html`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A store that loses its transactions in an update: G1 has no record for them. */
let failing: RunResult;
let data: PageData;
beforeAll(async () => {
  failing = headline({ lab: (await labOf('G1'))!, set: { requests: 1_500, updates: 2 } });
  data = pageData(failing, REPLAY);
});

describe('what a page knows of a run', () => {
  it('is the same for the same run', async () => {
    const again = headline({ lab: (await labOf('G1'))!, set: { requests: 1_500, updates: 2 } });
    expect(JSON.stringify(pageData(again, REPLAY))).toBe(JSON.stringify(data));
  });

  it('has each message that a client told of, with its octets', () => {
    const told = failing.history!.records.filter(({ kind }) => kind === 'sent' || kind === 'got');
    expect(data.messages.seq).toEqual(told.map(({ seq }) => seq));
    for (const column of Object.values(data.messages)) expect(column).toHaveLength(told.length);
    expect(data.messages.payload.map((payload) => payload.length)).toEqual(
      told.map((record) => ('payload' in record ? record.payload.length : -1)),
    );
  });

  it('links replies with requests of the same connection and number, which came before', () => {
    const { sort, peer, conn, reqId, seq, lane } = data.messages;
    const replies = sort.flatMap((each, n) => (each === 1 ? [n] : []));
    expect(replies.length).toBeGreaterThan(1_000);
    for (const n of replies) {
      const by = peer[n]!;
      expect([conn[by], reqId[by], lane[by], peer[by], seq[by]! < seq[n]!]).toEqual([
        conn[n],
        reqId[n],
        lane[n],
        n,
        true,
      ]);
    }
  });

  it('links each watch event with a request that was served before it was written', () => {
    const { sort, peer, storeNs, type } = data.messages;
    const events = sort.flatMap((each, n) => (each === 2 ? [n] : []));
    const linked = events.filter((n) => peer[n]! >= 0);
    expect(linked.length / events.length).toBeGreaterThan(0.9);
    for (const n of linked) expect(storeNs[peer[n]!]!).toBeLessThanOrEqual(storeNs[n]!);
    expect(new Set(linked.map((n) => type[peer[n]!]))).toContain(XS.TRANSACTION_END);
  });

  it('fills no ring below nothing or above what it can hold', () => {
    const rings = data.fills.filter(({ lane }) => data.lanes[lane]!.name.endsWith('(ring)'));
    expect(rings.length).toBeGreaterThan(3);
    for (const { req, rsp } of rings)
      for (const octets of [...req, ...rsp]) expect(octets >= 0 && octets <= 1_024).toBe(true);
    expect(rings.some(({ req }) => req.some((octets) => octets > 0))).toBe(true);
  });

  it('has the finding, the update that it straddles, and the transaction that led to it', () => {
    const finding = data.finding!;
    const band = data.bands[finding.band]!;
    expect(band).toMatchObject({ kind: 'update', name: 'live update #1' });
    expect(band.toNs).toBeLessThanOrEqual(finding.atNs);
    const led = finding.led.map((n) => data.messages.type[n]);
    expect(led).toContain(XS.TRANSACTION_START);
    expect(led).toContain(XS.ERROR);
    expect(Math.min(...finding.led.map((n) => data.messages.atNs[n]!))).toBeLessThan(band.fromNs);
  });

  it('cannot be left by a text of the run', () => {
    const html = pageHtml({ ...data, title: '</title><script>', about: '</script>' }, { css: '', script: '' });
    expect(html.match(/<\/?script/g)).toHaveLength(4);
    expect(html).toContain('<title>&lt;/title>');
  });
});

/** The same traffic over and over, one behind another, until there are so many points. */
function repeated(of: PageData, points: number): PageData {
  const once = of.messages.seq.length;
  const times = Math.ceil(points / (2 * once));
  const many = (column: readonly number[], by: number) =>
    Array.from({ length: times }, (_, t) => column.map((x) => (x < 0 ? x : x + t * by))).flat();
  const { messages: m, finding } = of;
  const payload = Array.from({ length: times }, () => m.payload).flat();
  const path = Array.from({ length: times }, () => m.path).flat();
  const columns = Object.fromEntries(
    (['lane', 'store', 'conn', 'sort', 'type', 'reqId', 'txId'] as const).map((key) => [key, many(m[key], 0)]),
  ) as Pick<PageData['messages'], 'lane' | 'store' | 'conn' | 'sort' | 'type' | 'reqId' | 'txId'>;
  return {
    ...of,
    endNs: of.endNs * times,
    messages: {
      ...columns,
      payload,
      path,
      seq: many(m.seq, 1e6),
      atNs: many(m.atNs, of.endNs),
      storeNs: many(m.storeNs, of.endNs),
      peer: many(m.peer, once),
    },
    ...(finding === undefined ? {} : { finding }),
  };
}

const parts = () => ({
  css: readFileSync(join(SOURCES, 'view.css'), 'utf8'),
  script: readFileSync(join(SOURCES, 'view.js'), 'utf8'),
});

describe.skipIf(!has('the page in a browser', CHROMIUM ?? 'chromium'))('the page in a browser', () => {
  let page: Page;
  const place = () => page.value<string>('document.getElementById("where").textContent');
  const side = () => page.value<string>('document.getElementById("side").textContent');
  beforeAll(async () => {
    writeReport(pathOf('failing'), failing, REPLAY);
    page = await Page.open(pathOf('failing'));
  });
  afterAll(() => page?.close());

  it('shows the violation and the update that it straddles, without scrolling', async () => {
    for (const [id, text] of [
      ['finding', 'transactions is broken at'],
      ['update', 'live update #1 from'],
    ]) {
      const seen = await page.value<{ text: string; isInSight: boolean }>(`(() => {
        const element = document.getElementById('${id}');
        const { top, bottom } = element.getBoundingClientRect();
        return { text: element.textContent, isInSight: top >= 0 && bottom <= innerHeight && element.checkVisibility() };
      })()`);
      expect(seen.text).toContain(text);
      expect(seen.isInSight).toBe(true);
    }
    expect(await page.value('document.documentElement.scrollHeight <= innerHeight')).toBe(true);
    expect(await side()).toContain('led to the finding');
  });

  it('draws the band of the update and the line of the finding', async () => {
    const colours = (name: string) =>
      page.value<number>(`(() => {
        const probe = document.body.appendChild(document.createElement('span'));
        probe.style.color = 'var(--${name})';
        const [r, g, b] = getComputedStyle(probe).color.match(/[0-9]+/g).map(Number);
        probe.remove();
        const canvas = document.getElementById('canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b) count++;
        return count;
      })()`);
    expect(await colours('band')).toBeGreaterThan(10_000);
    expect(await colours('bad')).toBeGreaterThan(300);
    expect(await colours('led')).toBeGreaterThan(30);
  });

  it('steps back and forth, by keys and by the slider', async () => {
    const before = await place();
    await page.key('ArrowRight');
    expect(await place()).not.toBe(before);
    await page.key('ArrowLeft');
    expect(await place()).toBe(before);
    await page.value('(() => { slider.value = 0; slider.oninput(); })()');
    expect(await place()).toMatch(/ 1 of /);
    await page.key('f');
    expect(await place()).toBe(before);
  });

  it('decodes the octets of what is clicked', async () => {
    const at = await page.value<{ x: number; y: number }>(`(() => {
      const { x, y } = document.getElementById('canvas').getBoundingClientRect();
      return { x, y };
    })()`);
    await page.key('f');
    await page.key('p');
    const reply = await side();
    expect(reply).toContain('its request');
    await page.click(at.x + 600, at.y + 22 + 40 + 10); // behind the host's name and the store: who led to the finding
    expect(await side()).not.toBe(reply);
    expect(await page.value('document.getElementById("octets").textContent')).toMatch(/^0000 {2}[0-9a-f]{2} 00 00 00/);
  });

  it('finds by path', async () => {
    await page.key('/');
    await page.ask('Input.insertText', { text: '/local/domain/1/device/vif' });
    expect(await page.value<string>('document.getElementById("found").textContent')).toMatch(/^[1-9][0-9]* found/);
    await page.key('Enter');
    expect(await side()).toContain('/local/domain/1/device/vif');
  });

  it('turns from light to dark', async () => {
    const back = () => page.value<string>('getComputedStyle(document.body).backgroundColor');
    const before = await back();
    await page.key('Escape');
    await page.key('t');
    expect(await back()).not.toBe(before);
  });

  it('opens with 100,000 points in less than 2 s, and draws each picture in a tenth of one', async () => {
    writeFileSync(pathOf('large'), pageHtml(repeated(data, 100_000), parts()));
    const large = await Page.open(pathOf('large'));
    try {
      expect(await large.value<number>('Number(slider.max)')).toBeGreaterThan(99_000);
      const opened = await large.busyMs();
      const frames = 20;
      await large.value(`new Promise((done) => {
        let frames = 0;
        const next = () => {
          if (frames++ === ${frames}) return done(true);
          document.onkeydown({ key: frames === 1 ? '0' : frames % 2 ? '+' : '-', preventDefault() {} });
          requestAnimationFrame(next);
        };
        requestAnimationFrame(next);
      })`);
      const drawn = ((await large.busyMs()) - opened) / frames;
      console.info(`100,000 points: opened in ${opened.toFixed()} ms, ${drawn.toFixed(1)} ms a frame`);
      expect(opened).toBeLessThan(2_000);
      expect(drawn).toBeLessThan(100);
    } finally {
      await large.close();
    }
  });
});
