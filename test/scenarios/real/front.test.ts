import { EventEmitter } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, type writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Front } from '../../../scenarios/real/serve/front.ts';
import { send } from '../../../scenarios/real/serve/send.ts';
import { type Actor, loneMachine, NO_JITTER, PARK, UnixSocket } from '../../../sim/index.ts';

const BYTES = Uint8Array.of(1, 2, 3);

function refusing(...codes: readonly string[]): typeof writeSync {
  const left = [...codes];
  return ((_fd: number, bytes: Uint8Array) => {
    const code = left.shift();
    if (code === undefined) return bytes.length;
    throw Object.assign(new Error(code), { code });
  }) as typeof writeSync;
}

describe('writing to a client', () => {
  it.each([
    ['EAGAIN', 0, 'its buffer is full'],
    ['EPIPE', 'gone', 'it has closed'],
    ['ECONNRESET', 'gone', 'it has closed with something unread'],
  ] as const)('%s is %s: %s', (code, expected, _why) => {
    expect(send(9, BYTES, refusing(code))).toBe(expected);
  });

  it('EINTR is no answer: the octets are written at the next try', () => {
    expect(send(9, BYTES, refusing('EINTR', 'EINTR'))).toBe(3);
    expect(send(9, BYTES, refusing('EINTR', 'EPIPE'))).toBe('gone');
  });

  it.each(['EBADF', 'EINVAL', 'EIO'])('%s is no client’s doing', (code) => {
    expect(() => send(9, BYTES, refusing(code))).toThrow(`descriptor 9: ${code}`);
  });
});

describe('what serves clients on real sockets', () => {
  /** A client's end whose descriptor cannot be written to, and the store's end of it. */
  function served(fd: number) {
    const failures: unknown[] = [];
    const log: string[] = [];
    const machine = loneMachine({ seed: '1', jitter: NO_JITTER });
    const front = new Front({
      machine,
      nowNs: () => 0,
      log: (line) => log.push(line),
      failed: (error) => failures.push(error),
    });
    const fake = Object.assign(new EventEmitter(), {
      _handle: { fd, setBlocking: () => 0 },
      writableEnded: false,
      destroyed: false,
      pause: () => {},
      destroy: () => {
        fake.destroyed = true;
      },
    });
    const socket = fake as unknown as Socket;
    const [end, store] = UnixSocket.pair(-1, 9);
    front.attach(socket, end);
    return { front, machine, store, socket, failures, log };
  }

  it('tells of an error that no client has made, once, and serves nobody any more', () => {
    const fd = openSync('/dev/null', 'r');
    const { front, store, socket, failures, log } = served(fd);
    store.write(BYTES, 0, BYTES.length);
    front.run();
    front.run();
    closeSync(fd);
    expect(failures.map(String)).toEqual([`Error: writing to a client on descriptor ${fd}: EBADF`]);
    expect([socket.destroyed, log]).toEqual([false, []]);
  });

  it('does not write to the descriptor of a socket that is destroyed already', () => {
    const { front, store, socket, failures } = served(1_000_000);
    socket.destroy();
    store.write(BYTES, 0, BYTES.length);
    front.run();
    expect(failures).toEqual([]);
  });

  it('lets out, at the end, also what the store can write only when its socket is empty again', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'xenarium-front-'));
    const fd = openSync(join(dir, 'client'), 'w');
    const { front, machine, store } = served(fd);
    const reply = new Uint8Array(1_000_000);
    const task = machine.start('store', undefined, pieces(store, reply));
    store.onReady = () => task.wake();
    await front.drain(0.001);
    expect(statSync(join(dir, 'client')).size).toBe(reply.length);
    closeSync(fd);
    rmSync(dir, { recursive: true });
  });
});

/** Writes as much as there is room for, whenever there is some. */
function* pieces(store: UnixSocket, bytes: Uint8Array): Actor {
  for (let at = 0; at < bytes.length; yield PARK) at += store.write(bytes, at, bytes.length - at);
}
