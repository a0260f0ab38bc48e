import type { Ground } from '../tree/ground.ts';
import { LiveTree } from '../tree/live-tree.ts';
import { Accounting } from './accounting.ts';
import type { Connection, Outstanding } from './connection.ts';
import { Connections } from './connections.ts';
import { DeadNodes } from './dead-nodes.ts';
import { DelayedRequests } from './delayed.ts';
import { DomainChanges } from './domain-changes.ts';
import { DomainEnds } from './domain-ends.ts';
import { DomainRecords } from './domain-records.ts';
import { Introductions } from './introductions.ts';
import { Names } from './names.ts';
import { Output } from './output.ts';
import type { Platform } from './platform.ts';
import { Rights } from './rights.ts';
import { SpecialNodes } from './special-nodes.ts';
import type { DaemonState } from './state.ts';
import { Throttle } from './throttle.ts';
import { TraceFile } from './trace-file.ts';
import { Transactions } from './transactions.ts';
import type { Wakes } from './wakes.ts';
import { Watches } from './watches.ts';

/** How often is looked whether requests that were put aside still must wait. Source: core.c, initialize_fds. */
const LOOK_AGAIN_MS = 1_000;

/**
 * The parts of a daemon, wired over what it knows. Who may call whom is a line, and each has only what stands before it:
 *
 *   state, platform, wakes < accounting, rights, records, throttle, delayed, trace < tree, names < output < watches
 *     < special, transactions < connections < dead nodes < domain ends < introductions, domain changes
 *     < operations (operations/) < connection reader, connection writer < the main loop (xenstored.ts)
 *     < the process and its live updates (store/live-update)
 *
 * What comes up the line, comes as a wake: that something is queued, or may be read, is the main loop's to hear.
 */
export class Daemon {
  readonly state: DaemonState;
  readonly platform: Platform;
  readonly wakes: Wakes;
  readonly accounting: Accounting;
  readonly rights: Rights;
  readonly records: DomainRecords;
  readonly throttle: Throttle;
  readonly delayed: DelayedRequests;
  readonly trace: TraceFile;
  readonly tree: LiveTree;
  readonly names: Names;
  readonly output: Output;
  readonly watches: Watches;
  readonly transactions: Transactions;
  readonly connections: Connections;
  readonly introductions: Introductions;
  readonly ends: DomainEnds;
  readonly changes: DomainChanges;
  /** What requests' views of the tree stand on. */
  readonly ground: Ground<Connection, Outstanding>;

  constructor(state: DaemonState, platform: Platform, wakes: Wakes) {
    const accounting = new Accounting(state);
    const rights = new Rights(state);
    const records = new DomainRecords(state, platform);
    const delayed = new DelayedRequests(state, platform, wakes);
    const trace = new TraceFile(state, platform);
    const tree = new LiveTree(state, accounting, state.compat);
    const output = new Output(state, platform, accounting, wakes);
    const watches = new Watches(state, accounting, rights, tree, output, trace);
    const special = new SpecialNodes(state, tree, watches);
    const transactions = new Transactions(state, platform, accounting, tree, trace);
    const connections = new Connections(state, output, watches, transactions, delayed, trace);
    const ground = { rules: state.compat, tree, accounts: accounting, owners: records, rights, watchers: watches };
    const nodes = new DeadNodes(state, ground, accounting);
    const ends = new DomainEnds(state, platform, { records, watches, connections, special, nodes }, wakes);
    this.state = state;
    this.platform = platform;
    this.wakes = wakes;
    this.accounting = accounting;
    this.rights = rights;
    this.records = records;
    this.throttle = new Throttle(state, platform, wakes);
    this.delayed = delayed;
    this.trace = trace;
    this.tree = tree;
    this.names = new Names(state, accounting);
    this.output = output;
    this.watches = watches;
    this.transactions = transactions;
    this.connections = connections;
    this.introductions = new Introductions(state, platform, records, connections, special, ends, wakes);
    this.ends = ends;
    this.changes = new DomainChanges(state, platform, special, ends);
    this.ground = ground;
  }

  /** Time has passed: events may be too old, and who waited for credit may have it. */
  timePassed(nowMs: number): void {
    this.output.expire(nowMs);
    this.throttle.recover(nowMs);
  }

  /** When the loop must run again although nothing happens; monotonic ms. */
  nextDeadlineMs(): number | undefined {
    const nowMs = this.platform.nowMs();
    const looksAgain = this.delayed.isAny ? nowMs + LOOK_AGAIN_MS : Number.POSITIVE_INFINITY;
    const next = Math.min(looksAgain, this.state.firstDeadlineMs, nowMs + this.throttle.waitMs());
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }
}
