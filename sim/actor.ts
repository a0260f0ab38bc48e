/**
 * What a step of an actor yields: a time in ns until it may go on, or PARK to sleep until somebody wakes it.
 * A number and not an object: there are millions of steps a second.
 */
export type Step = number;
/** Yielded: sleep until somebody calls `wake`. Who parks looks again at what it waits for: others may have woken it. */
export const PARK: Step = -1;
/** Yields virtual ns, or PARK. An actor gives way only at `yield`; everything between two yields is one indivisible action. */
export type Actor<T = void> = Generator<Step, T, void>;
// biome-ignore lint/suspicious/noConfusingVoidType: most actors just end, and return nothing.
type Heir = Program | void;
/** What a task runs: an actor that may end in another one, which goes on in its place, within the same step. */
export interface Program extends Generator<Step, Heir, void> {}

/** The one `next` of all generators. Each generator function's own are objects of their own shape, and a look-up in all of these
 *  shapes would be made at each step. */
const { next } = Object.getPrototypeOf(function* () {}).prototype as Program;

/** Where a task stands that is done: what its last actor still knew can go. */
export const ENDED: Program = (function* (): Actor {})();

/** Let an actor do what it does until it gives way. */
export function advance(actor: Program): IteratorResult<Step, Heir> {
  return next.call(actor);
}
