import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { octets, strings, text, XS } from '../../../guests/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { header, message } from '../../../store/protocol/wire.ts';
import { start, xenarium } from '../../support/cli.ts';
import { has } from '../../support/needs.ts';

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), 'xenarium-serve-'));
const path = join(dir, 'socket');
let server: ChildProcess;

beforeAll(async () => {
  server = await start(['serve', '--socket', path], /serving on/);
});
afterAll(() => {
  server.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

async function tool(name: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(name, args, { env: { ...process.env, XENSTORED_PATH: path } });
  return stdout;
}

/** A client of our own: a raw socket and whole messages. */
class Client {
  readonly socket: Socket;
  readonly #incoming = new MessageReader('believed');
  #wake: () => void = () => {};
  isClosed = false;

  constructor(where = path) {
    this.socket = connect(where);
    this.socket.on('data', (data: Buffer) => {
      this.#incoming.push(data);
      this.#wake();
    });
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
    this.socket.on('error', () => {});
  }

  /** Whether all that came is whole messages, as far as they were taken. */
  get isBetweenMessages(): boolean {
    return this.#incoming.rest().length === 0;
  }

  send(type: number, payload: Uint8Array, reqId = 1): void {
    this.socket.write(message(type, reqId, 0, payload));
  }

  async next(): Promise<{ type: number; reqId: number; payload: string } | 'closed'> {
    for (;;) {
      const m = this.#incoming.shift();
      if (m !== undefined) return { type: m.type, reqId: m.reqId, payload: text(m.payload) };
      if (this.isClosed) return 'closed';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const TOOLS = [
  'xenstore-write',
  'xenstore-read',
  'xenstore-ls',
  'xenstore-watch',
  'xenstore-rm',
  'xenstore-chmod',
  'xenstore-list',
  'xenstore-exists',
  'xenstore-control',
];

describe.skipIf(!has('the distribution’s xenstore tools', ...TOOLS))('the real tools against xenarium serve', () => {
  it('write, read, list, exists', async () => {
    await tool('xenstore-write', '/t/a', 'hello', '/t/b', 'x y', '/t/empty', '');
    expect(await tool('xenstore-read', '/t/a', '/t/b')).toBe('hello\nx y\n');
    expect(await tool('xenstore-list', '/t')).toBe('a\nb\nempty\n');
    await tool('xenstore-exists', '/t/a');
    await expect(tool('xenstore-exists', '/t/none')).rejects.toMatchObject({ code: 1 });
  });

  it('chmod, and ls -fp shows values and permissions', async () => {
    await tool('xenstore-write', '/p/q', '1');
    await tool('xenstore-chmod', '/p/q', 'b0', 'r5');
    expect(await tool('xenstore-ls', '-fp', '/p')).toBe('/p/q = "1"   (b0,r5)\n');
  });

  it('relative paths are those of domain 0', async () => {
    await tool('xenstore-write', 'here', 'v');
    expect(await tool('xenstore-read', '/local/domain/0/here')).toBe('v\n');
  });

  it('rm removes a subtree, and a missing node is an error', async () => {
    await tool('xenstore-write', '/gone/a/b', '1');
    await tool('xenstore-rm', '/gone');
    await expect(tool('xenstore-read', '/gone/a/b')).rejects.toMatchObject({ code: 1 });
  });

  it('watch prints the initial event and then each change', async () => {
    const watcher = spawn('xenstore-watch', ['-n', '3', '/w'], { env: { ...process.env, XENSTORED_PATH: path } });
    const exited = new Promise((resolve) => watcher.once('exit', resolve)); // it may exit before we look
    let seen = '';
    watcher.stdout.on('data', (d: Buffer) => {
      seen += d.toString();
    });
    while (seen === '') await new Promise((r) => setTimeout(r, 20));
    await tool('xenstore-write', '/w/x', '1');
    await tool('xenstore-rm', '/w/x');
    await exited;
    expect(seen).toBe('/w\n/w/x\n/w/x\n');
  });

  it('a directory of more than 4096 octets is listed whole', async () => {
    const args = Array.from({ length: 300 }, (_, i) => [`/big/a-name-that-takes-some-room-${i}`, String(i)]).flat();
    await tool('xenstore-write', ...args);
    expect((await tool('xenstore-list', '/big')).split('\n')).toHaveLength(301);
  });

  it('go on over a live update of the store', async () => {
    // xenstore-control itself wants a hypervisor; what it sends is this.
    const control = async (...args: readonly string[]) => {
      const client = new Client();
      const answers: unknown[] = [];
      for (const [i, words] of [
        ['check'],
        ['live-update', '-f', '/usr/sbin/xenstored'],
        ['live-update', '-s', ...args],
      ].entries()) {
        client.send(XS.CONTROL, strings(...words), i);
        answers.push(await client.next());
      }
      client.socket.destroy();
      return answers;
    };
    await tool('xenstore-write', '/before', '1');
    const ok = (reqId: number) => ({ type: XS.CONTROL, reqId, payload: 'OK\0' });
    expect(await control('-t', '60')).toEqual([ok(0), ok(1), ok(2)]);
    expect(await tool('xenstore-read', '/before')).toBe('1\n');
    expect(await control('-v', '1')).toEqual([ok(0), ok(1), ok(2)]);
    expect(await tool('xenstore-read', '/before')).toBe('1\n');
  });
});

const PYTHON = '/usr/bin/python3';

describe.skipIf(!has('pyxs', PYTHON, 'xenstore-ls'))('Python’s pyxs against xenarium serve', () => {
  it('reads, writes, lists, commits a transaction and waits for events', async () => {
    const script = `
import pyxs, itertools, sys
c = pyxs.Client(unix_socket_path=sys.argv[1]); c.connect()
c.write(b'/py/x', b'bytes and more'); assert c.read(b'/py/x') == b'bytes and more'
assert c.list(b'/py') == [b'x'] and not c.exists(b'/py/none') and c.get_perms(b'/py/x') == [b'n0']
c.transaction(); c.write(b'/py/y', b'2'); assert c.commit(); assert c.read(b'/py/y') == b'2'
m = c.monitor(); m.watch(b'/py', b'tok'); c.write(b'/py/z', b'3')
print([e.path.decode() for e in itertools.islice(m.wait(), 2)])
`;
    const { stdout } = await run(PYTHON, ['-c', script, path]);
    expect(stdout).toBe("['/py', '/py/z']\n");
  });
});

describe('a service that behaves', () => {
  it('puts together messages that come octet by octet', async () => {
    const client = new Client();
    client.socket.setNoDelay(true);
    for (const octet of message(XS.READ, 7, 0, strings('/tool'))) {
      client.socket.write(Uint8Array.of(octet));
      await new Promise((r) => setImmediate(r));
    }
    expect(await client.next()).toEqual({ type: XS.READ, reqId: 7, payload: '' });
    client.socket.destroy();
  });

  it('drops a client that sends an oversize message, and serves the others', async () => {
    const [bad, good] = [new Client(), new Client()];
    bad.socket.write(header(XS.READ, 1, 0, 4097));
    expect(await bad.next()).toBe('closed');
    good.send(XS.READ, strings('/tool'));
    expect(await good.next()).toMatchObject({ type: XS.READ });
    good.socket.destroy();
  });

  it('serves two hundred clients at once', async () => {
    const clients = Array.from({ length: 200 }, () => new Client());
    for (const [i, client] of clients.entries()) client.send(XS.WRITE, octets(`/many/${i}\0`, String(i)));
    for (const client of clients) expect(await client.next()).toMatchObject({ payload: 'OK\0' });
    for (const [i, client] of clients.entries()) client.send(XS.READ, strings(`/many/${199 - i}`));
    for (const [i, client] of clients.entries())
      expect(await client.next()).toMatchObject({ payload: String(199 - i) });
    for (const client of clients) client.socket.destroy();
  });

  it('is not held up by a client that never reads', async () => {
    const [deaf, writer] = [new Client(), new Client()];
    deaf.send(XS.WATCH, strings('/noise', 't'));
    await deaf.next();
    deaf.socket.pause();
    for (let i = 0; i < 3_000; i++) {
      writer.send(XS.WRITE, octets(`/noise/${'x'.repeat(200)}${i}\0`, 'v'));
      expect(await writer.next()).toMatchObject({ payload: 'OK\0' });
    }
    deaf.socket.resume();
    const seen = new Set<string>();
    while (seen.size < 3_001) {
      const event = await deaf.next();
      if (event === 'closed') break;
      seen.add(event.payload);
    }
    expect(seen.size).toBe(3_001); // the initial event, and every one of the others
    for (const c of [deaf, writer]) c.socket.destroy();
  });

  it('outlives clients that vanish in the middle of everything', async () => {
    for (let i = 0; i < 50; i++) {
      const client = new Client();
      client.socket.write(message(XS.WRITE, 1, 0, octets('/v\0', 'x'.repeat(100))).subarray(0, 10 + i));
      client.socket.destroy();
    }
    const client = new Client();
    client.send(XS.DIRECTORY, strings('/'));
    expect(await client.next()).toMatchObject({ type: XS.DIRECTORY });
    client.socket.destroy();
  });

  it('ends cleanly on SIGTERM, and takes the place of a stale socket file', async () => {
    const other = join(dir, 'other');
    const first = await start(['serve', '--socket', other], /serving on/);
    const exited = new Promise((resolve) => first.once('exit', resolve));
    first.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(existsSync(other)).toBe(false);
    const killed = await start(['serve', '--socket', other], /serving on/);
    const dead = new Promise((resolve) => killed.once('exit', resolve));
    killed.kill('SIGKILL');
    await dead;
    expect(existsSync(other)).toBe(true);
    const third = await start(['serve', '--socket', other], /serving on/);
    third.kill('SIGTERM');
  });

  it.each([
    [[], 0o600],
    [['--mode', '660'], 0o660],
  ])('makes a socket that only its owner may connect to, unless told otherwise: %j', async (args, mode) => {
    const other = join(dir, 'with-mode');
    const server = await start(['serve', '--socket', other, ...args], /serving on/);
    expect(statSync(other).mode & 0o777).toBe(mode);
    const exited = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await exited;
  });

  it('lets out what was served when SIGTERM comes', async () => {
    const other = join(dir, 'draining');
    const server = await start(['serve', '--socket', other], /serving on/);
    const client = new Client(other);
    const value = 'v'.repeat(4_000);
    client.send(XS.WRITE, octets('/v\0', value));
    expect(await client.next()).toMatchObject({ payload: 'OK\0' });
    // More replies than the kernel and the store's socket hold between them; nobody reads them before the signal.
    const count = 200;
    client.socket.pause();
    for (let i = 0; i < count; i++) client.send(XS.READ, strings('/v'), i);
    // Who asks later is answered later: then the first has what there is room for.
    const probe = new Client(other);
    for (let i = 0; i < 20; i++) {
      probe.send(XS.READ, strings('/tool'), i);
      await probe.next();
    }
    probe.socket.destroy();
    const exited = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.socket.resume();
    let whole = 0;
    for (let reply = await client.next(); reply !== 'closed'; reply = await client.next()) {
      expect(reply.payload).toBe(value);
      whole++;
    }
    expect(await exited).toBe(0);
    expect(whole).toBeGreaterThan(0);
    expect(client.isBetweenMessages).toBe(true);
  });

  it('goes on in a new log file after SIGHUP', async () => {
    const other = join(dir, 'logging');
    const log = join(dir, 'log');
    const server = await start(['serve', '--socket', other], /serving on/);
    const client = new Client(other);
    client.send(XS.CONTROL, strings('logfile', log));
    await client.next();
    client.send(XS.CONTROL, strings('log', 'on'));
    await client.next();
    client.send(XS.READ, strings('/tool'));
    await client.next();
    renameSync(log, `${log}.1`);
    server.kill('SIGHUP');
    while (!existsSync(log)) await new Promise((resolve) => setTimeout(resolve, 10));
    client.send(XS.READ, strings('/local'));
    await client.next();
    expect(readFileSync(`${log}.1`, 'latin1')).toContain('READ (/tool )');
    expect(readFileSync(log, 'latin1')).toMatch(/^\n\*\*\*\n.*READ \(\/local \)/s);
    expect(readFileSync(`${log}.1`, 'latin1')).not.toContain('/local');
    client.socket.destroy();
    server.kill('SIGTERM');
  });

  it.each([
    [
      'a path that is too long',
      join(dir, 'x'.repeat(120)),
      /ENAMETOOLONG: \d+ octets, the path of a unix socket has at most 107/,
    ],
    ['a path in no folder', join(dir, 'none/socket'), /none\/socket: .*(ENOENT|EACCES)/],
    ['a path that another server has', path, /another program listens there/],
    ['a path that is a file', join(dir, 'file'), /exists and is no socket/],
  ])('refuses %s', (_, where, reason) => {
    if (where.endsWith('file')) writeFileSync(where, '');
    const { code, err } = xenarium('serve', '--socket', where);
    expect(code).toBe(2);
    expect(err).toMatch(reason);
  });
});
