import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { octets, strings, text, XS } from '../../../guests/index.ts';
import { type Daemon, startSuccessor } from '../../../scenarios/real/conform/daemon.ts';
import type { HandedOverNumbers } from '../../../scenarios/real/conform/handed-over.ts';
import type { RingPage } from '../../../scenarios/real/conform/ring-page.ts';
import type { SocketClient } from '../../../scenarios/real/conform/socket-client.ts';
import { INSTALLED_DAEMONS } from '../../../scenarios/real/conform/standin.ts';
import { FileWriter, type Perm, type StateRecord, v1 } from '../../../store/format/index.ts';
import { message } from '../../../store/protocol/wire.ts';
import { daemonIsMissing } from '../../support/needs.ts';

const BINARY = INSTALLED_DAEMONS.xenstored;
const isMissing = await daemonIsMissing('the C daemon as our successor', BINARY);

const NO_TARGET = 0x7ff4;

function perms(...words: readonly string[]): Perm[] {
  return words.map((word) => ({
    letter: word.charAt(0) as Perm['letter'],
    domid: Number.parseInt(word.slice(1), 10),
    flags: word.endsWith('!') ? 1 : 0, // n7! = stale
  }));
}

function node(path: string, value: string | Uint8Array, ...words: readonly string[]): StateRecord {
  return {
    kind: 'NODE_DATA',
    connId: 0,
    txId: 0,
    access: 0,
    perms: perms(...words),
    path: octets(path),
    value: octets(value),
  };
}

function watch(connId: number, wpath: string, token: string): StateRecord {
  return { kind: 'WATCH_DATA', connId, wpath: octets(wpath), token: octets(token) };
}

const NOTHING = new Uint8Array(0);
const EVERY_OCTET = Uint8Array.from({ length: 256 }, (_, i) => i);
const EVENT = message(XS.WATCH_EVENT, 0, 0, strings('data/old', 'tok'));
/** A reply of which 21 octets went out before, and one of which none did. */
const HALF_SENT = message(XS.READ, 41, 0, octets('the value of domain 1'));
const UNSENT = message(XS.WRITE, 42, 0, strings('OK'));
/** A request of which the ring's 25 octets were taken: header, and 9 of its body. */
const RING_REQUEST = message(XS.WRITE, 43, 0, octets('data/late\0', 'came in two halves'));
/** One that is whole, and one of which there are 7 octets. */
const WHOLE = message(XS.WRITE, 51, 0, octets('/whole\0', 'was put aside'));
const SOCKET_REQUEST = message(XS.READ, 52, 0, strings('/whole'));

const NODES: readonly StateRecord[] = [
  node('/', '', 'n0'),
  node('/bin', EVERY_OCTET, 'n0'),
  node('/empty', '', 'b1', 'r3', 'w2'),
  node('/stale', 'x', 'n0', 'r1!', 'w2', 'b9!'),
  node('/fresh', 'y', 'n0', 'r1'),
  node('/local', '', 'n0'),
  node('/local/domain', '', 'n0'),
  node('/local/domain/1', '', 'n1'),
  node('/local/domain/1/data', 'd', 'n1'),
  node('/z', 'last', 'n0'),
  node('/z/b', '', 'n0'),
  node('/z/a', '', 'n0'),
];

function image(numbers: HandedOverNumbers): Uint8Array {
  const ring = (domid: number) => ({
    kind: 'ring' as const,
    domid,
    targetDomid: NO_TARGET,
    port: numbers.portOf(domid),
  });
  const socket = (i: number) => ({ kind: 'socket' as const, fd: numbers.socketFds[i] as number });
  const quiet = { kind: 'CONNECTION_DATA' as const, inData: NOTHING, outRespLen: 0, outData: NOTHING };
  const records: StateRecord[] = [
    { kind: 'GLOBAL_DATA', socketFd: numbers.listenerFd, evtchnFd: -1 },
    { ...quiet, connId: 1, conn: ring(0) },
    {
      kind: 'CONNECTION_DATA',
      connId: 2,
      conn: ring(1),
      inData: RING_REQUEST.slice(0, 25),
      outRespLen: HALF_SENT.length - 21,
      outData: octets(HALF_SENT.slice(21), UNSENT, EVENT, EVENT),
    },
    watch(2, 'data', 'relative'),
    watch(2, '/local/domain/1/data', 'absolute'),
    {
      kind: 'CONNECTION_DATA',
      connId: 3,
      conn: socket(0),
      inData: octets(WHOLE, SOCKET_REQUEST.slice(0, 7)),
      outRespLen: 0,
      outData: EVENT,
    },
    watch(3, '@releaseDomain', 'special'),
    { ...quiet, connId: 4, conn: socket(1) },
    watch(4, '/z', 'of the other'),
    node('@releaseDomain', '', 'n0', 'r1'),
    node('@introduceDomain', '', 'n0', 'r2'),
    ...NODES,
    { kind: 'END' },
  ];
  const writer = new FileWriter(v1);
  for (const record of records) expect(writer.append(record)).toBeUndefined();
  const done = writer.finish();
  if (!done.ok) throw new Error(done.failure.reason);
  return done.value;
}

