import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTab, type Tab } from '../../support/browser.ts';
import { built } from '../../support/build.ts';
import { xenarium } from '../../support/cli.ts';
import { has } from '../../support/needs.ts';

/** The digest of the run that is shown, its token, and what the page says of a run that is on its way. */
const NOW = `[
  document.getElementById('digest').value,
  decodeURIComponent(location.hash.slice(1)),
  document.getElementById('status').value,
]`;
const DONE_MS = 60_000;

describe.skipIf(!has('the simulator in a browser', 'chromium'))('the site, opened from disk in chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'xenarium-site-'));
  const file = join(folder, 'index.html');
  let tab: Tab;

  beforeAll(async () => {
    execFileSync(process.execPath, [built('test/tools/write-site.js'), file]);
    tab = await openTab();
    await tab.open(pathToFileURL(file).href);
    await finished('');
  }, 120_000);
  afterAll(async () => {
    await tab.close();
    rmSync(folder, { recursive: true });
  });

  const value = (id: string) => tab.evaluate<string>(`document.getElementById('${id}')?.value ?? ''`);
  const click = (id: string) => tab.evaluate(`document.getElementById('${id}').click()`);
  const set = (id: string, to: string) =>
    tab.evaluate(
      `{ const e = document.getElementById('${id}'); e.value = '${to}'; e.dispatchEvent(new Event('change')) }`,
    );
  const seqNow = async () => Number(/^seq (\d+)/.exec(await value('where'))?.[1]);
  const tokenNow = () => tab.evaluate<string>('decodeURIComponent(location.hash.slice(1))');

  /** Waits for a run with another token than that, and gives its digest. */
  async function finished(before: string): Promise<string> {
    const begun = performance.now();
    while (performance.now() - begun < DONE_MS) {
      const [digest, token, status] = await tab.evaluate<readonly string[]>(NOW); // all of one moment
      if (digest !== '' && token !== before && status === '') return digest!.replace('digest ', '');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`no run: ${await value('status')}; ${tab.complaints.join('\n')}`);
  }

  /** Fills in a run, makes it, and gives its digest. */
  async function made(scenario: string, seed: string, format: string, settings: Readonly<Record<string, string>>) {
    const before = await tokenNow();
    await set('scenario', scenario);
    await set('seed', seed);
    await set('format', format);
    for (const [key, to] of Object.entries(settings)) await set(`set-${key}`, to);
    await click('go');
    return finished(before);
  }

  it.each([
    ['live-update-mid-traffic', '7', 'v1', { requests: '900', faults: 'swarm' }],
    ['live-update-mid-traffic', '2', 'G3.0', { requests: '600', policy: 'daemon' }],
    ['migrate-mid-traffic', '2', 'v2', { domains: '2', migrations: '1', requests: '600' }],
  ])('makes the very run that Node makes: %s, seed %s, format %s', async (scenario, seed, format, settings) => {
    const there = await made(scenario, seed, format, settings);
    const { out } = xenarium('replay', await tokenNow());
    expect(out).toContain('same digest');
    expect(out).toContain(there);
    expect(tab.complaints).toEqual([]);
  });

  it('asks for a live update where it is told to, shows it there, and tells what replays it', async () => {
    const plain = await made('live-update-mid-traffic', '3', 'v2', { requests: '900', updates: '0', churn: '0' });
    const before = await tokenNow();
    await tab.press('Home');
    for (let i = 0; i < 30; i++) await tab.press('PageDown');
    const seq = await seqNow();
    expect(await tab.evaluate(`document.querySelectorAll('.label.update').length`)).toBe(0);
    await tab.press('l');
    expect(await finished(before)).not.toBe(plain);
    expect(Math.abs((await seqNow()) - seq)).toBeLessThan(3);
    expect(await tab.evaluate(`document.getElementById('asked').textContent`)).toMatch(/^asked: update@\d+$/);
    await tab.press('u');
    expect(await tab.evaluate(`document.getElementById('record').textContent`)).toContain('live update #1 dump');
    expect((await seqNow()) - seq).toBeLessThan(400);
    expect(await value('replay')).toBe(`xenarium replay ${await tokenNow()}`);
    const { code, out } = xenarium('replay', await tokenNow());
    expect([code, out]).toEqual([0, expect.stringContaining('same digest')]);
  });

  it('breaks the ring of the guest that is looked at', async () => {
    const whole = await tokenNow();
    await tab.press('/');
    await tab.type('domU2');
    await tab.press('Enter');
    await tab.press('Escape');
    const offered = await tab.evaluate<string>(`document.getElementById('break').textContent`);
    const domid = /^break the ring of domain ([1-6])$/.exec(offered)?.[1];
    expect(domid, offered).toBeDefined();
    await tab.press('b');
    await finished(whole);
    expect(await tab.evaluate(`document.getElementById('asked').textContent`)).toMatch(
      new RegExp(`break-ring@\\d+=${domid}$`),
    );
    expect(await tab.evaluate(`document.querySelector('.outcome').textContent`)).toBe('pass');
    expect(xenarium('replay', await tokenNow()).code).toBe(0);
  });

  it('plays, faster or more slowly, with what has not come yet veiled', async () => {
    await tab.press('Home');
    await set('speed', '500');
    await tab.press(' ');
    await new Promise((resolve) => setTimeout(resolve, 600));
    await tab.press(' ');
    const at = await seqNow();
    expect(at).toBeGreaterThan(20);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await seqNow()).toBe(at);
  });

  it('opens the run of a token, and says what is wrong with one that is none', async () => {
    const { out } = xenarium('run', '--seed', '4', '--set', 'requests=300', '--set', 'domains=2', '--json');
    const { token, digest } = JSON.parse(out) as { readonly token: string; readonly digest: string };
    const before = await tokenNow();
    const open = async (word: string) => {
      await tab.evaluate(`document.getElementById('token').select()`);
      await tab.type(word);
      await tab.press('Enter');
    };
    await open(token);
    expect(await finished(before)).toBe(digest);
    expect([await value('scenario'), await value('seed')]).toEqual(['live-update-mid-traffic', '4']);
    await open('XS1-AAAAAAAAAAAAAAAA');
    while ((await value('status')).endsWith('…')) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await value('status')).toMatch(/token/);
  });

  it('tells its keys with those of the picture', async () => {
    await tab.evaluate(`document.activeElement.blur()`);
    await tab.press('?');
    const help = await tab.evaluate<string>(`document.getElementById('help').textContent`);
    expect(help).toContain('ask for a live update right after this record');
    expect(help).toContain('the next finding');
    await tab.press('?');
  });

  it('is dark where the desktop is', async () => {
    await tab.dark(true);
    expect(await tab.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(18, 22, 29)');
    await tab.dark(false);
    expect(tab.complaints).toEqual([]);
  });
});
