import { type Actor, type OctetWriter, PARK } from '../../sim/index.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';

/** Why a helper ended that did not end by itself: the transport broke under its write, somebody killed it, or its parent is gone. */
export type Signal = 'SIGPIPE' | 'killed' | 'orphaned';

/** How a helper ended. Who was killed has cleaned nothing up (XM-3). */
export type HelperEnd<T> =
  | { readonly kind: 'exit'; readonly value: T }
  | { readonly kind: 'killed'; readonly by: Signal };

/** What its parent hears of a helper: a question, which it has to answer, or the end. */
export type HelperNews<T> =
  | { readonly kind: 'asks'; readonly what: string; readonly answer: (value: number) => void }
  | HelperEnd<T>;

/** A memory mapping or whatever else the kernel takes back when a process ends. */
interface Held {
  unmap(): void;
}

/**
 * libxl-save-helper: a process beside its parent that does the work of libxc, because that does not know how to wait. What it
 * has to ask it asks in messages, which its parent answers when it comes to it.
 * Source: tools/libs/light/libxl_save_helper.c, libxl_save_callout.c.
 */
export class Helper<T> {
  #parent: Thread | undefined;
  #child: Thread | undefined;
  #asked: { readonly what: string; answer: number | undefined } | undefined;
  #hasTold = false;
  #end: HelperEnd<T> | undefined;
  #signal: Signal | undefined;
  readonly #held = new Set<Held>();

  private constructor(parent: Thread) {
    this.#parent = parent;
  }

  /** Start a helper of `parent`. `name`: of its thread, and of its stream of chance. */
  static start<T>(os: GuestOs, parent: Thread, name: string, body: (helper: Helper<T>) => Actor<T>): Helper<T> {
    const helper = new Helper<T>(parent);
    helper.#child = os.start(name, () => helper.#run(body(helper)));
    return helper;
  }

  // The parent's side -----------------------------------------------------------------------------------------------

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** The next question that was not told yet, or the end. Called by the parent alone, which sleeps meanwhile. */
  *news(): Actor<HelperNews<T>> {
    for (;;) {
      const asked = this.#asked;
      if (asked !== undefined && !this.#hasTold) {
        this.#hasTold = true;
        const answer = (value: number) => {
          asked.answer = value;
          this.#child?.wake();
        };
        return { kind: 'asks', what: asked.what, answer };
      }
      if (this.#end !== undefined) return this.#end;
      yield PARK;
    }
  }

  /** SIGKILL: nothing of it happens any more. */
  kill(signal: Signal = 'killed'): void {
    this.#signal ??= signal;
    this.#child?.wake();
  }

  /** Its parent is no more: it goes on until it has a question. */
  orphan(): void {
    this.#parent = undefined;
    if (this.#asked !== undefined) this.kill('orphaned');
  }

  // The helper's side -----------------------------------------------------------------------------------------------

  /** Ask the parent, and wait for its answer. Does not return where there is nobody to answer. */
  *ask(what: string): Actor<number> {
    const asked: { readonly what: string; answer: number | undefined } = { what, answer: undefined };
    this.#asked = asked;
    this.#hasTold = false;
    if (this.#parent === undefined) yield* this.die('orphaned');
    this.#parent?.wake();
    while (asked.answer === undefined) yield PARK;
    this.#asked = undefined;
    return asked.answer;
  }

  /** Write all of it. A helper is executed with the default action for SIGPIPE: it does not return where nobody reads (XM-3). */
  *write(to: OctetWriter, octets: Uint8Array): Actor {
    if ((yield* to.write(octets)) === 'broken') yield* this.die('SIGPIPE');
  }

  /** What the kernel takes back when the process ends, in whatever way; to be called again when it has been given back. */
  hold<H extends Held>(held: H): H {
    this.#held.add(held);
    return held;
  }

  release(held: Held): void {
    this.#held.delete(held);
    held.unmap();
  }

  /** Its own end by a signal; never returns. */
  *die(signal: Signal): Actor<never> {
    this.kill(signal);
    for (;;) yield PARK;
  }

  /** Step by step, so that a signal finds it between any two. */
  *#run(body: Actor<T>): Actor {
    while (this.#signal === undefined) {
      const step = body.next();
      if (step.done === true) {
        this.#end = { kind: 'exit', value: step.value };
        break;
      }
      yield step.value;
    }
    this.#end ??= { kind: 'killed', by: this.#signal ?? 'killed' };
    for (const held of this.#held) held.unmap();
    this.#held.clear();
    this.#parent?.wake();
  }
}
