import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDead, standStill } from '../other-process.ts';
import { packageFile } from '../package-file.ts';
import { Channel } from './channel.ts';

let compiled: Uint8Array | undefined;

/** The stand-in as a library, compiled once in each thread; its octets. Errors: there is no `cc`, or what it says. */
export function compiledStandin(): Uint8Array {
  compiled ??= compile();
  return compiled;
}

function compile(): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), 'xenarium-standin-'));
  try {
    const library = join(dir, 'standin.so');
    execFileSync(
      'cc',
      ['-O2', '-shared', '-fPIC', '-o', library, packageFile('scenarios/real/lockstep/standin.c'), '-ldl'],
      { stdio: 'pipe' },
    );
    return new Uint8Array(readFileSync(library));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The last octets of what a daemon has said that are worth telling. */
const LOG_MAX = 4_000;

/** A daemon's process, and the directory that it has for its own. */
export class DaemonProcess {
  readonly channel: Channel;
  readonly dir: string;
  readonly #pid: number | undefined;
  #isGone = false;

  /**
   * Start it; it runs up to its first call. What it sees is the same in each run: arguments, environment, descriptors and the
   * names of files; its directory is the working directory, and is never named to it.
   * @param files what is in its directory beside the stand-in.
   */
  constructor(
    binary: string,
    args: readonly string[],
    standin: Uint8Array,
    files: ReadonlyMap<string, Uint8Array | string>,
  ) {
    this.dir = mkdtempSync(join(tmpdir(), 'xenarium-daemon-'));
    const own: number[] = [];
    const open = (path: string, flags: string) => {
      const fd = openSync(path, flags);
      own.push(fd);
      return fd;
    };
    try {
      const [to, from] = [join(this.dir, 'to'), join(this.dir, 'from')];
      execFileSync('mkfifo', ['-m', '600', to, from]);
      writeFileSync(join(this.dir, 'standin.so'), standin);
      for (const [name, octets] of files) writeFileSync(join(this.dir, name), octets);
      // An end opens only where there is the other: both, at first.
      open(to, 'r+');
      open(from, 'r+');
      const theirs = [open(to, 'r'), open(from, 'w')];
      this.channel = new Channel(openSync(to, 'w'), openSync(from, 'r'));
      const log = open(join(this.dir, 'log'), 'w');
      const child = spawn(binary, args, {
        cwd: this.dir,
        env: ENVIRONMENT,
        stdio: ['ignore', log, log, ...theirs],
        detached: true, // a process group of its own, to be killed as one
      });
      child.on('error', () => {}); // the channel tells
      child.unref();
      this.#pid = child.pid;
    } catch (error) {
      rmSync(this.dir, { recursive: true, force: true });
      throw error;
    } finally {
      for (const fd of own) closeSync(fd);
    }
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  /** The octets of a file in its directory; `undefined`: there is none. */
  read(name: string): Uint8Array | undefined {
    const path = join(this.dir, name);
    return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined;
  }

  write(name: string, octets: Uint8Array): void {
    writeFileSync(join(this.dir, name), octets);
  }

  /** The end of what it has said. */
  get lastWords(): string {
    const log = this.read('log') ?? new Uint8Array(0);
    return new TextDecoder().decode(log.subarray(Math.max(0, log.length - LOG_MAX))).trim();
  }

  /** Kill it with all that it has started, and remove its directory. */
  kill(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    if (this.#pid !== undefined) {
      try {
        process.kill(-this.#pid, 'SIGKILL');
      } catch {} // it is gone already
      this.channel.drain();
      awaitDeath(this.#pid);
    }
    this.channel.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Longest wait for a killed process, in ms: its descriptors are closed before it is dead, and little is left to do by then. */
const DEATH_MAX_MS = 2_000;

/** Wait until a killed process is dead: only a zombie is left of it, for Node to take. Where /proc does not tell, nobody waits. */
function awaitDeath(pid: number): void {
  for (let waited = 0; waited < DEATH_MAX_MS && !isDead(pid); waited++) standStill(1);
}

const ENVIRONMENT = {
  PATH: '/usr/bin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
  LD_PRELOAD: './standin.so',
  XENARIUM_LOCKSTEP: '1',
  /** Sanitizers want to come first, and find no leaks in what is killed. */
  ASAN_OPTIONS: 'verify_asan_link_order=0:detect_leaks=0',
} as const;

/** The thread that calls, and a processor on which it may run; `undefined` where /proc does not tell. */
export function ownThread(): { readonly thread: number; readonly cpu: number } | undefined {
  try {
    const thread = Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0]);
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1');
    // Fields behind the name, which ends with the last parenthesis; the processor is the 39th of all.
    const cpu = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[36]);
    return Number.isInteger(thread) && Number.isInteger(cpu) ? { thread, cpu } : undefined;
  } catch {
    return undefined;
  }
}
