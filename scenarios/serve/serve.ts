import { createServer, type Server, type Socket } from 'node:net';
import type { UnixSocket } from '../../sim/index.ts';
import { World } from '../world.ts';

export interface ServeOptions {
  readonly path: string;
  readonly compat: '4.22' | '4.17';
  /** Wall clock in ns since some start; drives the store's virtual time, so that its time-outs are real ones. */
  readonly nowNs: () => number;
  readonly log: (line: string) => void;
}

export interface Serving {
  /** Stop accepting, close every client, remove the socket file. */
  readonly close: () => Promise<void>;
}

/** Octets handed to a client's kernel buffer before its connection is held: a client that never reads costs no more. */
const HELD_ABOVE = 64 * 1024;

/**
 * The same store on a real unix socket: each client becomes a socket connection of the simulated dom0, which is privileged
 * (store.md 0.2). A client that does not read is not served further; one that vanishes is seen to hang up.
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  const world = new World({
    seed: '0',
    jitter: { stepNs: 1, absentOneIn: 0, absentNsMax: 0 },
    requestsMax: Infinity,
    policy: 'daemon',
    compat: options.compat,
    records: false,
  });
  const { scheduler } = world.machine;
  const clients = new Map<Socket, UnixSocket>();
  const chunk = new Uint8Array(65_536);
  const startNs = options.nowNs();
  let timer: NodeJS.Timeout | undefined;

  /** Move what the store has written to the kernel; the rest stays with the store until the client reads. */
  const deliver = (socket: Socket, end: UnixSocket) => {
    while (socket.writableLength < HELD_ABOVE && end.readable() > 0) {
      const count = end.read(chunk, 0, chunk.length);
      socket.write(chunk.slice(0, count));
    }
    if (end.hungUp() && end.readable() === 0) socket.end();
  };

  /** Let the simulated machine catch up with the wall clock, and a little beyond: it is idle as soon as all is served. */
  const run = () => {
    // Work is not limited by the clock: whatever can be done now is done now; only waits last as long as they say.
    for (;;) {
      const next = scheduler.nextNs;
      if (next === undefined || next > Math.max(scheduler.nowNs + 1_000_000, options.nowNs() - startNs)) break;
      scheduler.run(next);
    }
    for (const [socket, end] of clients) deliver(socket, end);
    const next = scheduler.nextNs;
    if (timer !== undefined) clearTimeout(timer);
    timer =
      next === undefined
        ? undefined
        : setTimeout(run, Math.max(1, Math.ceil((next - (options.nowNs() - startNs)) / 1_000_000)));
  };

  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    const end = world.listener.connect();
    clients.set(socket, end);
    const waiting: Uint8Array[] = [];
    const feed = () => {
      for (let bytes = waiting[0]; bytes !== undefined; bytes = waiting[0]) {
        const taken = end.write(bytes, 0, bytes.length);
        if (taken < bytes.length) {
          waiting[0] = bytes.subarray(taken);
          socket.pause();
          break;
        }
        waiting.shift();
      }
    };
    socket.on('data', (data: Buffer) => {
      waiting.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      feed();
      run();
      feed();
      if (waiting.length === 0) socket.resume();
      else setImmediate(() => socket.emit('drain'));
    });
    socket.on('drain', () => {
      feed();
      run();
      if (waiting.length === 0) socket.resume();
    });
    socket.on('end', () => {
      end.finish();
      run();
    });
    socket.on('error', (error) => options.log(`client: ${error.message}`));
    socket.on('close', () => {
      end.close();
      clients.delete(socket);
      run();
    });
    run();
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.path, resolve);
  });
  run();
  return {
    close: () =>
      new Promise((resolve) => {
        if (timer !== undefined) clearTimeout(timer);
        server.close(() => resolve());
        for (const socket of clients.keys()) socket.destroy();
      }),
  };
}
