import type { DriveOptions } from '../drive.ts';
import { type Action, formatAction, type MessageAction } from '../script.ts';
import { differingLine, Gotten, type Outcome, outcomeOf } from './outcome.ts';
import { OverUpdate } from './over-update.ts';

/** One way to put something into a script. */
export interface Placement {
  /** Where, in words. */
  readonly place: string;
  /** Try it. @returns why it does not hold; `undefined`: it does. */
  try(): Tried;
}

export interface Tried {
  readonly failure?: string | undefined;
  /** Transactions that were open at an update and ended in EAGAIN, as they may. */
  readonly again?: number;
  /** The store has refused the update, as it may. */
  readonly isRefused?: boolean;
}

/** A kind of placement: all places of a script, in order. `options.format` is that of the updates. */
export type Placements = (options: DriveOptions, script: readonly Action[]) => Generator<Placement>;

/** One live update right before each step of each action: the script prints what it prints without. */
export function* updates(options: DriveOptions, script: readonly Action[]): Generator<Placement> {
  const over = new OverUpdate(options, script);
  const action = { kind: 'liveUpdate', format: options.format } as const;
  for (const [into, atStep, place] of stepsOf(script, over.plain)) {
    yield {
      place: `an update right before ${place}`,
      try() {
        const got = outcomeOf(options, script, { into, atStep, action });
        const judged = over.judge(
          { started: into + 1, ended: into },
          (want) => differingLine(script, want, got) ?? differingExpectation(want, got),
        );
        return { ...judged, isRefused: got.updates.some((answer) => answer !== 'ok') };
      },
    };
  }
}

/** A domain dies right before each step: the others get what they get when it dies before that action, or after it. */
export function* deaths(options: DriveOptions, script: readonly Action[]): Generator<Placement> {
  const plain = outcomeOf(options, script);
  for (const [into, atStep, place] of stepsOf(script, plain)) {
    for (const domid of livingAt(script, into)) {
      const destroy = { kind: 'destroy', domid } as const;
      yield {
        place: `the end of domain ${domid} right before ${place}`,
        try() {
          const got = new Gotten(outcomeOf(options, script, { into, atStep, action: destroy }), String(domid));
          const differences = [into, into + 1].map((at) => {
            const serial = [...script.slice(0, at), destroy, ...script.slice(at)];
            return new Gotten(outcomeOf(options, serial), String(domid)).difference(got);
          });
          return { failure: differences.includes(undefined) ? undefined : differences.at(-1) };
        },
      };
    }
  }
}

/** Each message stops after each of its octets, there the store updates, and the rest comes: all get what they get without. */
export function* splits(options: DriveOptions, script: readonly Action[]): Generator<Placement> {
  const over = new OverUpdate(options, script);
  for (const [i, action] of script.entries()) {
    if (!isWaitedFor(action)) continue;
    const { on } = action;
    for (let octets = 0; octets <= HEADER_BYTES + action.payload.length; octets++) {
      const middle: readonly Action[] = [
        { ...action, octets },
        { kind: 'liveUpdate', format: options.format },
        { kind: 'go', on },
      ];
      yield {
        place: `an update after ${octets} octets of line ${i + 1}, ${formatAction(action)}`,
        try() {
          const got = outcomeOf(options, [...script.slice(0, i), ...middle, ...script.slice(i + 1)]);
          const gotten = new Gotten(got);
          const judged = over.judge({ started: i + 1, ended: i }, (want) => new Gotten(want).difference(gotten));
          return { ...judged, isRefused: got.lines[i + 1]?.[0] !== UPDATED };
        },
      };
    }
  }
}

/** Two messages of two connections, one behind the other, race, the second from each step of the first on: what comes of it is
 *  what comes of one of their two orders. */
export function* races(options: DriveOptions, script: readonly Action[]): Generator<Placement> {
  const plain = outcomeOf(options, script);
  for (const [i, a] of script.entries()) {
    const b = script[i + 1];
    if (!isWaitedFor(a) || b === undefined || !isWaitedFor(b) || a.on === b.on || isNamedBy(b, a)) continue;
    const around = (...middle: readonly Action[]) => [...script.slice(0, i), ...middle, ...script.slice(i + 2)];
    const serial = [plain, outcomeOf(options, around(b, a))].map((outcome) => new Gotten(outcome));
    for (const [first, second] of [
      [a, b],
      [b, a],
    ] as const) {
      for (let atStep = 1; atStep <= plain.steps[i]! + plain.steps[i + 1]!; atStep++) {
        yield {
          place: `${formatAction(first)} of lines ${i + 1} and ${i + 2}, and the other right before its step ${atStep}`,
          try() {
            const raced = around({ ...first, wait: false }, { ...second, atStep });
            const got = new Gotten(outcomeOf(options, raced));
            const differences = serial.map((one) => one.difference(got));
            return { failure: differences.includes(undefined) ? undefined : differences[0] };
          },
        };
      }
    }
  }
}

const HEADER_BYTES = 16;
export const UPDATED = '{"liveUpdate": "ok"}';

/** Every step of every action, with words for it. */
function* stepsOf(script: readonly Action[], { steps }: Outcome): Generator<readonly [number, number, string]> {
  for (const [i, action] of script.entries()) {
    if (action.kind === 'expect') continue;
    for (let step = 1; step <= steps[i]!; step++)
      yield [i, step, `step ${step} of line ${i + 1}, ${formatAction(action)}`];
  }
}

/** Whether a message belongs to a transaction that another one begins. */
function isNamedBy({ tx }: MessageAction, { as }: MessageAction): boolean {
  return as !== undefined && as === tx;
}

export function isWaitedFor(action: Action): action is MessageAction {
  if (action.kind !== 'message') return false;
  return action.octets === undefined && action.wait === undefined && action.atStep === undefined;
}

/** Domains that are there when an action begins, and that it does not concern itself with. */
function livingAt(script: readonly Action[], at: number): readonly number[] {
  const living = new Set<number>();
  for (const action of script.slice(0, at)) {
    if (action.kind === 'domain') living.add(action.domid);
    if (action.kind === 'destroy') living.delete(action.domid);
  }
  const own = script[at]!;
  if (own.kind === 'domain' || own.kind === 'destroy') living.delete(own.domid);
  return [...living].sort((a, b) => a - b);
}

/** What was expected and came without, and did not with. */
export function differingExpectation(want: Outcome, got: Outcome): string | undefined {
  return got.disappointments.find((reason) => !want.disappointments.includes(reason));
}