describe.skipIf(isMissing)('a real C xenstored -U takes an image of ours', () => {
  let daemon: Daemon;
  let a: SocketClient;
  let b: SocketClient;
  let ring: RingPage;

  async function start(): Promise<void> {
    const started = await startSuccessor({ binary: BINARY, succeeds: { domids: [1], sockets: 2, image } });
    daemon = started.daemon;
    [a, b] = started.sockets as [SocketClient, SocketClient];
    ring = await daemon.createDomain(1);
    daemon.kick(1);
    await daemon.quiet();
  }
  afterEach(async () => {
    ring.close();
    await daemon.stop();
  });

  const got = (client: SocketClient) => text(octets(...client.take()));
  async function ask(client: SocketClient, type: number, payload: Uint8Array): Promise<string> {
    client.send(message(type, 99, 0, payload));
    await daemon.quiet();
    return got(client);
  }
  const reply = (type: number, payload: Uint8Array | string) => text(message(type, 99, 0, octets(payload)));

  it('and finds every node, value, permission and child', async () => {
    await start();
    const fresh = await daemon.openSocket();
    for (const record of NODES) {
      if (record.kind !== 'NODE_DATA') continue;
      const path = strings(text(record.path));
      expect(await ask(fresh, XS.READ, path)).toBe(reply(XS.READ, record.value));
      const shown = record.perms.map((p) => `${p.letter}${p.domid}\0`).join('');
      expect(await ask(fresh, XS.GET_PERMS, path)).toBe(reply(XS.GET_PERMS, shown));
    }
    expect(await ask(fresh, XS.DIRECTORY, strings('/z'))).toBe(reply(XS.DIRECTORY, 'b\0a\0'));
    // What is shown of a stale entry says nothing of its right.
    ring.take();
    ring.put(octets(RING_REQUEST.slice(25), message(XS.READ, 99, 0, strings('/stale'))));
    ring.put(message(XS.READ, 99, 0, strings('/fresh')));
    daemon.kick(1);
    await daemon.quiet();
    const answers = text(ring.take());
    expect(answers).toContain(reply(XS.ERROR, 'EACCES\0') + reply(XS.READ, 'y'));
    expect(existsSync(join(daemon.dir, 'state_dump'))).toBe(false);
  });

  it('and delivers every octet that was pending, on rings and sockets, in both directions', async () => {
    await start();
    expect(text(ring.take())).toBe(text(octets(HALF_SENT.slice(21), UNSENT, EVENT, EVENT)));
    ring.put(RING_REQUEST.slice(25));
    daemon.kick(1);
    await daemon.quiet();
    const events = ['data/late', '/local/domain/1/data/late'].map((path, i) =>
      text(message(XS.WATCH_EVENT, 0, 0, strings(path, i === 0 ? 'relative' : 'absolute'))),
    );
    const answers = text(ring.take());
    // This daemon sends events before the answer to the request that caused them.
    expect([events.join(''), events.toReversed().join('')]).toContain(answers.slice(0, -19));
    expect(answers.slice(-19)).toBe(text(message(XS.WRITE, 43, 0, strings('OK'))));
    expect(got(a)).toBe(text(octets(EVENT, message(XS.WRITE, 51, 0, strings('OK')))));
    a.send(SOCKET_REQUEST.slice(7));
    await daemon.quiet();
    expect(got(a)).toBe(text(message(XS.READ, 52, 0, octets('was put aside'))));
  });

  it('and lets a domain hear of that special event only whose permissions say so', async () => {
    await start();
    ring.take();
    ring.put(octets(RING_REQUEST.slice(25), message(XS.WATCH, 99, 0, strings('@releaseDomain', 'r'))));
    ring.put(message(XS.WATCH, 99, 0, strings('@introduceDomain', 'i')));
    daemon.kick(1);
    await daemon.quiet();
    ring.take();
    const other = await daemon.createDomain(2);
    await ask(b, XS.INTRODUCE, strings('2', '1234', '7'));
    await daemon.destroyDomain(2);
    await daemon.quiet();
    expect(text(ring.take())).toBe(text(message(XS.WATCH_EVENT, 0, 0, strings('@releaseDomain', 'r'))));
    other.close();
  });

  it('and fires every watch with its token and its path', async () => {
    await start();
    ring.take();
    got(a);
    const ok = reply(XS.WRITE, 'OK\0');
    expect(await ask(b, XS.WRITE, octets('/z/new\0', '1'))).toBe(
      text(message(XS.WATCH_EVENT, 0, 0, strings('/z/new', 'of the other'))) + ok,
    );
    expect(await ask(b, XS.WRITE, octets('/local/domain/1/data\0', '1'))).toBe(ok);
    const answers = text(ring.take());
    expect(answers).toContain(text(strings('data', 'relative')));
    expect(answers).toContain(text(strings('/local/domain/1/data', 'absolute')));
    expect(got(a)).toBe('');
    await daemon.destroyDomain(1);
    await daemon.quiet();
    expect(got(a)).toBe(text(message(XS.WATCH_EVENT, 0, 0, strings('@releaseDomain', 'special'))));
  });
});
