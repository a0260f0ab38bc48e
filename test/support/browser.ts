import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** Debian's browser; `undefined`: it is not installed. */
export const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly result?: object;
  readonly error?: { readonly message: string };
}

/** A page in a headless Chromium, asked over its DevTools pipe: JSON with a NUL behind it, on descriptors 3 and 4. */
export class Page {
  readonly #process: ChildProcess;
  readonly #home: string;
  readonly #open = new Map<number, (answer: Answer) => void>();
  #session = '';
  #count = 0;
  #text = '';

  private constructor(size: string) {
    this.#home = mkdtempSync(join(tmpdir(), 'xenarium-browser-'));
    this.#process = spawn(
      CHROMIUM as string,
      [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--hide-scrollbars',
        '--no-first-run',
        `--window-size=${size}`,
        `--user-data-dir=${this.#home}`,
        '--remote-debugging-pipe',
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    (this.#process.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => this.#take(text));
  }

  /** Open a file. `size`: the window's, in pixels. */
  static async open(file: string, size = '1280,720'): Promise<Page> {
    const page = new Page(size);
    const { targetInfos } = await page.ask<{ targetInfos: { type: string; targetId: string }[] }>('Target.getTargets');
    const targetId = targetInfos.find(({ type }) => type === 'page')?.targetId;
    const attached = await page.ask<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true });
    page.#session = attached.sessionId;
    await page.ask('Performance.enable', { timeDomain: 'threadTicks' });
    await page.ask('Page.navigate', { url: `file://${file}` });
    while ((await page.value<string>('document.body?.dataset.ready ?? ""')) !== 'yes')
      await new Promise((done) => setTimeout(done, 20));
    return page;
  }

  /** What an expression comes to in the page. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.ask<{ result: { value: T }; exceptionDetails?: { text: string } }>(
      'Runtime.evaluate',
      { expression, returnByValue: true, awaitPromise: true },
    );
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  }

  /** How long the page's thread has worked so far, ms; who else keeps the machine busy does not count. */
  async busyMs(): Promise<number> {
    const { metrics } = await this.ask<{ metrics: { name: string; value: number }[] }>('Performance.getMetrics');
    return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN);
  }

  async key(key: string): Promise<void> {
    await this.ask('Input.dispatchKeyEvent', { type: 'keyDown', key, ...(key.length === 1 ? { text: key } : {}) });
    await this.ask('Input.dispatchKeyEvent', { type: 'keyUp', key });
  }

  async click(x: number, y: number): Promise<void> {
    for (const type of ['mousePressed', 'mouseReleased'])
      await this.ask('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
  }

  async ask<T extends object>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#count;
    const session = this.#session === '' ? {} : { sessionId: this.#session };
    const answered = new Promise<Answer>((done) => this.#open.set(id, done));
    (this.#process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    const { result, error } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  async close(): Promise<void> {
    const ended = new Promise((done) => this.#process.once('exit', done));
    this.#process.kill('SIGKILL');
    await ended;
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5 });
  }

  #take(text: string): void {
    const parts = (this.#text + text).split('\0');
    this.#text = parts.pop() as string;
    for (const part of parts) {
      const answer = JSON.parse(part) as Answer;
      if (answer.id === undefined) continue;
      this.#open.get(answer.id)?.(answer);
      this.#open.delete(answer.id);
    }
  }
}
