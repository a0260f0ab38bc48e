import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { octets, strings, text, XS } from '../../../guests/index.ts';
import { type Daemon, startDaemon } from '../../../scenarios/real/conform/daemon.ts';
import { SocketClient } from '../../../scenarios/real/conform/socket-client.ts';
import { INSTALLED_DAEMONS } from '../../../scenarios/real/conform/standin.ts';
import { handleOf } from '../../../scenarios/real/serve/handle.ts';
import {
  type ConnectionData,
  decodeImage,
  encodeImage,
  type StateRecord,
  v1,
  v2,
} from '../../../store/format/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { message, opName } from '../../../store/protocol/wire.ts';
import { built } from '../../support/build.ts';
import { xenarium } from '../../support/cli.ts';
import { daemonIsMissing, has } from '../../support/needs.ts';

const run = promisify(execFile);
const BINARY = INSTALLED_DAEMONS.xenstored;
const CONTROL = '/usr/lib/xen-4.17/bin/xenstore-control'; // the one in the path is a script that asks for a hypervisor
const TOOLS = [CONTROL, 'xenstore-read', 'xenstore-write', 'xenstore-ls'];
const CLI = built('scenarios/cli.js');
const VECTORS = join(import.meta.dirname, '../../vectors/streams');
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
    ['a state without a listening socket', image(globals(-1), root), /GLOBAL_DATA, socketFd: .*no listening socket/],
    ['a descriptor that is not open', image(globals(987), root), /GLOBAL_DATA, socketFd: descriptor 987 is not open/],
  ])('refuses %s, and keeps the file', (name, octetsOfState, reason) => {
    const state = join(dir, name);
    writeFileSync(state, octetsOfState);
    const { code, err } = xenarium('takeover', '--state', state);
    expect(err).toMatch(reason);
    expect(code).toBe(2);
    expect(existsSync(state)).toBe(true);
  });

  const connection = (connId: number, fd: number): StateRecord => ({
    kind: 'CONNECTION_DATA',
    connId,
    conn: { kind: 'socket', fd },
    inData: octets(''),
    outRespLen: 0,
    outData: octets(''),
  });
  const ring = (connId: number, domid: number): StateRecord => ({
    ...(connection(connId, 0) as ConnectionData),
    conn: { kind: 'ring', domid, targetDomid: 0x7ff4, port: 100 + domid },
  });
  const LISTENER = 3;
  const DEVICE = 6;
  const CLIENT = 11;

  it.each<[string, readonly StateRecord[], RegExp]>([
    ['a connection with the listener', [connection(1, LISTENER)], /conn\.fd: descriptor 3 is the listening socket$/m],
    ['a connection with standard output', [connection(1, 1)], /conn\.fd: descriptor 1 is a standard one$/m],
    ['two with one', [connection(1, CLIENT), connection(2, CLIENT)], /conn\.fd: descriptor 11 is connection 1$/m],
    ['a connection with a device', [connection(1, DEVICE)], /conn\.fd: descriptor 6 is the event channel device$/m],
    ['a negative descriptor', [connection(1, -1)], /conn\.fd: descriptor -1 is not open$/m],
    ['a connection with a file', [connection(1, 5)], /conn\.fd: descriptor 5 is not a connected unix socket$/m],
    ['a domain that cannot be', [ring(1, 0x7ff2)], /conn\.domid: domain 32754 cannot be$/m],
    ['a domain with two rings', [ring(1, 4), ring(2, 4)], /conn\.domid: domain 4 has a ring already$/m],
  ])('refuses %s, says where, ends, and keeps the file', async (name, records, reason) => {
    const state = join(dir, name);
    writeFileSync(state, image({ kind: 'GLOBAL_DATA', socketFd: LISTENER, evtchnFd: DEVICE }, ...records, root));
    const { child } = await successor(state);
    const [code] = (await once(child.process, 'exit')) as [number];
    expect(child.err()).toMatch(reason);
    expect(child.err()).toMatch(/: the image: offset \d+ \(0x[0-9a-f]+\), record \d+ CONNECTION_DATA, /);
    expect(code).toBe(2);
    expect(existsSync(state)).toBe(true);
  });

  /** Ours with the descriptors of the recordings: a listener, an event device, one client. */
  async function successor(state: string, ...args: readonly string[]) {
    const server = createServer({ pauseOnConnect: true });
    const path = join(dir, `socket-${sockets++}`);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = connect(path);
    const [[server11]] = await Promise.all([accepted, once(client, 'connect')]);
    const device = openSync('/dev/null', 'r+');
    const stdio: (number | 'ignore' | 'pipe')[] = [
      'ignore',
      'ignore',
      'pipe',
      ...new Array<'ignore'>(9).fill('ignore'),
    ];
    stdio[LISTENER] = handleOf(server).fd;
    stdio[DEVICE] = device;
    stdio[CLIENT] = handleOf(server11).fd;
    const process = spawn(globalThis.process.execPath, [CLI, 'takeover', '--state', state, '--', ...args], { stdio });
    children.push(process);
    let err = '';
    process.stderr?.on('data', (data: Buffer) => {
      err += data.toString('latin1');
    });
    server11.destroy();
    server.close();
    closeSync(device);
    return { child: { process, err: () => err }, client: new SocketClient(client, () => {}) };
  }
  let sockets = 0;
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  /** What a client gets next: so many messages. */
  async function messagesOf(client: SocketClient, count: number): Promise<string[]> {
    const reader = new MessageReader('believed');
    const got: string[] = [];
    while (got.length < count) {
      if (!client.isOpen) throw new Error('closed');
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const chunk of client.take()) reader.push(chunk);
      for (let one = reader.shift(); one !== undefined; one = reader.shift())
        got.push(`${opName(one.type)} ${text(one.payload)}`);
    }
    return got;
  }

  it.each([
    { version: 2, identities: ['0 1', '1 2', '2 3'], depths: [0, 1], plain: 1, hasQuotas: true },
    { version: 1, identities: ['0 undefined', '1 undefined', '2 undefined'], depths: [], plain: 3, hasQuotas: false },
  ])('goes on as a 4.22 did whose state is of version 2, and hands over all that version $version has', async (as) => {
    const recorded = decodeImage(new Uint8Array(readFileSync(join(VECTORS, 'c-4.22-nodes.bin'))));
    if (!recorded.ok) throw new Error(recorded.failure.reason);
    const { records } = recorded.value;
    const deep: StateRecord = {
      kind: 'WATCH_DATA_EXTENDED',
      connId: 2,
      wpath: octets('/tool'),
      token: octets('t'),
      depth: 1,
    };
    const held: StateRecord = {
      kind: 'WATCH_DATA_EXTENDED',
      connId: 3,
      wpath: octets('data'),
      token: octets('g'),
      depth: 0,
    };
    const ends: StateRecord = { kind: 'WATCH_DATA', connId: 2, wpath: octets('@releaseDomain'), token: octets('r') };
    const first = records.findIndex(({ kind }) => kind === 'NODE_DATA');
    const all = [...records.slice(0, first), deep, held, ends, ...records.slice(first)];
    const encoded = encodeImage({ ...recorded.value, records: all }, v2);
    if (!encoded.ok) throw new Error(encoded.failure.reason);
    const state = join(dir, `as-version-${as.version}`);
    writeFileSync(state, encoded.value);
    const next = join(dir, `next-${as.version}`);
    writeFileSync(next, `#!/bin/sh\ncp ${state} ${state}.next\nrm ${state}\n`, { mode: 0o700 });

    const { child, client } = await successor(state);
    expect(await messagesOf(client, 1)).toEqual(['CONTROL OK\0']); // the answer to who asked for the update
    expect(existsSync(state), child.err()).toBe(false);
    const ask = (type: number, ...words: readonly string[]) => client.send(message(type, 1, 0, strings(...words)));
    ask(XS.DIRECTORY, '/');
    ask(XS.READ, '/local/domain/1/data/a/b/c');
    ask(XS.GET_PERMS, '/perm');
    ask(XS.IS_DOMAIN_INTRODUCED, '2');
    ask(XS.MKDIR, '/tool/x');
    ask(XS.MKDIR, '/tool/x/too-deep');
    expect(await messagesOf(client, 7)).toEqual([
      'DIRECTORY tool\0local\0bin\0big\0empty\0perm\0',
      'READ deep',
      'GET_PERMS b0\0r1\0w2\0n5\0b7\0',
      'IS_DOMAIN_INTRODUCED T\0',
      'WATCH_EVENT /tool/x\0t\0',
      'MKDIR OK\0',
      'MKDIR OK\0',
    ]);
    ask(XS.CONTROL, 'live-update', '-f', next);
    ask(XS.CONTROL, 'live-update', '-s', '-v', String(as.version));
    await once(child.process, 'exit');
    const handed = decodeImage(new Uint8Array(readFileSync(`${state}.next`)));
    if (!handed.ok) throw new Error(handed.failure.reason);
    expect(handed.value.version).toBe(as.version);
    const of = (kind: StateRecord['kind'], from: readonly StateRecord[]) => from.filter((one) => one.kind === kind);
    const whose = (from: readonly StateRecord[]) =>
      of('CONNECTION_DATA', from).flatMap((one) =>
        one.kind === 'CONNECTION_DATA' && one.conn.kind === 'ring' ? [`${one.conn.domid} ${one.uniqueId}`] : [],
      );
    expect(whose(handed.value.records)).toEqual(as.identities);
    for (const kind of ['GLOBAL_QUOTA_DATA', 'DOMAIN_DATA'] as const)
      expect(sorted(of(kind, handed.value.records))).toEqual(as.hasQuotas ? sorted(of(kind, records)) : []);
    const depths = of('WATCH_DATA_EXTENDED', handed.value.records).map((one) => 'depth' in one && one.depth);
    expect(depths.sort()).toEqual(as.depths);
    expect(of('WATCH_DATA', handed.value.records)).toHaveLength(as.plain);
    const paths = (from: readonly StateRecord[]) =>
      from.flatMap((one) => (one.kind === 'NODE_DATA' ? [text(one.path)] : []));
    expect(paths(handed.value.records).sort()).toEqual([...paths(records), '/tool/x', '/tool/x/too-deep'].sort());
  });

  /** Records in an order of their own: that of DOMAIN_DATA is a hash table's. */
  function sorted(some: readonly StateRecord[]): readonly StateRecord[] {
    return [...some].sort((a, b) => ('domid' in a ? a.domid : 0) - ('domid' in b ? b.domid : 0));
  }
});
