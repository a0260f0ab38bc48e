import { type ChildProcess, fork } from 'node:child_process';
import type { Bug } from '../../bugs/index.ts';
import { moduleUrl } from './modules.ts';
import type { HuntAnswer, HuntRequest } from './protocol.ts';
import { startedWith } from './switch.ts';

/** Why there is no answer: nothing came for as long as one was waited for, or the process has ended. */
export type NoAnswer = { readonly kind: 'silent' } | { readonly kind: 'gone'; readonly why: string };

/** A process with a bug on that makes runs, watched from outside: bugs may make anything of it. */
export class Hunter {
  readonly #child: ChildProcess;
  readonly #gone: Promise<NoAnswer>;
  #errors = '';

  /** @param bug left out: none */
  constructor(bug: Bug | undefined) {
    this.#child = fork(moduleUrl('scenarios/cli/bugs/hunt-child.ts'), {
      ...startedWith(bug === undefined ? [] : [bug]),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (data) => {
      this.#errors = (this.#errors + data).slice(-2_000);
    });
    this.#gone = new Promise((resolve) => {
      const gone = (why: string) => resolve({ kind: 'gone', why });
      this.#child.on('error', (error) => gone(error.message));
      this.#child.on('close', (code) => gone(`its process ended with ${code}: ${this.#errors.trim()}`));
    });
  }

  /** Ask for one thing. @param mostMs how long an answer is waited for; after that only `end` is left. Errors: none. */
  async ask(request: HuntRequest, mostMs: number): Promise<HuntAnswer | NoAnswer> {
    let clock: NodeJS.Timeout | undefined;
    const silent = new Promise<NoAnswer>((resolve) => {
      clock = setTimeout(() => resolve({ kind: 'silent' }), mostMs);
    });
    const answer = new Promise<HuntAnswer>((resolve) =>
      this.#child.once('message', resolve as (value: unknown) => void),
    );
    this.#child.send(request, () => {}); // whether it is still there, its end tells
    try {
      return await Promise.race([answer, this.#gone, silent]);
    } finally {
      clearTimeout(clock);
    }
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}
