import type { Node } from './tree.ts';

/** A request as the store took it out of the ring. */
export interface Asked {
  readonly conn: number;
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: string;
  /** History position at which its last octet was consumed. */
  readonly seq: number;
}

/** What the store said. */
export type Answer = { readonly ok: true; readonly payload: string } | { readonly ok: false; readonly error: string };

/** What the model says to a request, before it knows what the store said. */
export interface Prediction {
  readonly answer: Answer;
  /** Errors the store may give instead: quotas, whose exact state is not modelled. */
  readonly mayFail?: readonly string[];
  /** Judges the payload of a success where it is not fixed; a complaint, or `undefined` for fine. */
  readonly accepts?: (payload: string) => string | undefined;
  /** What follows from a success. `payload`: the store's. */
  readonly effect?: (payload: string) => void;
  /** The store answered success where `answer` is an error: what to do so that the model goes on like the store. */
  readonly forced?: (payload: string) => void;
  /** What follows from a permitted error. */
  readonly onFailure?: () => void;
  /** Where the answer never reached the ring, it is to be taken for a failure. */
  readonly failsUnseen?: boolean;
  /** What follows whatever the answer is. */
  readonly always?: () => void;
  /** Event queued right behind the reply: a new watch's first one. */
  readonly firstEvent?: string | undefined;
  /** The node it read, for messages about who wrote it. */
  readonly node?: Node | undefined;
  readonly name?: string | undefined;
  /** Why `answer` is an error, in words, for messages. */
  readonly because?: string;
}

export const OK: Answer = { ok: true, payload: 'OK\0' };

export function reply(payload: string): Answer {
  return { ok: true, payload };
}

export function error(name: string): Answer {
  return { ok: false, error: name };
}

export function refuse(name: string, because?: string): Prediction {
  return because === undefined ? { answer: error(name) } : { answer: error(name), because };
}
