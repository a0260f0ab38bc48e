import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { REQ_CONS, REQ_PROD, RING_BYTES, RSP_AT, RSP_CONS, RSP_PROD, used } from '../../../sim/index.ts';
import { handleOf } from '../serve/handle.ts';

/**
 * A real xenstore daemon, run in a directory of its own under the hypervisor stand-in (standin.c): domains, event
 * channels and shared pages are files there. Nothing is written outside that directory.
 */

const DOMIDS = 32768;
const DOMAIN_OCTETS = 16;
const UNIQUE_ID_AT = 8;
const STATUS_PORTS = 64;
const STATUS_VIRQ = 0;
const STATUS_SECONDS = 3;
const PORT_BASE = 100;
const PAGE_OCTETS = 4096;

/** Whether a daemon is an oxenstored: by its name, as there is no other way to tell before it runs. */
export function isOcaml(binary: string): boolean {
  return basename(binary).startsWith('oxenstored');
}

/** Enough for the slowest machine: what takes longer has hung, and the daemon is no further use. */
const HANG_MS = 20_000;

export const SHUTDOWN_CODES = { poweroff: 0, reboot: 1, suspend: 2, crash: 3 } as const;

/** Where the distribution's packages put the daemons. */
export const INSTALLED_DAEMONS = {
  xenstored: '/usr/lib/xen-4.17/bin/xenstored',
  oxenstored: '/usr/lib/xen-4.17/bin/oxenstored',
} as const;

/** The stand-in's source: beside this file in the tree, four folders up from the compiled program. */
function standinSource(): string {
  const near = join(import.meta.dirname, 'standin.c');
  return existsSync(near) ? near : join(import.meta.dirname, '../../../../scenarios/real/conform/standin.c');
}

let compiled: Promise<Uint8Array> | undefined;

