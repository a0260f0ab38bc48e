import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HandedOver, prepareHandOver } from './handed-over.ts';
import { MachineFiles, makeMachine, pageOf, type SHUTDOWN_CODES } from './machine-files.ts';
import { RingPage } from './ring-page.ts';
import { isConnected, SocketClient } from './socket-client.ts';
import { compileStandin, isOcaml } from './standin.ts';

/**
 * A real xenstore daemon, run in a directory of its own under the hypervisor stand-in (standin.c): domains, event
 * channels and shared pages are files there. Nothing is written outside that directory.
 */

/** Enough for the slowest machine: what takes longer has hung, and the daemon is no further use. */
const HANG_MS = 20_000;
/** What is noted when it has. */
export const HUNG = `no quiet within ${HANG_MS} ms`;

export interface DaemonOptions {
  /** Path of a C xenstored or an oxenstored (told apart by the name). */
  readonly binary: string;
  /** Further arguments. */
  readonly args?: readonly string[];
  /** Start as the successor of another daemon, which has handed this over; the C daemon only. */
  readonly succeeds?: HandedOver;
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
  readonly #machine: MachineFiles;
  readonly #stderr: string[];
  readonly #clients = new Set<SocketClient>();
  /** How often sockets brought something; only changes matter. */
  #arrivals = 0;
  #sequence = 0;
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
    this.#machine = new MachineFiles(this.dir);
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
        this.#stderr.push(`${HUNG}\n`);
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
    if (!this.exists(domid)) await this.#machine.create(domid);
    return new RingPage(pageOf(this.dir, domid));
  }

  exists(domid: number): boolean {
    return this.#machine.exists(domid);
  }

  /** The domain shuts down, and the store is told. */
  shutdownDomain(domid: number, reason: keyof typeof SHUTDOWN_CODES): void {
    this.#machine.shutdown(domid, reason);
  }

  /** The domain is destroyed, as a toolstack does it: dying while its pages are mapped elsewhere, then gone. */
  async destroyDomain(domid: number): Promise<void> {
    this.#machine.beginDeath(domid);
    await this.quiet();
    await this.#machine.endDeath(domid);
  }

  /** The guest's event channel; without effect while the daemon has not bound its end. */
  kick(domid: number): void {
    this.#machine.kick(domid);
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
    this.#machine.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** A daemon that has taken over, and the clients that were connected all the time. */
export interface Successor {
  readonly daemon: Daemon;
  readonly sockets: readonly SocketClient[];
}

/** What was started is no daemon, or not one that starts; what it said is in the message. */
export class DaemonNotStarted extends Error {}

/** Start a daemon; resolves when it waits for its first client. Errors: `DaemonNotStarted`. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  return (await launch(options)).daemon;
}

/** Start a C daemon with `-U` on what another has handed over. Errors: as `startDaemon`. */
export function startSuccessor(options: DaemonOptions & { readonly succeeds: HandedOver }): Promise<Successor> {
  return launch(options);
}

async function launch(options: DaemonOptions): Promise<Successor> {
  const standin = await compileStandin();
  const dir = await mkdtemp(join(tmpdir(), 'xenarium-daemon-'));
  const library = join(dir, 'standin.so'); // a live update loads it again
  await writeFile(library, standin);
  await makeMachine(dir);
  await writeFile(join(dir, 'xsd_port'), '1');
  const conf = `persistent = false\nxenstored-kva = ${pageOf(dir, 0)}\nxenstored-port = ${join(dir, 'xsd_port')}\n`;
  await writeFile(join(dir, 'oxenstored.conf'), conf);

  const server = createServer();
  const control = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(join(dir, 'control'), resolve));

  const ocaml = isOcaml(options.binary);
  const own = ocaml
    ? ['--no-fork', '--config-file', join(dir, 'oxenstored.conf')]
    : ['--no-fork', '--pid-file', join(dir, 'pid')];
  const handed = options.succeeds === undefined ? undefined : await prepareHandOver(dir, options.succeeds);
  const child = spawn(options.binary, [...own, ...(handed === undefined ? [] : ['-U']), ...(options.args ?? [])], {
    cwd: dir,
    env: {
      PATH: '/usr/bin:/bin',
      LD_PRELOAD: library,
      XENARIUM_STANDIN: dir,
      XENSTORED_RUNDIR: dir,
      XENSTORED_PATH: join(dir, 'socket'),
    },
    stdio: ['ignore', 'ignore', 'pipe', ...(handed?.fds ?? [])],
  });
  const stderr: string[] = [];
  child.stderr?.setEncoding('utf8');
  child.stderr?.on('data', (text: string) => stderr.push(text));
  const died = new Promise<undefined>((resolve) => {
    child.once('exit', () => resolve(undefined));
    child.once('error', (error) => {
      stderr.push(`${error.message}\n`);
      resolve(undefined);
    });
  });
  await handed?.release();
  const connected = await Promise.race([control, died]);
  const fail = async (): Promise<never> => {
    server.close();
    await rm(dir, { recursive: true, force: true });
    const said = stderr.join('').trim() || 'it said nothing';
    throw new DaemonNotStarted(`${options.binary} does not start as a xenstore daemon: ${said}`);
  };
  if (connected === undefined) return fail();
  const daemon = new Daemon({ binary: options.binary, dir, child, control: connected, server, stderr });
  const sockets = (handed?.clients ?? []).map((socket) => daemon.adopt(socket));
  if (await daemon.quiet()) return { daemon, sockets };
  await daemon.stop();
  return fail();
}
