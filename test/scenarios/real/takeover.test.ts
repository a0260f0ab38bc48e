import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { octets, strings, text, XS } from '../../../guests/index.ts';
import { type Daemon, startDaemon } from '../../../scenarios/real/conform/daemon.ts';
import type { SocketClient } from '../../../scenarios/real/conform/socket-client.ts';
import { INSTALLED_DAEMONS } from '../../../scenarios/real/conform/standin.ts';
import { encodeImage, type StateRecord, v1 } from '../../../store/format/index.ts';
import { message } from '../../../store/protocol/wire.ts';
import { built } from '../../support/build.ts';
import { xenarium } from '../../support/cli.ts';
import { daemonIsMissing, has } from '../../support/needs.ts';

const run = promisify(execFile);
const BINARY = INSTALLED_DAEMONS.xenstored;
const CONTROL = '/usr/lib/xen-4.17/bin/xenstore-control'; // the one in the path is a script that asks for a hypervisor
const TOOLS = [CONTROL, 'xenstore-read', 'xenstore-write', 'xenstore-ls'];
const CLI = built('scenarios/cli.js');
const what = 'a live update from the C daemon to ours';
const isMissing = (await daemonIsMissing(what, BINARY)) || !has(what, ...TOOLS);

describe.skipIf(isMissing)('xenstore-control live-update tells a real C xenstored to go on as xenarium', () => {
  let daemon: Daemon;
  beforeEach(async () => {
    daemon = await startDaemon({ binary: BINARY });
  });
  afterEach(() => daemon.stop());

  const tool = async (name: string, ...args: readonly string[]) =>
    (await run(name, args, { env: { ...process.env, XENSTORED_PATH: join(daemon.dir, 'socket') }, timeout: 4_000 }))
      .stdout;

  /** The first messages of a client, once they make up so many octets. */
  async function octetsOf(client: SocketClient, count: number): Promise<string> {
    let got: Uint8Array = new Uint8Array(0);
    while (got.length < count) {
      if (!client.isOpen) throw new Error(`closed; ${daemon.complaints}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      got = octets(got, ...client.take());
    }
    return text(got);
  }
  const expectNext = async (client: SocketClient, ...messages: readonly Uint8Array[]) => {
    const expected = text(octets(...messages));
    expect(await octetsOf(client, expected.length)).toBe(expected);
  };

  async function wrapper(): Promise<string> {
    const path = join(daemon.dir, 'successor');
    const command = `exec ${process.execPath} ${CLI} takeover --state "$XENARIUM_STANDIN/state_dump" -- "$@"`;
    await writeFile(path, `#!/bin/sh\nunset LD_PRELOAD\n${command}\n`);
    await chmod(path, 0o700);
    return path;
  }

  const OK = strings('OK');
  const event = (path: string, token: string) => message(XS.WATCH_EVENT, 0, 0, strings(path, token));

  it('and a client that is connected all the time does not notice', async () => {
    const [a, b] = [await daemon.openSocket(), await daemon.openSocket()];
    const ring = await daemon.createDomain(1);
    a.send(message(XS.INTRODUCE, 1, 0, strings('1', '1234', '7')));
    a.send(message(XS.WRITE, 2, 0, octets('/local/domain/1/x\0', 'of 1')));
    a.send(message(XS.SET_PERMS, 3, 0, strings('/local/domain/1', 'n1', 'r2')));
    a.send(message(XS.WATCH, 4, 0, strings('/t', 'tok')));
    b.send(message(XS.WATCH, 5, 0, strings('relative', 'of b')));
    await daemon.quiet();
    a.take();
    b.take();
    const half = message(XS.READ, 77, 0, strings('/t/x'));
    a.send(half.slice(0, 9));
    await daemon.quiet();

    expect(await tool(CONTROL, 'live-update', await wrapper())).toBe('');
    expect(daemon.complaints).toMatch(/domain 1: the ring cannot be mapped here/);
    expect(existsSync(join(daemon.dir, 'state_dump'))).toBe(false);

    await tool('xenstore-write', '/t/x', 'after');
    await expectNext(a, event('/t/x', 'tok'));
    a.send(half.slice(9));
    await expectNext(a, message(XS.READ, 77, 0, octets('after')));
    a.send(message(XS.WRITE, 78, 0, octets('/local/domain/0/relative/y\0', '1')));
    await expectNext(a, message(XS.WRITE, 78, 0, OK));
    await expectNext(b, event('relative/y', 'of b'));
    expect(await tool('xenstore-read', '/local/domain/1/x')).toBe('of 1\n');
    expect(await tool('xenstore-ls', '-fp', '/local/domain/1')).toContain('(n0');
    ring.close();
  });

  it('and back again, and neither a socket client nor a guest has lost anything', async () => {
    const [a, deaf] = [await daemon.openSocket(), await daemon.openSocket()];
    const ring = await daemon.createDomain(1);
    a.send(message(XS.INTRODUCE, 1, 0, strings('1', '1234', '7')));
    a.send(message(XS.MKDIR, 2, 0, strings('/local/domain/1')));
    a.send(message(XS.SET_PERMS, 3, 0, strings('/local/domain/1', 'n1')));
    a.send(message(XS.WATCH, 4, 0, strings('/t', 'tok')));
    deaf.send(message(XS.WATCH, 5, 0, strings('/noise', 'n')));
    await daemon.quiet();
    const asked = message(XS.WRITE, 9, 0, octets('mine\0', 'of 1'));
    ring.put(asked.slice(0, 18));
    daemon.kick(1);
    await daemon.quiet();
    a.take();
    deaf.take();
    deaf.hold();
    await tool(CONTROL, 'live-update', await wrapper());

    const events: Uint8Array[] = [];
    for (let i = 0; i < 900; i++) {
      const path = `/noise/${'x'.repeat(300)}${i}`;
      a.send(message(XS.WRITE, 6, 0, octets(path, '\0')));
      events.push(event(path, 'n'));
    }
    await octetsOf(a, 900 * 19);
    const half = message(XS.READ, 77, 0, strings('/t/x'));
    a.send(half.slice(0, 9));
    const back = join(daemon.dir, 'back');
    const command = `unset XENARIUM_STANDIN_CONTROL\nexport LD_PRELOAD="$XENARIUM_STANDIN/standin.so"\nexec ${BINARY} "$@"`;
    await writeFile(back, `#!/bin/sh\n${command}\n`);
    await chmod(back, 0o700);
    await expect(tool(CONTROL, 'live-update', '/bin/false')).rejects.toThrow('Error activating new binary.');
    expect(await tool(CONTROL, 'live-update', back)).toBe('');
    expect(existsSync(join(daemon.dir, 'state_dump'))).toBe(false);

    await tool('xenstore-write', '/t/x', 'after');
    await expectNext(a, event('/t/x', 'tok'));
    a.send(half.slice(9));
    await expectNext(a, message(XS.READ, 77, 0, octets('after')));
    ring.put(asked.slice(18));
    daemon.kick(1);
    for (let got = ''; got.length < 19; got += text(ring.take())) await new Promise((r) => setTimeout(r, 5));
    expect(await tool('xenstore-read', '/local/domain/1/mine')).toBe('of 1\n');
    deaf.free();
    const expected = text(octets(...events));
    expect((await octetsOf(deaf, expected.length)) === expected).toBe(true);
    process.kill(Number(await readFile(join(daemon.dir, 'pid'), 'utf8')), 'SIGKILL'); // no child of this process
    ring.close();
  });

  it('and a client that reads nothing meanwhile gets every octet', async () => {
    const deaf = await daemon.openSocket();
    const b = await daemon.openSocket();
    deaf.send(message(XS.WATCH, 1, 0, strings('/noise', 't')));
    await daemon.quiet();
    deaf.take();
    deaf.hold();
    const events: Uint8Array[] = [];
    for (let i = 0; i < 900; i++) {
      const path = `/noise/${'x'.repeat(200)}${i}`; // an event like one that waits already would be dropped
      b.send(message(XS.WRITE, 1, 0, octets(path, '\0', String(i))));
      events.push(event(path, 't'));
      if (i % 100 === 99) await daemon.quiet();
    }
    await tool(CONTROL, 'live-update', await wrapper());
    await tool('xenstore-write', '/noise/last', '');
    deaf.free();
    const expected = text(octets(...events, event('/noise/last', 't')));
    expect((await octetsOf(deaf, expected.length)) === expected).toBe(true); // a difference would take long to show
  });
});

describe('xenarium takeover', () => {
  const dir = mkdtempSync(join(tmpdir(), 'xenarium-takeover-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const image = (...records: readonly StateRecord[]) => {
    const encoded = encodeImage({ version: 1, bigEndian: false, records: [...records, { kind: 'END' }] }, v1);
    if (!encoded.ok) throw new Error(encoded.failure.reason);
    return encoded.value;
  };
  const globals = (socketFd: number): StateRecord => ({ kind: 'GLOBAL_DATA', socketFd, evtchnFd: -1 });
  const root: StateRecord = {
    kind: 'NODE_DATA',
    connId: 0,
    txId: 0,
    access: 0,
    perms: [{ letter: 'n', domid: 0, flags: 0 }],
    path: octets('/'),
    value: new Uint8Array(0),
  };

  it.each([
    ['a state that is cut short', image(globals(3), root).slice(0, -9), /the image: /],
    ['a state without a listening socket', image(globals(-1), root), /names no listening socket/],
    ['a descriptor that is not open', image(globals(987), root), /987|EBADF|EINVAL|fd/i],
  ])('refuses %s, and keeps the file', (name, octetsOfState, reason) => {
    const state = join(dir, name);
    writeFileSync(state, octetsOfState);
    const { code, err } = xenarium('takeover', '--state', state);
    expect(err).toMatch(reason);
    expect(code).toBe(2);
    expect(existsSync(state)).toBe(true);
  });
});
