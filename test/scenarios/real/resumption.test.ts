import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { octets, strings, text, XS } from '../../../guests/index.ts';
import { RingEnd, SocketEnd } from '../../../scenarios/drive/link.ts';
import { resumeHost } from '../../../scenarios/engine/resumed-host.ts';
import { type Daemon, startDaemon } from '../../../scenarios/real/conform/daemon.ts';
import type { RingPage } from '../../../scenarios/real/conform/ring-page.ts';
import type { SocketClient } from '../../../scenarios/real/conform/socket-client.ts';
import { INSTALLED_DAEMONS } from '../../../scenarios/real/conform/standin.ts';
import { decodeImage } from '../../../store/format/index.ts';
import { message } from '../../../store/protocol/wire.ts';
import { daemonIsMissing } from '../../support/needs.ts';

const BINARY = INSTALLED_DAEMONS.xenstored;
const isMissing = await daemonIsMissing('the C daemon as our predecessor', BINARY);

/** A client of either store; `settle` lets the store do all it can. */
interface End {
  readonly put: (bytes: Uint8Array) => number;
  readonly take: () => Uint8Array;
}

interface Side {
  readonly ends: Readonly<Record<'ring1' | 'ring2' | 'a' | 'b', End>>;
  readonly settle: () => Promise<void>;
}

const BIG = 'v'.repeat(1500);
/** The two requests that were half sent when the update came. */
const RING_REQUEST = message(XS.WRITE, 43, 0, octets('data/late\0', 'came in two halves'));
const SOCKET_REQUEST = message(XS.READ, 52, 0, strings('/tool/x'));

const request = (type: number, payload: Uint8Array) => message(type, 7, 0, payload);

type Step = readonly [who: keyof Side['ends'], bytes: Uint8Array];

/** What the clients do after the update. */
const CONTINUATION: readonly Step[] = [
  ['ring1', RING_REQUEST.slice(20)],
  ['a', SOCKET_REQUEST.slice(7)],
  ['b', request(XS.WRITE, octets('/tool/x\0', 'after'))],
  ['b', request(XS.WRITE, octets('/local/domain/1/data/big\0', 'small now'))],
  ['ring1', request(XS.READ, strings('data/late'))],
  ['ring1', request(XS.READ, strings('/closed'))],
  ['ring2', request(XS.WRITE, octets('/local/domain/1/data/by-2\0', 'x'))],
  ['ring2', request(XS.TRANSACTION_START, strings(''))],
  ['ring2', request(XS.READ, strings('x'))],
  ['a', request(XS.DIRECTORY, strings('/local/domain/1/data'))],
  ['a', request(XS.GET_PERMS, strings('/local/domain/1'))],
  ['a', request(XS.UNWATCH, strings('/tool', 'tools'))],
  ['b', request(XS.WRITE, octets('/tool/x\0', 'unseen'))],
  ['b', request(XS.RM, strings('/local/domain/1/data'))],
  ['b', request(XS.RELEASE, strings('2'))],
];

/** Perform the steps; what each client got, in all. */
async function carryOn({ ends, settle }: Side): Promise<Record<string, string>> {
  const got = new Map<string, Uint8Array[]>(Object.keys(ends).map((name) => [name, []]));
  const drain = async () => {
    for (let moved = true; moved; ) {
      await settle();
      moved = false;
      for (const [name, end] of Object.entries(ends)) {
        const bytes = end.take();
        if (bytes.length === 0) continue;
        moved = true;
        got.get(name)?.push(bytes);
      }
    }
  };
  await drain();
  for (const [who, bytes] of CONTINUATION) {
    for (let rest = bytes; rest.length > 0; rest = rest.subarray(ends[who].put(rest))) await drain();
    await drain();
  }
  return Object.fromEntries([...got].map(([name, parts]) => [name, text(octets(...parts))]));
}

