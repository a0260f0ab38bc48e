import type { Message } from '../../protocol/wire.ts';
import { atoi, type ErrorName, oneString, refuse, strictDomid } from '../../protocol/wire.ts';
import type { Transaction } from '../../tree/transaction.ts';
import type { View } from '../../tree/view.ts';
import type { Connection, Outstanding } from '../connection.ts';
import type { Daemon } from '../daemon.ts';
import { SERVER_FEATURES_OFFERED } from '../domain-record.ts';

/** One request in the hands of its handler. */
export interface Request {
  readonly daemon: Daemon;
  readonly conn: Connection;
  readonly message: Message;
  readonly tx: Transaction | undefined;
  /** Where it works. */
  readonly view: View<Connection, Outstanding>;
  /** What its events are charged to, if its sender is accountable for them. */
  readonly cause: Outstanding | undefined;
}

/** The payload of the answer, or an error's name; `undefined`: it was queued already, or comes later. */
export type Answer = Uint8Array | ErrorName | undefined;

/** Throws StoreError. */
export type Handler = (request: Request) => Answer;

/** The name in a payload that is one string. */
export function nameArg({ daemon, conn, message: { payload } }: Request, special: boolean): string | undefined {
  const end = payload.length - 1;
  if (end < 0 || payload.indexOf(0) !== end) return undefined;
  return daemon.names.inPayload(conn, payload, 0, end, special);
}

export function toDomid({ daemon }: Request, s: string): number {
  return daemon.state.compat.strictDomids ? strictDomid(s) : atoi(s) >>> 0;
}

/** The domid in a payload that is one string. */
export function domidArg(r: Request): number {
  return toDomid(r, oneString(r.message.payload) ?? refuse('EINVAL'));
}

/** What the sender may use. Without a record (a socket), the real daemon has no features to look at, and crashes. */
export function featuresOf({ record }: Connection): number {
  return record?.features ?? SERVER_FEATURES_OFFERED;
}
