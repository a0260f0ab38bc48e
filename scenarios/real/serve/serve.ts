import { createServer, type Server } from 'node:net';
import { Host } from '../../engine/host.ts';
import { Front } from './front.ts';
import { HOST_FILES } from './host-files.ts';

export interface ServeOptions {
  readonly path: string;
  /** Permission bits of the socket's file, for whom may connect. */
  readonly mode: number;
  readonly compat: '4.22' | '4.17';
  /** Wall clock in ns since some start; drives the store's virtual time, so that its time-outs are real ones. */
  readonly nowNs: () => number;
  readonly log: (line: string) => void;
}

export interface Serving {
  /** Stop accepting and reading, let replies out, close every client, remove the socket file. */
  readonly close: () => Promise<void>;
  /** SIGHUP: the trace goes on in a file that is opened anew. */
  readonly hangUp: () => void;
  /** Rejects when the server itself is broken: it serves nobody any more. */
  readonly failed: Promise<never>;
}

/**
 * The same store on a real unix socket: each client becomes a socket connection of the simulated dom0, which is privileged
 * (store.md 0.2).
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  const host = new Host({
    seed: '0',
    jitter: { stepNs: 1, absentOneIn: 0, absentNsMax: 0 },
    requestsMax: Infinity,
    policy: 'daemon',
    compat: options.compat,
    records: false,
    appendTo: HOST_FILES.appendTo,
  });
  const failure = newFailure();
  const front = new Front({ machine: host.machine, nowNs: options.nowNs, log: options.log, failed: failure.fail });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    front.attach(socket, host.listener.connect());
    front.run();
  });
  // The file has its mode from the beginning: nobody slips in between listen(2) and chmod(2).
  const before = process.umask(0o777 & ~options.mode);
  const isListening = listening(server, { path: options.path });
  process.umask(before);
  await isListening;
  front.run();
  return { close: () => closing(server, front), hangUp: () => host.store.hangUp(), failed: failure.failed };
}

/** A promise of the server's life, and how it is broken. */
export function newFailure(): { readonly failed: Promise<never>; readonly fail: (error: unknown) => void } {
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {}); // whether somebody looks at it is that one's business
  return { failed, fail };
}

/** Resolves when the server accepts clients, at a path or on a descriptor that listens already. Errors: what listen says. */
export function listening(server: Server, where: { readonly path: string } | { readonly fd: number }): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, resolve);
  });
}

/** How long clients may take to read what is theirs at the end, in ms. */
const GRACE_MS = 1_000;

export async function closing(server: Server, front: Front): Promise<void> {
  const isClosed = new Promise<void>((resolve) => server.close(() => resolve()));
  await front.drain(GRACE_MS);
  front.close();
  await isClosed;
}
