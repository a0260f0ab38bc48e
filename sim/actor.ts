/**
 * What a step of an actor yields: a time in ns until it may go on, or PARK to sleep until somebody wakes it.
 * A number and not an object: there are millions of steps a second.
 */
export type Step = number;
/** Yielded: sleep until somebody calls `wake`. Who parks looks again at what it waits for: others may have woken it. */
export const PARK: Step = -1;
/** Yields virtual ns, or PARK. An actor gives way only at `yield`; everything between two yields is one indivisible action. */
export type Actor<T = void> = Generator<Step, T, void>;
