import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pageOf } from '../../../../scenarios/report/page/page.ts';
import { pageDataOf } from '../../../../scenarios/report/page/page-data.ts';
import { openTab, type Tab } from '../../../support/browser.ts';
import { built } from '../../../support/build.ts';
import { xenarium } from '../../../support/cli.ts';
import { has } from '../../../support/needs.ts';
import { smallRun } from './small-run.ts';

/** Whether something lies wholly in the window, and how wide it is. */
const IN_SIGHT = `(selector) => [...document.querySelectorAll(selector)].map((element) => {
  const { left, top, right, bottom } = element.getBoundingClientRect();
  return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight && right > left;
})`;
const DRAWN = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))';
const OPENED = `performance.getEntriesByType('navigation')[0].duration`;

describe.skipIf(!has('the page in a browser', 'chromium'))('the page of a run, in chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xenarium-page-'));
  const failing = join(folder, 'failing.html');
  let tab: Tab;

  beforeAll(async () => {
    const run = xenarium('run', '--format', 'G1', '--set', 'requests=1500', '--set', 'updates=2', '--report', failing);
    expect(run.code).toBe(1);
    tab = await openTab();
  });
  afterAll(async () => {
    await tab.close();
    rmSync(folder, { recursive: true });
  });

  const open = (file: string) => tab.open(pathToFileURL(file).href);
  const seqNow = async () =>
    Number(/^seq (\d+)/.exec(await tab.evaluate<string>(`document.getElementById('where').value`))?.[1]);
  const textOf = (id: string) => tab.evaluate<string>(`document.getElementById('${id}').textContent`);

  it('opens at the violation, and shows it and the update that it straddles without scrolling', async () => {
    await open(failing);
    await tab.evaluate(DRAWN);
    for (const selector of ['.label.finding', '#detail', '.bands button', '#where'])
      expect(await tab.evaluate(`(${IN_SIGHT})('${selector}')`), selector).toContain(true);
    expect(await tab.evaluate(`(${IN_SIGHT})('.label.update')`)).toEqual([true]);
    expect(await textOf('finding')).toMatch(/transactions.*live update #1/s);
    const chosen = await tab.evaluate<string>(`document.querySelector('.chain .chosen').textContent`);
    expect(chosen).toMatch(new RegExp(`^seq ${await seqNow()} .*noticed`));
    expect(tab.complaints).toEqual([]);
    console.info(
      `a page of ${readFileSync(failing).length} octets opened in ${Math.round(await tab.evaluate(OPENED))} ms`,
    );
  });

  it('steps by keys, back and forth, and from finding to finding', async () => {
    await open(failing);
    const begin = await seqNow();
    await tab.press('ArrowRight');
    expect(await seqNow()).toBe(begin + 1);
    await tab.press('ArrowLeft');
    await tab.press('ArrowLeft');
    expect(await seqNow()).toBe(begin - 1);
    await tab.press('Home');
    expect(await seqNow()).toBe(0);
    await tab.press('u');
    expect(await textOf('record')).toContain('live update #1 dump');
    await tab.press('v');
    expect(await seqNow()).toBe(begin);
    await tab.press('n');
    expect(await textOf('finding')).toContain('(2 of ');
    await tab.press('N');
    expect(await textOf('finding')).toContain('(1 of ');
  });

  it('decodes a message field by field, and shows its octets', async () => {
    await open(failing);
    await tab.evaluate(
      `[...document.querySelectorAll('.chain button')].find((b) => b.textContent.includes('the request')).click()`,
    );
    expect(await textOf('fields')).toMatch(/type14 SET_PERMSreq_id\d+tx_id\d+len\d+ octetspayload\/local\/domain\//);
    expect(await textOf('octets')).toMatch(/^0000 {2}0e 00 00 00 /);
  });

  it('chooses the record that is clicked at', async () => {
    await open(failing);
    await tab.press('Home');
    await tab.press('0'); // the whole run
    await tab.evaluate(DRAWN);
    await tab.click(640, 96);
    expect(await seqNow()).toBeGreaterThan(0);
  });

  it('finds a path, and whatever is of a connection', async () => {
    await open(failing);
    await tab.press('/');
    await tab.type('/local/domain/1/device/vif/0/handle');
    const byPath = Number.parseInt(await textOf('hits'), 10);
    expect(byPath).toBeGreaterThan(1);
    await tab.press('Enter');
    expect(await textOf('line')).toContain('/local/domain/1/device/vif/0/handle');
    await tab.evaluate(`document.getElementById('query').select()`);
    await tab.type('dom0/operator');
    await tab.press('Enter');
    expect(await textOf('record')).toContain('dom0/operator');
  });

  it('is dark where the desktop is, and changes at a key', async () => {
    const back = `getComputedStyle(document.body).backgroundColor`;
    await tab.dark(true);
    await open(failing);
    const dark = await tab.evaluate(back);
    await tab.press('d');
    const light = await tab.evaluate(back);
    expect([dark, light]).toEqual(['rgb(18, 22, 29)', 'rgb(255, 255, 255)']);
    await tab.dark(false);
  });

  it('is not taken over by what a guest has written', async () => {
    const hostile = join(folder, 'hostile.html');
    const part = (name: string) => readFileSync(built(`page/${name}`), 'utf8');
    writeFileSync(hostile, pageOf(pageDataOf(smallRun().result), { script: part('page.js'), style: part('page.css') }));
    await open(hostile);
    await tab.evaluate(DRAWN);
    expect(await tab.evaluate('[document.title, document.scripts.length]')).toEqual(['violation: by-hand, seed 1', 2]);
    expect(await textOf('detail')).toContain('</script>');
    await tab.press('Home');
    await tab.press('PageUp');
    for (let i = 0; i < 3; i++) await tab.press('ArrowRight');
    expect(await textOf('line')).toContain('/x</script><script>document.title="taken"</script>\\x1b[31m');
    expect(tab.complaints).toEqual([]);
  });
});
