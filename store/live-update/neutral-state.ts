import { type Connection, tie } from '../daemon/connection.ts';
import { limitStamps, SERVER_FEATURES_OFFERED } from '../daemon/domain-record.ts';
import { makeSpecialNodes } from '../daemon/initial-store.ts';
import type { StoreOptions } from '../daemon/options.ts';
import type { Platform, Stream } from '../daemon/platform.ts';
import type { DaemonState } from '../daemon/state.ts';
import type { StateRecord } from '../format/generations/records.ts';
import { RuleCheck, rulesOf, v2 } from '../format/index.ts';
import { recordsOfState, stateOfRecords } from '../format/model/image-model.ts';
import type { LooseRecord } from '../format/model/loose.ts';
import type {
  ConnectionState,
  DomainFlags,
  DaemonState as NeutralState,
  RingLink,
  TransactionState,
} from '../format/model/state.ts';
import { octetsOf, textOf } from '../protocol/octets.ts';
import { parentOf } from '../protocol/path.ts';
import { listOf } from '../tree/names.ts';
import { type Node, ownerOf } from '../tree/node.ts';
import type { Access, Transaction } from '../tree/transaction.ts';
import { type ProcessNumbers, putRecords, type Requester } from './dump.ts';
import { type Restored, Restoring } from './restore.ts';

/**
 * What must hold in a state that files tell of, whatever their formats look at. Where the rest of a half-written message ends
 * is what some formats lose; and where a port is the guest's, nobody knows the daemon's.
 */
const RULES = rulesOf(
  { ...v2.format, rules: v2.format.rules.filter(({ rule }) => rule !== 'out-messages') },
  { ...v2.knobs, unknownDomain: 'skip' },
  'error',
);

/**
 * The daemon's whole state in terms of no format: what an image of version 2 says, and what has no place there:
 * generations, the bases of open transactions and the events that they owe.
 * @param hasTransactions left out: by the policy of the daemon.
 */
export function neutralStateOf(
  state: DaemonState,
  numbers: ProcessNumbers,
  requester: Requester | undefined,
  hasTransactions?: boolean,
): NeutralState {
  const records: LooseRecord[] = [];
  const put = (record: object) => records.push(record as LooseRecord);
  putRecords(state, v2, numbers, requester, put, hasTransactions);
  const known = stateOfRecords(records, false);
  const conns = [...state.connections];
  const counted = <T extends { readonly path: string }>(node: T) => {
    const live = state.tree.get(node.path);
    return live === undefined ? node : { ...node, generation: BigInt(live.generation) };
  };
  return {
    ...known,
    nodes: known.nodes.map(counted),
    specials: known.specials.map(counted),
    connections: known.connections.map((conn, i) => {
      const own = conns[i] as Connection;
      return withRing(withBases(conn, own), own, numbers);
    }),
    evtchn: { ...known.evtchn, ...(numbers.excPort === undefined ? {} : { excPort: numbers.excPort }) },
  };
}

/** What the daemon knows of a ring beside what its image says: the guest's end, the frame, how it stands with the domain. */
function withRing(known: ConnectionState, conn: Connection, { remotePortOf }: ProcessNumbers): ConnectionState {
  if (known.link.kind !== 'ring' || conn.link.kind !== 'ring') return known;
  const { port, page } = conn.link;
  const guestPort = port === 0 ? undefined : remotePortOf?.(port);
  const flags: DomainFlags = {
    ...(conn.record?.isDetached ? { released: true } : {}),
    ...(conn.isIgnored ? { ignored: true } : {}),
    ...(conn.record?.isShutdown ? { shutdown: true } : {}),
  };
  const link: RingLink = {
    ...known.link,
    ...(guestPort === undefined ? {} : { guestPort }),
    ...(page?.gfn === undefined ? {} : { mfn: BigInt(page.gfn) }),
    ...(Object.keys(flags).length === 0 ? {} : { flags }),
  };
  return { ...known, link };
}

