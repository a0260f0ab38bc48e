import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** A tab of a real browser, by its own protocol over two pipes (chromium --remote-debugging-pipe): no package is needed for that. */
export interface Tab {
  /** Errors: what the page throws, as text. */
  readonly evaluate: <T>(expression: string) => Promise<T>;
  /** As a keyboard does it: `ArrowRight`, or a letter. */
  readonly press: (key: string, isShifted?: boolean) => Promise<void>;
  readonly click: (x: number, y: number) => Promise<void>;
  readonly type: (text: string) => Promise<void>;
  /** A PNG of what is in sight. */
  readonly screenshot: () => Promise<Uint8Array>;
  readonly open: (url: string) => Promise<void>;
  readonly dark: (isDark: boolean) => Promise<void>;
  /** What the page has thrown, or written to its console as an error. */
  readonly complaints: readonly string[];
  readonly close: () => Promise<void>;
}

const SIZE = { width: 1280, height: 800 };

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** Start Debian's chromium with one tab of 1280x800. Errors: rejects, if it says no. */
export async function openTab(): Promise<Tab> {
  const home = mkdtempSync(join(tmpdir(), 'xenarium-chromium-'));
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--force-color-profile=srgb',
  ];
  const child = spawn('chromium', [...flags, `--user-data-dir=${home}`, '--remote-debugging-pipe', 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const [to, from] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, (reply: Reply) => void>();
  const events = new Map<string, () => void>();
  const complaints: string[] = [];
  let rest = '';
  from.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop() as string;
    for (const part of parts) take(JSON.parse(part) as Reply);
  });
  const take = (reply: Reply) => {
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
    if (reply.method !== undefined) events.get(reply.method)?.();
    if (reply.method === 'Runtime.exceptionThrown' || reply.method === 'Log.entryAdded')
      complaints.push(JSON.stringify(reply.params));
  };
  let last = 0;
  const call = (method: string, params: object = {}, sessionId?: string) =>
    new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
      const id = ++last;
      waiting.set(id, ({ result, error }) => {
        waiting.delete(id);
        if (error !== undefined) reject(new Error(`${method}: ${error.message}`));
        else resolve(result ?? {});
      });
      to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });

  const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  const tab = (method: string, params: object = {}) => call(method, params, sessionId as string);
  for (const each of ['Page', 'Runtime', 'Log']) await tab(`${each}.enable`);
  await tab('Emulation.setDeviceMetricsOverride', { ...SIZE, deviceScaleFactor: 1, mobile: false });

  return {
    complaints,
    open: async (url) => {
      const isLoaded = new Promise<void>((resolve) => events.set('Page.loadEventFired', resolve));
      await tab('Page.navigate', { url });
      await isLoaded;
    },
    evaluate: async <T>(expression: string) => {
      const { result, exceptionDetails } = await tab('Runtime.evaluate', {
        expression,
        returnByValue: true,
        awaitPromise: true,
      });
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { readonly value: T }).value;
    },
    press: async (key, isShifted = false) => {
      const text = key.length === 1 ? { text: key } : key === 'Enter' ? { text: '\r' } : {};
      const modifiers = isShifted ? 8 : 0;
      await tab('Input.dispatchKeyEvent', { type: 'keyDown', key, modifiers, ...text });
      await tab('Input.dispatchKeyEvent', { type: 'keyUp', key, modifiers });
    },
    click: async (x, y) => {
      for (const type of ['mousePressed', 'mouseReleased'])
        await tab('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
    },
    type: async (text) => {
      await tab('Input.insertText', { text });
    },
    screenshot: async () => {
      const { data } = await tab('Page.captureScreenshot', { format: 'png' });
      return new Uint8Array(Buffer.from(data as string, 'base64'));
    },
    dark: async (isDark) => {
      const features = [{ name: 'prefers-color-scheme', value: isDark ? 'dark' : 'light' }];
      await tab('Emulation.setEmulatedMedia', { features });
    },
    close: async () => {
      await call('Browser.close').catch(() => undefined);
      const force = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(force);
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