describe.skipIf(isMissing)('a real C xenstored is succeeded by the simulator', () => {
  let daemon: Daemon;
  let a: SocketClient;
  let b: SocketClient;
  let rings: readonly RingPage[];

  beforeEach(async () => {
    daemon = await startDaemon({ binary: BINARY });
    [a, b] = [await daemon.openSocket(), await daemon.openSocket()];
    rings = [await daemon.createDomain(1), await daemon.createDomain(2)];
  });
  afterEach(async () => {
    for (const ring of rings) ring.close();
    await daemon.stop();
  });

  const ring = (domid: number): End => ({
    put: (bytes) => {
      const count = rings[domid - 1]!.put(bytes);
      daemon.kick(domid);
      return count;
    },
    take: () => {
      const bytes = rings[domid - 1]!.take();
      if (bytes.length > 0) daemon.kick(domid);
      return bytes;
    },
  });
  const socket = (client: SocketClient): End => ({
    put: (bytes) => {
      client.send(bytes);
      return bytes.length;
    },
    take: () => octets(...client.take()),
  });

  /** Every kind of thing that can be under way. */
  async function prepare(): Promise<Side> {
    const side: Side = {
      ends: { ring1: ring(1), ring2: ring(2), a: socket(a), b: socket(b) },
      settle: async () => {
        await daemon.quiet();
      },
    };
    const { ends } = side;
    const ask = async (end: End, type: number, payload: Uint8Array) => {
      end.put(request(type, payload));
      await daemon.quiet();
      return text(end.take());
    };
    for (const domid of [1, 2]) {
      expect(await ask(ends.a, XS.INTRODUCE, strings(String(domid), '1234', '7'))).toContain('OK');
      await ask(ends.a, XS.MKDIR, strings(`/local/domain/${domid}`));
      await ask(ends.a, XS.SET_PERMS, strings(`/local/domain/${domid}`, `n${domid}`));
    }
    await ask(ends.a, XS.WRITE, octets('/tool/x\0', 'before'));
    await ask(ends.a, XS.WRITE, octets('/closed\0', 'to domains'));
    await ask(ends.a, XS.WATCH, strings('/tool', 'tools'));
    await ask(ends.a, XS.WATCH, strings('@releaseDomain', 'gone'));
    await ask(ends.b, XS.SET_TARGET, strings('2', '1'));
    expect(await ask(ends.ring1, XS.WRITE, octets('data/big\0', BIG.slice(0, 900)))).toContain('OK');
    await ask(ends.b, XS.WRITE, octets('/local/domain/1/data/big\0', BIG));
    await ask(ends.ring1, XS.WATCH, strings('data', 'mine'));
    await ask(ends.ring2, XS.WATCH, strings('/local/domain/1/data', 'of the target'));
    await ask(ends.ring2, XS.WRITE, octets('x\0', '2'));
    // Domain 1 reads its big value twice without taking an answer, sees events behind them, and has half sent a request.
    for (let i = 0; i < 2; i++) {
      ends.ring1.put(request(XS.READ, strings('data/big')));
      await daemon.quiet();
    }
    await ask(ends.b, XS.WRITE, octets('/local/domain/1/data/y\0', '1'));
    ends.ring1.put(RING_REQUEST.slice(0, 20));
    ends.a.put(SOCKET_REQUEST.slice(0, 7));
    await daemon.quiet();
    ends.ring2.take();
    return side;
  }

  it('in mid-traffic, and no client can tell its answers from those of the real successor', async () => {
    const real = await prepare();
    const wrapper = join(daemon.dir, 'successor');
    const keep = ['state_dump', 'page-0', 'page-1', 'page-2'].map((name) => `cp "$d/${name}" "$d/kept-${name}"`);
    await writeFile(wrapper, `#!/bin/sh\nd=$XENARIUM_STANDIN\n${keep.join('\n')}\nexec ${BINARY} "$@"\n`);
    await chmod(wrapper, 0o700);
    for (const words of [
      ['-f', wrapper],
      ['-s', '-t', '10'],
    ]) {
      b.send(request(XS.CONTROL, strings('live-update', ...words)));
      await daemon.quiet();
      if (words[0] === '-f') expect(text(octets(...b.take()))).toContain('OK');
    }
    const kept = async (name: string) => new Uint8Array(await readFile(join(daemon.dir, `kept-${name}`)));
    const image = await kept('state_dump');
    const decoded = decodeImage(image);
    if (!decoded.ok) throw new Error(decoded.failure.reason);
    // The order in which clients connected is that of their descriptors.
    const fds = decoded.value.records
      .flatMap((r) => (r.kind === 'CONNECTION_DATA' && r.conn.kind === 'socket' ? [r.conn.fd] : []))
      .sort((x, y) => x - y);
    const one = decoded.value.records.find(
      (r) => r.kind === 'CONNECTION_DATA' && r.conn.kind === 'ring' && r.conn.domid === 1,
    );
    if (one?.kind !== 'CONNECTION_DATA') throw new Error('domain 1 is not in the image');
    expect(one.inData).toHaveLength(20);
    expect(one.outRespLen).toBeGreaterThan(0);
    expect(one.outData.length).toBeGreaterThan(one.outRespLen + 1500);

    const resumed = resumeHost(image, { compat: '4.17', policy: 'daemon' });
    if (!resumed.ok) throw new Error(resumed.reason);
    const { host } = resumed;
    for (const domid of [0, 1, 2]) host.guests.get(domid)?.ring.bytes.set(await kept(`page-${domid}`));
    expect(host.start().ended).toBeUndefined();
    const { scheduler } = host.machine;
    const simRing = (domid: number): End => {
      const guest = host.guests.get(domid)!;
      const end = new RingEnd(host.machine, guest.domain, guest.ring, guest.port);
      return { put: (bytes) => end.send(bytes, 0), take: () => end.receive() };
    };
    const simSocket = (fd: number): End => {
      const end = new SocketEnd(host.sockets.get(fd)!);
      return { put: (bytes) => end.send(bytes, 0), take: () => end.receive() };
    };
    const ours: Side = {
      ends: { ring1: simRing(1), ring2: simRing(2), a: simSocket(fds[0]!), b: simSocket(fds[1]!) },
      settle: async () => scheduler.settle(1_000_000),
    };
    const [expected, got] = [await carryOn(real), await carryOn(ours)];
    expect(got).toEqual(expected);
    expect(expected.ring1).toContain('came in two halves');
    expect(expected.ring1?.match(/v{1000}/g)?.length).toBeGreaterThanOrEqual(1);
    expect(expected.a).toContain('/tool/x\0tools\0');
    expect(expected.a).toContain('@releaseDomain\0gone\0');
    expect(expected.b).toContain('OK\0');
  });
});
