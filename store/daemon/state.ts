import type { Perm } from '../protocol/perms.ts';
import type { TreeState } from '../tree/live-tree.ts';
import type { Node } from '../tree/node.ts';
import { type Compat, compat } from './compat.ts';
import type { Connection } from './connection.ts';
import { ConnectionList } from './connection-list.ts';
import type { DomainRecord } from './domain-record.ts';
import type { StoreOptions } from './options.ts';
import type { AppendFile } from './platform.ts';
import { type Account, DEFAULT_QUOTAS, newQuotaValues, type Quotas, type QuotaValues } from './quota.ts';
import { WriteRate } from './rate.ts';
import type { LiveUpdateSession } from './update-session.ts';
import { WatchIndex } from './watch-index.ts';

/** The file into which the daemon writes what it does. */
export interface TraceState {
  /** Where it goes; `undefined`: nobody has said. */
  path: string | undefined;
  /** `undefined`: switched off, or it could not be opened. */
  file: AppendFile | undefined;
}

/**
 * Everything that a daemon knows, and nothing that it does: that is the parts' (daemon.ts), each of which names what of this it
 * looks at. A live update fills in one of these, and whoever serves it then wires parts of its own.
 */
export class DaemonState implements TreeState {
  readonly options: StoreOptions;
  readonly compat: Compat;

  tree = new Map<string, Node>();
  generation = 0;
  /** 4.17 keeps the special names' permissions beside the tree. */
  readonly specialPerms = new Map<string, readonly Perm[]>();

  readonly connections = new ConnectionList();
  readonly watches = new WatchIndex();
  /** Order of the watch that was registered last. */
  watchOrder = 0;
  openTransactions = 0;

  /** Domains by domid, in order of making. */
  readonly records = new Map<number, DomainRecord>();
  /** Accounts of domids without a record: sockets of a store domain, owners that are gone. */
  readonly loose = new Map<number, Account>();
  readonly quotas: Quotas = { ...DEFAULT_QUOTAS };
  /** The largest values seen with any unprivileged domain, also with those that are gone. */
  readonly max: QuotaValues = newQuotaValues();
  readonly rate = new WriteRate();

  /** Connections with requests that were put aside. */
  readonly withDelayed = new Set<Connection>();
  /** Connections with events that will be dropped some time. */
  readonly withDeadlines = new Set<Connection>();
  /** No event is dropped before this time: deadlines are looked at only then, however many wait. */
  firstDeadlineMs = Number.POSITIVE_INFINITY;
  /** Connections that are not read until the write rate limit allows it: time alone will change that. */
  readonly waitingForCredit = new Set<Connection>();
  /** Connections that are not read until they have less outstanding, or less memory, or may have more. */
  readonly waitingForQuota = new Set<Connection>();

  liveUpdate: LiveUpdateSession | undefined = undefined;
  readonly trace: TraceState = { path: undefined, file: undefined };
  /** Switches of CONTROL log that are on. */
  readonly logSwitches = new Set(['obj', 'io']);

  constructor(options: StoreOptions) {
    this.options = options;
    this.compat = compat(options.compat);
  }

  /** The end of this instance: nothing of it can be reached or used any more. */
  scrap(): void {
    this.trace.file?.close();
    this.trace.file = undefined;
    for (const conn of this.connections) {
      conn.isClosed = true;
      conn.out.length = 0;
      conn.watches.length = 0;
      conn.transactions.clear();
      conn.delayed = [];
      conn.target = undefined;
    }
    this.connections.clear();
    this.withDelayed.clear();
    this.withDeadlines.clear();
    this.tree = new Map();
    this.liveUpdate = undefined;
  }
}
