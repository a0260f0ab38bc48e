import type { Domain, Listener, Machine, Port } from '../../sim/index.ts';
import type { CompatName } from '../daemon/compat.ts';
import type { StorePolicy } from '../daemon/options.ts';
import type { Files } from '../daemon/platform.ts';
import type { DaemonState as NeutralState, StateFormat } from '../format/model/index.ts';
import type { UpdateRecord } from './update-record.ts';

/**
 * The seam between a host and what serves its xenstore. Everything above it (hosts, scenarios, faults, the laboratory) knows a
 * store by this file alone; the daemon of this package is one that can stand behind it, and any other may.
 *
 * Clients meet a store nowhere but at rings, ports and sockets, and all that judges it looks there. So a store, whatever it is,
 * 1. reaches guests by hypercalls of its own domain alone: grant 1 of a client for its ring page, an interdomain port for its
 *    events, VIRQ_DOM_EXC for the ends of domains; and the programs of its domain by the listener that it is given;
 * 2. gives each store to an index word of a ring that it has mapped to the trace, its client's and its own (`index`);
 * 3. tells what it does as `StoreNews` under the domid of its domain, in the order that stands there. What is not told has not
 *    happened: a port that it has not told of is taken for that of another program;
 * 4. is asked for a live update by its clients, with CONTROL, and answers there.
 */
export interface StoreProcess {
  /** Why there is no process (any more); `undefined`: it runs. Once set it stays. */
  readonly ended: string | undefined;
  /** What it has died of by itself; `undefined`: it lives, it was ended, or it is one that cannot die. */
  readonly death?: StoreDeath | undefined;
  /** Ports of its domain that it has open, that of VIRQ_DOM_EXC among them, in no order that means anything. Empty at its end. */
  readonly ports: readonly Port[];
  /** Live updates that have come to their end, in the order in which they began; one is added when its news has been told. */
  readonly updates: readonly UpdateRecord[];
  /** What its files handed over in the last update that succeeded; `undefined`: that went through an image, or there was none. */
  readonly handedOver: NeutralState | undefined;
  /** What it knows now, for people who look into a run; asked between two runs of anything else, and changes nothing. Left out: it
   *  cannot be asked. In a live update there is nothing in it. */
  readonly look?: () => NeutralState;
  /** Later live updates go through files of this format, whatever version their requester asks for; `undefined`: through images
   *  of that version. Looked at when an update begins. */
  format: StateFormat | undefined;
  /** Whether the write rate limit keeps it from reading a guest: it has work although nothing happens. */
  readonly waitsForCredit: boolean;
  /** INJ-R3: others run between any two of its accesses to a ring. Looked at before each move; false when it starts. */
  movesInSteps: boolean;
  /** INJ-T10: whether an allocation for a request of this domain fails. Asked within a step of the store, once for each request
   *  that needs memory; each failure is told as `no-memory`, and answered ENOMEM. `undefined`: none fails, as when it starts. */
  allocationFails: ((domid: number) => boolean) | undefined;
  /** INJ-T11: the wall clock, by which transactions and live updates are timed, goes on so many seconds later, or earlier. */
  jumpWallClock(seconds: number): void;
  /** SIGHUP: the file of its trace is closed and opened anew, so that whoever turns logs over gets a new one. */
  hangUp(): void;
  /**
   * Kill it between two of its steps; never called from one. It tells `ended`; then the kernel closes what it had: ports (their
   * peers get no event), mappings, the sockets of its clients, the listening socket: who waits there, or comes later, is turned
   * away. Nothing when it has ended already.
   */
  end(): void;
}

/** The end of a process that nobody has ended. */
export interface StoreDeath {
  /** How it ended, and the last that it said; one line, alike for what is alike. */
  readonly what: string;
  /** What it read last, what it said, where it was; a line each. */
  readonly lines: readonly string[];
  /** The known defect that it is. */
  readonly known?: { readonly label: string; readonly what: string } | undefined;
}

/** What a store is given when it starts. */
export interface StoreSetup {
  /** The release whose behaviour it has. */
  readonly compat: CompatName;
  readonly policy: StorePolicy;
  /** Whether the write rate limit is on; as in the daemon where left out. */
  readonly limitsWrites?: boolean;
  /** Whether watch events that wait for 20 s are dropped; as in the daemon where left out. */
  readonly eventsExpire?: boolean;
  /** Where programs of its domain connect; `undefined`: there are no sockets. */
  readonly listener: Listener | undefined;
  /** The file system, as far as a live update asks for it. */
  readonly files: Files;
  /** Port of dom0's kernel for its own ring (xsd_port; `--event` of a stub domain), whose page is granted as others are. */
  readonly dom0Port: Port;
  /** The store has a domain to itself: port of that domain's own ring. Left out: it is a daemon of dom0. */
  readonly ownPort?: Port | undefined;
  /** What `format` is at first. */
  readonly format?: StateFormat | undefined;
  /** What stands between the dump and the successor of update `n`, such as a disk that flips a bit; asked for each file. */
  readonly passImage?: ((image: Uint8Array, n: number) => Uint8Array) | undefined;
  /** Whether exec(2) of the new program fails in update `n`; asked once what was written was found to be good. */
  readonly execFails?: ((n: number) => boolean) | undefined;
  /** As the daemon's, a successor ends itself over a node whose owner exists and is not introduced (DST-9); left out: it takes it. */
  readonly endsAtUnborn?: boolean | undefined;
}

/**
 * Start a store in a domain that may have one (dom0, or one with the capability `xenstore`) and runs. When this returns, dom0's
 * ring, and its own where it has one, are served, or `ended` says why not.
 */
export type StartStore = (machine: Machine, domain: Domain, setup: StoreSetup) => StoreProcess;