/** Compile the stand-in, once per process; returns the library's octets. Errors: no `cc`, or what it says. */
export function compileStandin(): Promise<Uint8Array> {
  compiled ??= (async () => {
    const dir = await mkdtemp(join(tmpdir(), 'xenarium-standin-'));
    try {
      const library = join(dir, 'standin.so');
      await promisify(execFile)('cc', ['-O1', '-shared', '-fPIC', '-o', library, standinSource(), '-ldl']);
      return await readFile(library);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  })();
  return compiled;
}

/** Why no daemon can be run here, in words; `undefined` when one can. */
export async function whyNot(binary: string): Promise<string | undefined> {
  if (!existsSync(binary)) return `${binary} is not installed`;
  try {
    await compileStandin();
    return undefined;
  } catch (error) {
    return `the hypervisor stand-in does not compile: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** One client of the daemon's unix socket. */
export class SocketClient {
  readonly #socket: Socket;
  #chunks: Uint8Array[] = [];
  #isOpen = true;

  /** `onArrival` is called whenever octets, or the end, have come. */
  constructor(socket: Socket, onArrival: () => void) {
    this.#socket = socket;
    socket.on('data', (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      onArrival();
    });
    const end = () => {
      this.#end();
      onArrival();
    };
    socket.on('error', end); // the daemon closed it with octets unread; 'close' would come a turn later
    socket.on('end', end);
  }

  #end(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  /** False once the daemon has closed it, and everything that came before has been received. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Octets that the kernel has not taken yet. */
  get unsent(): number {
    return this.#isOpen ? this.#socket.writableLength : 0;
  }

  send(octets: Uint8Array): void {
    if (this.#isOpen && octets.length > 0) this.#socket.write(octets);
  }

  /** All that came since the last call. */
  take(): readonly Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  hold(): void {
    this.#socket.pause();
  }

  free(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#end();
  }
}

/** A guest's end of its ring page; the page is a file that the daemon has mapped, so reads and writes here are its memory. */
export class RingPage {
  readonly #fd: number;
  readonly #word = new Uint8Array(4);
  readonly #wordView = new DataView(this.#word.buffer);

  constructor(path: string) {
    this.#fd = openSync(path, 'r+');
  }

  /** One u32 of the page, at an offset of xs_wire.h. */
  read32(at: number): number {
    readSync(this.#fd, this.#word, 0, 4, at);
    return this.#wordView.getUint32(0, true);
  }

  write32(at: number, value: number): void {
    this.#wordView.setUint32(0, value, true);
    writeSync(this.#fd, this.#word, 0, 4, at);
  }

  /** Put in as much as there is room for; returns the count. */
  put(octets: Uint8Array): number {
    const prod = this.read32(REQ_PROD);
    const unread = used(prod, this.read32(REQ_CONS));
    const count = Math.min(octets.length, unread > RING_BYTES ? 0 : RING_BYTES - unread);
    this.#copy(prod, count, (from, length, at) => writeSync(this.#fd, octets, from, length, at));
    if (count > 0) this.write32(REQ_PROD, (prod + count) >>> 0);
    return count;
  }

  /** Take out everything that is there. */
  take(): Uint8Array {
    const cons = this.read32(RSP_CONS);
    const count = used(this.read32(RSP_PROD), cons);
    if (count === 0 || count > RING_BYTES) return new Uint8Array(0);
    const octets = new Uint8Array(count);
    this.#copy(cons, count, (from, length, at) => readSync(this.#fd, octets, from, length, RSP_AT + at));
    this.write32(RSP_CONS, (cons + count) >>> 0);
    return octets;
  }

  /** One step per contiguous piece of the ring. */
  #copy(index: number, count: number, step: (from: number, length: number, at: number) => void): void {
    for (let from = 0; from < count; ) {
      const at = (index + from) % RING_BYTES;
      const length = Math.min(count - from, RING_BYTES - at);
      step(from, length, at);
      from += length;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export interface DaemonOptions {
  /** Path of a C xenstored or an oxenstored (told apart by the name). */
  readonly binary: string;
  /** Further arguments. */
  readonly args?: readonly string[];
  /** Start as the successor of another daemon, of which this is left; the C daemon only. */
  readonly succeeds?: Legacy;
}

/** Process numbers that an image must have, so that what it names is there. */
export interface LegacyNumbers {
  readonly listenerFd: number;
  /** As many as were asked for, in their order. */
  readonly socketFds: readonly number[];
  /** The daemon's own port of a domain, dom0's included. */
  readonly portOf: (domid: number) => number;
}

/** What a daemon leaves to its successor: descriptors, bound ports, guests' pages and its state. */
export interface Legacy {
  /** Domains whose rings were connected; dom0's always was. */
  readonly domids: readonly number[];
  /** How many clients were connected to the unix socket. */
  readonly sockets: number;
  readonly image: (numbers: LegacyNumbers) => Uint8Array;
}

/** The daemon sleeps; so many sockets have no room for what it wants to send. */
interface Idle {
  readonly blocked: number;
}

/** A running daemon. */
export class Daemon {
  readonly binary: string;
  readonly dir: string;
  readonly #child: ChildProcess;
  readonly #control: Socket;
  readonly #server: Server;
  readonly #fds: { readonly domains: number; readonly status: number; readonly evtchn: number };
  readonly #stderr: string[];
  readonly #clients = new Set<SocketClient>();
  /** How often sockets brought something; only changes matter. */
  #arrivals = 0;
  #sequence = 0;
  /** Of the youngest domain; dom0 has 1. */
  #uniqueId = 1;
  #waiting: ((idle: Idle | undefined) => void) | undefined;
  #isAlive = true;

  /** Use `startDaemon`. */
  constructor(parts: {
    binary: string;
    dir: string;
    child: ChildProcess;
    control: Socket;
    server: Server;
    stderr: string[];
  }) {
    this.binary = parts.binary;
    this.dir = parts.dir;
    this.#child = parts.child;
    this.#control = parts.control;
    this.#server = parts.server;
    this.#stderr = parts.stderr;
    this.#fds = {
      domains: openSync(join(this.dir, 'domains'), 'r+'),
      status: openSync(join(this.dir, 'status'), 'r'),
      evtchn: openSync(join(this.dir, 'evtchn'), constants.O_RDWR | constants.O_NONBLOCK),
    };
    let rest = new Uint8Array(0);
    this.#control.on('data', (chunk: Uint8Array) => {
      rest = rest.length === 0 ? new Uint8Array(chunk) : new Uint8Array([...rest, ...chunk]);
      for (; rest.length >= 8; rest = rest.slice(8)) {
        const sequence = new DataView(rest.buffer, rest.byteOffset).getUint32(0, true);
        const blocked = new DataView(rest.buffer, rest.byteOffset).getUint32(4, true);
        if (sequence === this.#sequence) this.#settle({ blocked });
      }
    });
    this.#control.on('error', () => {});
    this.#child.once('exit', (code, signal) => {
      this.#isAlive = false;
      this.#stderr.push(signal === null ? `exit ${code}\n` : `${signal}\n`);
      this.#settle(undefined);
    });
  }

  #settle(idle: Idle | undefined): void {
    this.#waiting?.(idle);
    this.#waiting = undefined;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** What the daemon and the stand-in have complained about. */
  get complaints(): string {
    return this.#stderr.join('');
  }

  /**
   * Resolves when everything done so far has been dealt with, the daemon waits in poll with nothing ready, and what it
   * sent to sockets has been received (unless they are held); false when it has died.
   */
  async quiet(): Promise<boolean> {
    for (;;) {
      // A second write to a socket within one turn may wait for the next tick: the question must not overtake it.
      await new Promise<void>((resolve) => process.nextTick(resolve));
      const arrivals = this.#arrivals;
      const unsent = this.#unsent();
      const idle = await this.#ask();
      // A full socket, in either direction, holds things up until the other side reads. Both have read: ask again.
      if (idle === undefined) return false;
      if (!(idle.blocked > 0 && this.#arrivals !== arrivals) && this.#unsent() >= unsent) return true;
    }
  }

  #unsent(): number {
    let octets = 0;
    for (const client of this.#clients) octets += client.unsent;
    return octets;
  }

  /** Ask once; `undefined` when the daemon has died. */
  async #ask(): Promise<Idle | undefined> {
    if (!this.#isAlive) return undefined;
    this.#sequence = (this.#sequence % 0xffff_fffe) + 1; // never 0
    const question = new Uint8Array(4);
    new DataView(question.buffer).setUint32(0, this.#sequence, true);
    const idle = await new Promise<Idle | undefined>((resolve) => {
      const watchdog = setTimeout(() => {
        this.#child.kill('SIGKILL'); // 'exit' settles it
        this.#stderr.push(`no quiet within ${HANG_MS} ms\n`);
      }, HANG_MS);
      this.#waiting = (answer) => {
        clearTimeout(watchdog);
        resolve(answer);
      };
      this.#control.write(question);
    });
    // What the daemon sent lay in the kernel before its answer did, but one turn of the event loop does not always read
    // all of a socket. A turn that reads nothing proves that nothing is left; the first one here is only the end of one.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (let before = -1; before !== this.#arrivals; ) {
      before = this.#arrivals;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return idle;
  }

  /** Open a privileged connection; resolves when the daemon has accepted it. */
  async openSocket(): Promise<SocketClient> {
    const socket = connect(join(this.dir, 'socket'));
    await isConnected(socket);
    const client = this.adopt(socket);
    await this.quiet();
    return client;
  }

  /** Make a connected socket one of its clients. */
  adopt(socket: Socket): SocketClient {
    const client = new SocketClient(socket, () => this.#arrivals++);
    this.#clients.add(client);
    socket.once('close', () => this.#clients.delete(client));
    return client;
  }

  /** Let a domain exist, with a fresh ring page, and return the page. Nobody has introduced it yet. */
  async createDomain(domid: number): Promise<RingPage> {
    const path = join(this.dir, `page-${domid}`);
    if (!this.exists(domid)) await writeFile(path, new Uint8Array(PAGE_OCTETS));
    if (!this.exists(domid)) this.#setDomain(domid, { exists: 1, uniqueId: ++this.#uniqueId });
    return new RingPage(path);
  }

  exists(domid: number): boolean {
    return this.#entry(domid)[0] !== 0;
  }

  #entry(domid: number): Uint8Array {
    const entry = new Uint8Array(DOMAIN_OCTETS);
    readSync(this.#fds.domains, entry, 0, DOMAIN_OCTETS, domid * DOMAIN_OCTETS);
    return entry;
  }

  /** What the hypervisor tells of a domain changes; while the VIRQ is bound, it also remembers that it did. */
  #setDomain(domid: number, to: { exists: 0 | 1; shutdown?: number; dying?: 1; uniqueId?: number }): void {
    const entry = to.exists === 1 && to.uniqueId === undefined ? this.#entry(domid) : new Uint8Array(DOMAIN_OCTETS);
    entry[0] = to.exists;
    if (to.shutdown !== undefined) [entry[1], entry[2]] = [1, to.shutdown];
    if (to.dying !== undefined) entry[3] = to.dying;
    entry[4] = this.#status(STATUS_VIRQ) === 0 ? 0 : 1;
    if (to.uniqueId !== undefined) new DataView(entry.buffer).setUint32(UNIQUE_ID_AT, to.uniqueId, true);
    writeSync(this.#fds.domains, entry, 0, DOMAIN_OCTETS, domid * DOMAIN_OCTETS);
  }

  /** The domain shuts down, and the store is told. */
  shutdownDomain(domid: number, reason: keyof typeof SHUTDOWN_CODES): void {
    this.#setDomain(domid, { exists: 1, shutdown: SHUTDOWN_CODES[reason] });
    this.#raiseVirq();
  }

  /** The domain is destroyed, as a toolstack does it: dying while its pages are mapped elsewhere, then gone. */
  async destroyDomain(domid: number): Promise<void> {
    this.#setDomain(domid, { exists: 1, dying: 1 });
    this.#raiseVirq();
    await this.quiet();
    this.#setDomain(domid, { exists: 0 });
    await rm(join(this.dir, `page-${domid}`), { force: true });
    this.#raiseVirq(); // the second one, when the last mapping is gone and the domid is free
  }

  #raiseVirq(): void {
    const port = this.#status(STATUS_VIRQ);
    if (port !== 0) this.#makeReady(port);
  }

  /** The guest's event channel; without effect while the daemon has not bound its end. */
  kick(domid: number): void {
    if (this.#status(STATUS_PORTS + domid) !== 0) this.#makeReady(PORT_BASE + domid);
  }

  #status(word: number): number {
    const octets = new Uint8Array(4);
    readSync(this.#fds.status, octets, 0, 4, 4 * word);
    return new DataView(octets.buffer).getUint32(0, true);
  }

  #makeReady(port: number): void {
    const octets = new Uint8Array(4);
    new DataView(octets.buffer).setUint32(0, port, true);
    writeSync(this.#fds.evtchn, octets);
  }

  /** Kill the daemon and remove its directory. */
  async stop(): Promise<void> {
    if (this.#isAlive) {
      const exited = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
      this.#child.kill('SIGKILL');
      await exited;
    }
    this.#control.destroy();
    this.#server.close();
    for (const fd of Object.values(this.#fds)) closeSync(fd);
    await rm(this.dir, { recursive: true, force: true });
  }
}

function isConnected(socket: Socket): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
}

/** A daemon that has taken over, and the clients that were connected all the time. */
export interface Successor {
  readonly daemon: Daemon;
  readonly sockets: readonly SocketClient[];
}

/** The first descriptor that a child inherits beside its standard ones. */
const FIRST_FD = 3;

/** Files and descriptors of a legacy in the daemon's directory; `release` gives up this process's copies. */
async function bequeath(dir: string, legacy: Legacy) {
  const path = join(dir, 'socket');
  const accepted: Socket[] = [];
  let onAccept = () => {};
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    accepted.push(socket);
    onAccept();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const clients: Socket[] = [];
  while (clients.length < legacy.sockets) {
    const arrived = new Promise<void>((resolve) => {
      onAccept = resolve;
    });
    const client = connect(path);
    clients.push(client);
    await Promise.all([isConnected(client), arrived]);
  }
  for (const domid of [0, ...legacy.domids]) {
    await patch(join(dir, 'domains'), domid * DOMAIN_OCTETS, [1, 0, 0, 0]);
    await writeZeros(join(dir, `page-${domid}`), PAGE_OCTETS);
    await patch(join(dir, 'status'), 4 * (STATUS_PORTS + domid), [domid === 0 ? 1 : 7, 0, 0, 0]);
  }
  const image = legacy.image({
    listenerFd: FIRST_FD,
    socketFds: accepted.map((_, i) => FIRST_FD + 1 + i),
    portOf: (domid) => PORT_BASE + domid,
  });
  await writeFile(join(dir, 'state_dump'), image);
  // The C daemon reads sockets in blocking mode: it takes EAGAIN for the end (readfd in xenstored_core.c).
  for (const socket of accepted) handleOf(socket).setBlocking(true);
  return {
    fds: [server, ...accepted].map((one) => handleOf(one).fd),
    clients,
    release: async () => {
      for (const socket of accepted) socket.destroy();
      // Closing a server removes the name that it was bound to.
      await rename(path, `${path}.kept`);
      await new Promise((resolve) => server.close(resolve));
      await rename(`${path}.kept`, path);
    },
  };
}

/** Start a daemon; resolves when it waits for its first client. Errors: it does not start; what it said is in the message. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  return (await launch(options)).daemon;
}

/** Start a C daemon with `-U` on what another has left to it. Errors: as `startDaemon`. */
export function startSuccessor(options: DaemonOptions & { readonly succeeds: Legacy }): Promise<Successor> {
  return launch(options);
}

async function launch(options: DaemonOptions): Promise<Successor> {
  const standin = await compileStandin();
  const dir = await mkdtemp(join(tmpdir(), 'xenarium-daemon-'));
  const library = join(dir, 'standin.so'); // a live update loads it again
  await writeFile(library, standin);
  await writeZeros(join(dir, 'domains'), DOMIDS * DOMAIN_OCTETS);
  await writeZeros(join(dir, 'status'), (STATUS_PORTS + DOMIDS) * 4);
  await writeZeros(join(dir, 'page-0'), PAGE_OCTETS);
  await writeFile(join(dir, 'xsd_port'), '1');
  const conf = `persistent = false\nxenstored-kva = ${join(dir, 'page-0')}\nxenstored-port = ${join(dir, 'xsd_port')}\n`;
  await writeFile(join(dir, 'oxenstored.conf'), conf);
  await patch(join(dir, 'domains'), 0, [1]);
  await patch(join(dir, 'domains'), UNIQUE_ID_AT, [1]);
  await patch(join(dir, 'status'), 4 * STATUS_SECONDS, [0, 0, 0x10, 0]); // any time but zero will do

  const server = createServer();
  const control = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(join(dir, 'control'), resolve));

  const ocaml = isOcaml(options.binary);
  const own = ocaml
    ? ['--no-fork', '--config-file', join(dir, 'oxenstored.conf')]
    : ['--no-fork', '--pid-file', join(dir, 'pid')];
  const left = options.succeeds === undefined ? undefined : await bequeath(dir, options.succeeds);
  const child = spawn(options.binary, [...own, ...(left === undefined ? [] : ['-U']), ...(options.args ?? [])], {
    cwd: dir,
    env: {
      PATH: '/usr/bin:/bin',
      LD_PRELOAD: library,
      XENARIUM_STANDIN: dir,
      XENSTORED_RUNDIR: dir,
      XENSTORED_PATH: join(dir, 'socket'),
    },
    stdio: ['ignore', 'ignore', 'pipe', ...(left?.fds ?? [])],
  });
  const stderr: string[] = [];
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (text: string) => stderr.push(text));
  const died = new Promise<undefined>((resolve) => {
    child.once('exit', () => resolve(undefined));
    child.once('error', () => resolve(undefined));
  });
  await left?.release();
  const connected = await Promise.race([control, died]);
  const fail = async (): Promise<never> => {
    server.close();
    await rm(dir, { recursive: true, force: true });
    throw new Error(`${options.binary} does not start: ${stderr.join('').trim() || 'it said nothing'}`);
  };
  if (connected === undefined) return fail();
  const daemon = new Daemon({ binary: options.binary, dir, child, control: connected, server, stderr });
  const sockets = (left?.clients ?? []).map((socket) => daemon.adopt(socket));
  if (await daemon.quiet()) return { daemon, sockets };
  await daemon.stop();
  return fail();
}

async function writeZeros(path: string, octets: number): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(octets);
  await file.close();
}

async function patch(path: string, at: number, octets: readonly number[]): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(new Uint8Array(octets), 0, octets.length, at);
  await file.close();
}
