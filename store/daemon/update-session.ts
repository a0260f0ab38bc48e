import type { Connection } from './connection.ts';

/** A live update between its `-f` and its end. Source: tools/xenstored/lu.c. */
export interface LiveUpdateSession {
  /** The connection that sent `-f`; the session ends with it. */
  readonly owner: Connection;
  readonly file: string;
  commandLine: string;
  force: boolean;
  timeoutSeconds: number;
  version: number;
  /** Second at which `-s` came; undefined before. */
  startedSecond: number | undefined;
  /** Reply that ends a pending `-s`. */
  reply: string | undefined;
}