function withBases(known: ConnectionState, conn: Connection): ConnectionState {
  const transactions = known.transactions.map((one): TransactionState => {
    const tx = conn.transactions.get(one.id) as Transaction;
    if (tx.mustFail) return one;
    const nodes = one.nodes.map((node) => {
      const access = tx.accesses.get(node.path);
      return access === undefined || access.base < 0 ? node : { ...node, base: BigInt(access.base) };
    });
    const events = [...tx.accesses.values()].flatMap(({ path, fire }) =>
      fire === undefined ? [] : [{ path, exact: fire === 'exact' }],
    );
    return { ...one, nodes, base: BigInt(tx.generation), events };
  });
  return { ...known, transactions };
}

/**
 * A daemon's state from a neutral one, as `restoreState` makes it from an image. Generations and conflict bases are taken
 * over where they are known: a transaction that has them may commit, any other ends in EAGAIN.
 * @param sockets streams by file descriptor; a connection whose descriptor is unknown is left out.
 */
export function restoreNeutralState(
  neutral: NeutralState,
  platform: Platform,
  options: StoreOptions,
  sockets: ReadonlyMap<number, Stream>,
): Restored {
  const restoring = new Restoring(platform, options, sockets);
  // What a file does not say of a domain is not zero: it has what every domain is offered.
  const domains = neutral.domains.map((one) => ({ ...one, features: one.features ?? SERVER_FEATURES_OFFERED }));
  const { records } = recordsOfState({ ...neutral, domains }, { specialsFirst: false, ports: ['port'], hasMfn: false });
  const check = new RuleCheck(RULES);
  for (const [i, loose] of records.entries()) {
    const record = loose as object as StateRecord;
    const [breach] = check.take(record);
    if (breach !== undefined)
      return {
        ok: false,
        reason: `record ${i} of what the files say, ${record.kind} ${breach.path}: ${breach.reason}`,
      };
    const failed = restoring.take(record, record.kind === 'NODE_DATA' ? check.text(record, 'path') : '');
    if (failed !== undefined) return { ok: false, reason: failed };
  }
  const restored = restoring.finish(
    (reason) => `behind the ${records.length} records of what the files say: ${reason}`,
  );
  if (!restored.ok) return restored;
  const { state } = restored;
  makeSpecialNodes(restoring.daemon); // in files that cannot name them
  restoreTargets(state, neutral);
  restoreFlags(state, neutral);
  if (restoreGenerations(state, neutral))
    for (const [i, { transactions }] of neutral.connections.entries()) {
      const conn = restoring.connection(i + 1);
      for (const tx of transactions) if (conn !== undefined) restoreBases(state, conn, tx);
    }
  return { ok: true, state };
}

/** Unlike the daemon's own reader, targets whose connection comes later in the file, too. */
function restoreTargets(state: DaemonState, { connections }: NeutralState): void {
  for (const { link } of connections) {
    if (link.kind !== 'ring' || link.target === undefined) continue;
    const [conn, target] = [state.connections.ringOf(link.domid), state.connections.ringOf(link.target)];
    if (conn !== undefined) conn.target = target;
  }
}

/** A domain that is kept although it is gone is kept by those whose target it is. */
function restoreFlags(state: DaemonState, { connections }: NeutralState): void {
  for (const { link } of connections) {
    const conn = link.kind === 'ring' ? state.connections.ringOf(link.domid) : undefined;
    if (link.kind !== 'ring' || conn === undefined) continue;
    const { released, ignored, shutdown } = link.flags ?? {};
    if (ignored) conn.isIgnored = true;
    if (conn.record === undefined) continue;
    if (shutdown) conn.record.isShutdown = true;
    if (!released) continue;
    conn.record.isDetached = true;
    for (const other of [...state.connections]) if (other.target === conn) tie(other, conn);
  }
}

