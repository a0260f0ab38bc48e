import { XS } from '../../../store/protocol/wire.ts';
import type { DriveOptions } from '../drive.ts';
import { type Action, formatLine, type MessageAction } from '../script.ts';
import { type Outcome, outcomeOf } from './outcome.ts';

const ABORT = Uint8Array.from('F\0', (c) => c.charCodeAt(0));
const AGAIN = Uint8Array.from('EAGAIN\0', (c) => c.charCodeAt(0));

/**
 * What a script may come to when the store updates in the middle of it: what it comes to without; or, as far as transactions are
 * open there, each of them may end in EAGAIN instead, and then it has done nothing.
 */
export class OverUpdate {
  readonly #options: DriveOptions;
  readonly #script: readonly Action[];
  readonly #outcomes = new Map<string, Outcome>();

  constructor(options: DriveOptions, script: readonly Action[]) {
    this.#options = options;
    this.#script = script;
  }

  /** The outcome without an update. */
  get plain(): Outcome {
    return this.#outcome([]);
  }

  /**
   * Judge an outcome with an update that began after the first `started` actions had, when the first `ended` were over.
   * `difference` says how an outcome with the update differs from one without. @returns how it differs from all that may be, told
   * by the plain one; `undefined`: it does not; and how many transactions ended in EAGAIN.
   */
  judge(
    { started, ended }: { readonly started: number; readonly ended: number },
    difference: (want: Outcome) => string | undefined,
  ): { readonly failure?: string | undefined; readonly again: number } {
    const failure = difference(this.plain);
    if (failure === undefined) return { again: 0 };
    const open = this.#openAt(started, ended);
    for (let choice = 1; choice < 1 << open.length; choice++) {
      const again = open.filter((_, i) => (choice & (1 << i)) !== 0);
      if (difference(this.#outcome(again)) === undefined) return { again: again.length };
    }
    return { failure, again: 0 };
  }

  /** Where the transactions end that are open then, and are to commit. */
  #openAt(started: number, ended: number): readonly number[] {
    return this.#script.flatMap((action, end) => {
      if (end < ended || !isCommit(action)) return [];
      const isOpen = this.#script
        .slice(0, started)
        .some((other) => other.kind === 'message' && other.as !== undefined && other.as === action.tx);
      return isOpen ? [end] : [];
    });
  }

  /** The outcome when these transactions end in EAGAIN. */
  #outcome(again: readonly number[]): Outcome {
    const key = again.join();
    let outcome = this.#outcomes.get(key);
    if (outcome === undefined) {
      const script = this.#script.map((action, i) =>
        again.includes(i) ? { ...(action as MessageAction), payload: ABORT } : action,
      );
      outcome = withAgain(outcomeOf(this.#options, script), this.#script, again);
      this.#outcomes.set(key, outcome);
    }
    return outcome;
  }
}

function isCommit(action: Action): action is MessageAction {
  if (action.kind !== 'message' || action.type !== XS.TRANSACTION_END) return false;
  return typeof action.tx === 'string' && action.payload[0] === 0x54;
}

/** An abort that is told to its client as EAGAIN. */
function withAgain(outcome: Outcome, script: readonly Action[], again: readonly number[]): Outcome {
  const lines = outcome.lines.map((own, i) => {
    if (!again.includes(i)) return own;
    const { on, op } = script[i] as MessageAction;
    const answer = formatLine({ kind: 'reply', on, op, type: XS.ERROR, payload: AGAIN });
    return own.map((line, at) => (at === 0 && line.includes('"reply": "TRANSACTION_END"') ? answer : line));
  });
  return { ...outcome, lines };
}
