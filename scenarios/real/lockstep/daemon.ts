import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Digest } from '../../../sim/index.ts';
import type { StartStore } from '../../../store/index.ts';
import type { DaemonNamed, RealTraits } from '../../engine/scenario.ts';
import { knownEnd } from './known-ends.ts';
import { compiledStandin, DaemonProcess } from './launch.ts';
import { RealStore } from './real-store.ts';
import { SucceededStore } from './succeeded-store.ts';
import { type Traits, traitsOf } from './traits.ts';

export interface RealDaemonOptions {
  /** A C xenstored or an oxenstored. */
  readonly binary: string;
  /** What its live updates execute, or OURS; left out: itself. */
  readonly successor?: string | undefined;
  /** Runs do what released daemons are known not to survive, too. */
  readonly all?: boolean | undefined;
}

const OXENSTORED_DIFFERS = {
  label: 'oxenstored',
  what: 'answers, events or commits in which oxenstored differs from the C daemon, or a defect: docs/daemons.md lists the former',
} as const;

const RELEASES_DIFFER = {
  label: 'another-release',
  what: 'answers or events in which the release that an update executed differs from the one before, or a defect',
} as const;

/** What the stand-in knows by these names. */
const OXENSTORED_CONF = `persistent = false
xenstored-kva = /proc/xen/xsd_kva
xenstored-port = /proc/xen/xsd_port
`;

/** Where a debugger is, and how long it may look, ms. */
const DEBUGGER = { path: '/usr/bin/gdb', ms: 20_000 } as const;

/** Names this package's own store as a successor. */
export const OURS = 'ours';

/** A daemon's binary that serves runs, each with a process of its own. */
export class RealDaemon {
  /** With which another thread, and a token, make the same of it. */
  readonly named: DaemonNamed;
  readonly traits: Traits;
  readonly #binary: string;
  readonly #successor: string;
  readonly #isSucceededByOurs: boolean;
  readonly #standin: Uint8Array;
  readonly #processes: DaemonProcess[] = [];

  /** Errors: it is no daemon, or the stand-in cannot be compiled: the message says which. */
  constructor(options: RealDaemonOptions) {
    const { binary } = options;
    const successor = options.successor === undefined || options.successor === OURS ? binary : options.successor;
    for (const each of [binary, successor]) {
      const traits = traitsOf(each);
      if (typeof traits === 'string') throw new Error(traits);
    }
    this.traits = traitsOf(binary) as Traits;
    this.#isSucceededByOurs = options.successor === OURS;
    if (this.#isSucceededByOurs && this.traits.kind === 'oxenstored')
      throw new Error('ours does not read the image of an oxenstored, which is a text of its own');
    this.#binary = resolve(binary);
    this.#successor = resolve(successor);
    this.#standin = compiledStandin();
    const { all } = options;
    this.named = { binary, ...(options.successor && { successor }), ...(all && { all }), digest: this.#digest() };
  }

  #digest(): string {
    const digest = new Digest();
    for (const path of [this.#binary, this.#successor]) {
      const octets = readFileSync(path);
      digest.octets(octets, 0, octets.length);
    }
    return digest.hex();
  }

  get #isOfTwoReleases(): boolean {
    const successor = traitsOf(this.#successor);
    return typeof successor !== 'string' && successor.compat !== this.traits.compat;
  }

  /** What a run has to know of it. */
  get real(): RealTraits {
    const { kind, compat, streamVersion } = this.traits;
    return {
      compat,
      streamVersion,
      limitsWrites: kind === 'xenstored',
      avoids: this.named.all !== true,
      differs: kind === 'oxenstored' ? OXENSTORED_DIFFERS : this.#isOfTwoReleases ? RELEASES_DIFFER : undefined,
      daemon: this.named,
    };
  }

  /** What makes a run one on this daemon. */
  get extras(): { readonly startStore: StartStore; readonly real: RealTraits } {
    return { startStore: this.startStore, real: this.real };
  }

  /** Start it as the store of a simulated host. */
  readonly startStore: StartStore = (machine, domain, setup) =>
    new (this.#isSucceededByOurs ? SucceededStore : RealStore)(machine, domain, {
      ...setup,
      launch: () => {
        const started = this.#launch(setup.dom0Port, setup.eventsExpire !== false);
        this.#processes.push(started);
        return started;
      },
      successor: this.#successor,
      stateFile: this.traits.stateFile,
      autopsy: backtrace,
      knownEnd,
    });

  /** Kill what still runs: to be called behind each run, whatever came of it. */
  close(): void {
    for (const process of this.#processes.splice(0)) process.kill();
  }

  #launch(dom0Port: number, eventsExpire: boolean): DaemonProcess {
    const files = new Map([
      ['xsd_port', String(dom0Port)],
      ['oxenstored.conf', OXENSTORED_CONF],
    ]);
    const args =
      this.traits.kind === 'oxenstored'
        ? ['--no-fork', '--config-file', '/etc/xen/oxenstored.conf']
        : [
            '--no-fork',
            '--pid-file',
            '/var/run/xenstored/pid',
            ...(eventsExpire ? [] : ['--timeout', 'watch-event=0']),
          ];
    return new DaemonProcess(this.#binary, args, this.#standin, files);
  }
}

/** Where each of its threads is, in the words of a debugger; '' where there is none. */
function backtrace({ pid, dir }: DaemonProcess): string {
  if (pid === undefined || !existsSync(DEBUGGER.path)) return '';
  try {
    const told = execFileSync(DEBUGGER.path, ['-nx', '-batch', '-p', String(pid), '-ex', 'bt 40'], {
      encoding: 'utf8',
      cwd: dir, // where its libraries are
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: DEBUGGER.ms,
    });
    return told
      .split('\n')
      .filter((line) => line.startsWith('#'))
      .join('\n');
  } catch {
    return '';
  }
}