/** @returns whether all are known; otherwise the store counts anew, as every node got its own. */
function restoreGenerations(state: DaemonState, { nodes, specials, connections }: NeutralState): boolean {
  const known = new Map<string, number>();
  for (const { path, generation } of [...nodes, ...specials])
    if (generation !== undefined) known.set(path, Number(generation));
  const tree: Node[] = [];
  for (const node of state.tree.values()) {
    const generation = known.get(node.path);
    if (generation === undefined) return false;
    tree.push({ ...node, generation });
  }
  for (const node of tree) state.tree.set(node.path, node);
  // Entries that meant somebody else are marked: what was made on the way is as old as the oldest node.
  let [oldest, youngest] = [Number.MAX_SAFE_INTEGER, 0];
  for (const { generation } of tree)
    [oldest, youngest] = [Math.min(oldest, generation), Math.max(youngest, generation)];
  for (const { transactions } of connections)
    for (const { base = 0n } of transactions) youngest = Math.max(youngest, Number(base));
  limitStamps(state.records.values(), oldest);
  state.generation = youngest;
  return true;
}

/** The transaction of which nothing but the records was restored, with what its commit is judged by. */
export function restoreBases(
  state: DaemonState,
  conn: Connection,
  { id, base, nodes, events }: TransactionState,
): void {
  const view = conn.transactions.get(id);
  // Something that was read was there, and has a base in any format that has bases.
  const isKnown = nodes.every((node) => node.base !== undefined || !node.read || node.written);
  const isJudged = nodes.length === 0 || nodes.some((node) => node.base !== undefined);
  if (view === undefined || base === undefined || !isKnown || !isJudged) return;
  const tx: Transaction = { ...view, mustFail: false, generation: Number(base) };
  for (const [path, access] of view.accesses) {
    const seen = nodes.find((node) => node.path === path)?.base;
    const was = state.tree.get(path);
    const first = seen === undefined ? -1 : Number(seen);
    const { node } = access;
    const owed = events?.find((event) => event.path === path);
    const modified = node === undefined ? first >= 0 || owed !== undefined : access.modified;
    const basePerms = first < 0 ? undefined : was?.perms;
    const taken: Access = { path, base: first, basePerms, node, modified, fire: undefined };
    if (owed !== undefined) taken.fire = owed.exact ? 'exact' : 'subtree';
    else if (events === undefined && modified && hasChanged(node, was)) taken.fire = fireMode(view, path, node);
    tx.accesses.set(path, taken);
    if (node !== undefined && first < 0) {
      tx.creates = true;
      addDelta(tx, ownerOf(node), 1);
    } else if (node === undefined && first >= 0 && was !== undefined) addDelta(tx, ownerOf(was), -1);
    else if (node !== undefined && was !== undefined && ownerOf(node) !== ownerOf(was)) {
      addDelta(tx, ownerOf(was), -1);
      addDelta(tx, ownerOf(node), 1);
    }
  }
  conn.transactions.set(id, tx);
}

/** Where a format does not tell which events are owed: each change has one. */
function hasChanged(node: Node | undefined, was: Node | undefined): boolean {
  // With other children and all else as it was, it is the children that changed.
  const sameList = listOf(node?.children ?? []).join('/') === listOf(was?.children ?? []).join('/');
  return sameList || node === undefined || was === undefined || contentKey(node) !== contentKey(was);
}

function contentKey({ value, perms }: Node): string {
  return `${perms.map(({ rights, domid }) => `${rights}.${domid}`).join(' ')}/${textOf(octetsOf(value))}`;
}

/** A node below another that was removed is announced by its name alone. */
function fireMode(view: Transaction, path: string, node: Node | undefined): 'subtree' | 'exact' {
  if (node !== undefined || path === '/') return 'subtree';
  const parent = view.accesses.get(parentOf(path));
  return parent !== undefined && parent.node === undefined ? 'exact' : 'subtree';
}

function addDelta(tx: Transaction, owner: number, by: number): void {
  tx.nodeDeltas.set(owner, (tx.nodeDeltas.get(owner) ?? 0) + by);
}
