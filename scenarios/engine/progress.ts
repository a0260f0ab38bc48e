import type { Machine, Task } from '../../sim/index.ts';
import { QUIET_NS, SETTLE_NS } from './patience.ts';
import type { Witness } from './witness.ts';

export interface ProgressPlan {
  /** What the run is about, if that is not messages: it grows with each thing that gets done. */
  readonly payload?: (() => number) | undefined;
  /** Whether traffic has come to its end: every message is one of the last. */
  readonly isOver: () => boolean;
  /** End the background, if it goes on; @returns whether it did. */
  readonly hush?: () => boolean;
  /** Whether a task polls for something that it gives up by itself. */
  readonly givesUp: (task: Task) => boolean;
}

/**
 * Messages that may cross rings and sockets while the payload stands still. Guests with nothing to do but ask the store write more
 * history in a second than a sound run does from its beginning to its end; a wait through which so much is asked is no wait. Then
 * the background ends: 1. A guest that faults make slow (INJ-R9, INJ-E6) watches what all others write. 2. It reads its events more
 * slowly than they come, and never gets to the one for which its device waits. 3. In silence it does.
 */
const BACKGROUND_MAX = 500_000;

/** How often it is looked for time-outs that run. */
const LOOK_NS = SETTLE_NS / 8;

/**
 * Looks whether a run gets on: domains' lives, updates of the store, messages put in and taken out. Where a run is about payload
 * those are its background from the first of it on, until traffic has come to its end: only payload counts then. Steps of somebody
 * who looks again and again are none.
 */
export class Progress {
  readonly #machine: Machine;
  readonly #witness: Pick<Witness, 'lives' | 'messages'>;
  readonly #plan: ProgressPlan;
  #seen = '';
  #lastMessages = 0;
  #lookedNs = 0;
  /** When the last time-out is over that runs. */
  #waitsUntilNs = 0;
  /** When there was some last. */
  lastNs: number;

  constructor(machine: Machine, witness: Pick<Witness, 'lives' | 'messages'>, plan: ProgressPlan) {
    this.#witness = witness;
    this.#machine = machine;
    this.#plan = plan;
    this.lastNs = machine.nowNs;
  }

  /** Whether the run goes nowhere any more. To be asked now and then. */
  isStuck(): boolean {
    const { nowNs, scheduler } = this.#machine;
    const { lives, messages } = this.#witness;
    const { payload, isOver, hush, givesUp } = this.#plan;
    const moved = payload?.() ?? 0;
    const seen = moved === 0 || isOver() ? `${moved} ${lives} ${messages}` : `${moved}`;
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#lastMessages = messages;
      this.lastNs = nowNs;
      this.#waitsUntilNs = 0;
      return false;
    }
    const quietNs = nowNs - this.lastNs;
    if (messages - this.#lastMessages > BACKGROUND_MAX) {
      if (hush?.() !== true) return true;
      this.#lastMessages = messages;
    }
    if (quietNs >= QUIET_NS) return true;
    if (nowNs - this.#lookedNs < LOOK_NS) return false;
    this.#lookedNs = nowNs;
    // Looked at from the beginning of the silence on: a time-out is told from a poll by how far off it is, until it is near.
    scheduler.eachDue((dueNs, task) => {
      if (dueNs - nowNs > SETTLE_NS / 2) this.#waitsUntilNs = Math.max(this.#waitsUntilNs, dueNs);
      else if (task !== undefined && givesUp(task)) this.#waitsUntilNs = Math.max(this.#waitsUntilNs, nowNs);
    });
    return quietNs >= SETTLE_NS && nowNs - this.#waitsUntilNs >= SETTLE_NS / 2;
  }
}
