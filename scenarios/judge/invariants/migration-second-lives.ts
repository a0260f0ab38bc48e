import { keyOf, predecessors } from '../copies.ts';
import type { Epoch, History, SnapshotNode, Verdict } from '../history.ts';
import type { MigrationHistory } from '../migrations.ts';
import { textOf } from '../oracles/octets.ts';
import { Op, opName } from '../oracles/wire.ts';
import { Code, type RecordLog } from '../record-log.ts';
import { logOf } from '../recorded-history.ts';
import { Findings } from './finding.ts';
import { covers, inHome, isAtOrBelow, isOfAnother, parentsOf, placeFor } from './home-paths.ts';

const CLAIM =
  'A guest that has come from another host begins a session there: nothing of the old one is in it, of what it had watched it hears what is otherwise now, and what it alone had written is gone';
const SOURCE = 'linux drivers/xen/xenbus/xenbus_xs.c, xs_resume; migration.md INV-M14, INV-M16, INV-M18';

const WRITES: ReadonlySet<number> = new Set([Op.WRITE, Op.MKDIR, Op.SET_PERMS]);
/** A value, or that there is none. */
type Found = string | undefined;

interface Asked {
  readonly type: number;
  readonly txId: number;
  readonly path: string;
  readonly token: string;
  readonly depth: string | undefined;
  /** Place among all records of all hosts. */
  readonly at: number;
}

interface Watch {
  readonly path: string;
  readonly depth: string | undefined;
  /** Since when the store has it, as a place among all records; `undefined`: it has not said so yet. */
  since: number | undefined;
  /** Places that events of it were about. */
  readonly told: Set<string>;
}

/** One copy's session with its store. */
class Session {
  readonly epoch: Epoch;
  readonly host: number;
  /** That of the copy in which the guest was before. */
  readonly before: Session | undefined;
  readonly open = new Map<number, Asked>();
  /** By token, those that were asked for here. */
  readonly watches = new Map<string, Watch>();
  readonly transactions = new Set<number>();
  /** What it read last, here; what it read elsewhere, and not yet here. */
  readonly read = new Map<string, Found>();
  readonly remembered: Map<string, Found>;
  /** What it wrote here, and at any host before. */
  readonly wrote = new Set<string>();
  readonly wroteElsewhere: ReadonlySet<string>;
  putOctets = 0;
  hasBegun = false;

  constructor(epoch: Epoch, host: number, before: Session | undefined) {
    this.epoch = epoch;
    this.host = host;
    this.before = before;
    this.remembered = new Map([...(before?.remembered ?? []), ...(before?.read ?? [])]);
    this.wroteElsewhere = new Set([...(before?.wroteElsewhere ?? []), ...(before?.wrote ?? [])]);
  }
}

/** Sessions of guests that have moved with their own help, over all hosts in the order of time: a guest is at one of them at a time. */
export function migrationSecondLives(history: MigrationHistory, histories: readonly History[]): Verdict {
  const findings = new Findings('migration-second-lives');
  new Judge(history, histories, findings).run();
  return findings.verdict(CLAIM, SOURCE);
}

interface HostLog {
  readonly name: string;
  readonly log: RecordLog;
  readonly epochs: readonly Epoch[];
}

class Judge {
  readonly #findings: Findings;
  readonly #hosts: readonly HostLog[];
  readonly #copies: ReadonlySet<string>;
  readonly #before: ReadonlyMap<bigint, bigint>;
  readonly #sessions = new Map<string, Session>();
  readonly #byCopy = new Map<bigint, Session>();
  /** What anybody wrote in a domain's home since it was made, with all that is above it, by host and domid. */
  readonly #homes = new Map<string, Set<string>>();
  /** Records so far. */
  #now = 0;

  constructor(history: MigrationHistory, histories: readonly History[], findings: Findings) {
    this.#findings = findings;
    this.#hosts = histories.map((each, host) => ({
      name: history.hosts[host] ?? '',
      log: logOf(each),
      epochs: each.epochs,
    }));
    this.#copies = new Set(history.copies.map(keyOf));
    this.#before = predecessors(history);
  }

  run(): void {
    const at = this.#hosts.map(() => 0);
    for (;;) {
      let next = -1;
      for (const [host, { log }] of this.#hosts.entries()) {
        const seq = at[host] as number;
        if (seq >= log.length) continue;
        const best = next < 0 ? Number.POSITIVE_INFINITY : (this.#hosts[next]?.log.times[at[next] as number] as number);
        if ((log.times[seq] as number) < best) next = host;
      }
      if (next < 0) return;
      this.#now++;
      this.#note(next, at[next] as number);
      at[next] = (at[next] as number) + 1;
    }
  }

  #note(host: number, seq: number): void {
    const { log } = this.#hosts[host] as HostLog;
    const code = log.codes[seq];
    if (code === Code.putRsp || code === Code.tookRsp) return;
    const conn = log.conns[seq] as number;
    const message = log.messageAt(seq);
    if (message === 'sent') this.#sent(host, seq, conn);
    else if (message === 'got') this.#got(host, seq, conn);
    else if (code === Code.putReq || code === Code.tookReq) {
      const from = log.places[seq] as number;
      this.#moved(
        host,
        seq,
        conn,
        code === Code.putReq ? 'publish' : 'consume',
        from,
        from + (log.counts[seq] as number),
      );
    } else {
      const record = log.keptAt(seq);
      if (record?.kind === 'publish' || record?.kind === 'consume') {
        if (record.dir === 'req') this.#moved(host, seq, conn, record.kind, record.from, record.to);
      } else if (record?.kind === 'life' && record.what === 'created') this.#homes.delete(`${host} ${record.domid}`);
      else if (record?.kind === 'snapshot') this.#atRest(host, seq, record.nodes);
    }
  }

  /** `undefined`: it is not the session of a guest of which a toolstack knows. */
  #of(host: number, conn: number): Session | undefined {
    const key = `${host} ${conn}`;
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    const epoch = this.#hosts[host]?.epochs[conn];
    if (epoch === undefined || epoch.isSocket === true || !this.#copies.has(keyOf({ host, uniqueId: epoch.uniqueId })))
      return undefined;
    const old = this.#before.get(epoch.uniqueId);
    const session = new Session(epoch, host, old === undefined ? undefined : this.#byCopy.get(old));
    if (session.before !== undefined) this.#findings.count('second sessions');
    this.#sessions.set(key, session);
    this.#byCopy.set(epoch.uniqueId, session);
    return session;
  }

  #home(host: number, domid: number): Set<string> {
    const key = `${host} ${domid}`;
    let home = this.#homes.get(key);
    if (home === undefined) {
      home = new Set();
      this.#homes.set(key, home);
    }
    return home;
  }

  /** INV-M14: what the store reads is what the copy has put in. */
  #moved(host: number, seq: number, conn: number, kind: 'publish' | 'consume', from: number, to: number): void {
    const session = this.#of(host, conn);
    if (session?.before === undefined) return;
    if (kind === 'publish') session.putOctets = to;
    else if (!session.hasBegun) {
      session.hasBegun = true;
      if (from !== 0 || to > session.putOctets)
        this.#bad(
          session,
          seq,
          '',
          `INV-M14: the first octets that its new store reads are ${from} to ${to} of ${session.putOctets}`,
        );
    }
  }

  #sent(host: number, seq: number, conn: number): void {
    const { log, epochs } = this.#hosts[host] as HostLog;
    const type = log.typeOf(seq);
    const domid = epochs[conn]?.domid ?? 0;
    const isWrite = WRITES.has(type);
    const session = this.#of(host, conn);
    if (!isWrite && session === undefined) return;
    const [first = '', token = '', depth] = textOf(log.payloadOf(seq)).split('\0');
    const { place, owner } = inHome(first, domid);
    if (isWrite && owner !== undefined) {
      const home = this.#home(host, owner);
      for (const path of parentsOf(place)) home.add(path);
    }
    if (session === undefined) return;
    if (isWrite && owner === domid) session.wrote.add(place);
    const txId = log.txIdOf(seq);
    const path = placeFor(first, domid);
    session.open.set(log.reqIdOf(seq), { type, txId, path, token, depth, at: this.#now });
    if (type === Op.WATCH && !session.watches.has(token))
      session.watches.set(token, {
        path,
        depth: depth === '' ? undefined : depth,
        since: undefined,
        told: new Set(),
      });
  }

  #got(host: number, seq: number, conn: number): void {
    const session = this.#of(host, conn);
    if (session === undefined) return;
    const { log } = this.#hosts[host] as HostLog;
    const type = log.typeOf(seq);
    if (type === Op.WATCH_EVENT) this.#event(session, seq, textOf(log.payloadOf(seq)));
    else {
      const asked = session.open.get(log.reqIdOf(seq));
      session.open.delete(log.reqIdOf(seq));
      if (asked !== undefined) this.#answered(session, seq, asked, type, log);
      else if (session.before !== undefined)
        this.#bad(session, seq, `req_id ${log.reqIdOf(seq)}`, 'INV-M14: an answer comes to what it has not asked here');
    }
  }

  #event(session: Session, seq: number, payload: string): void {
    const [path = '', token = ''] = payload.split('\0');
    const watch = session.watches.get(token);
    if (watch !== undefined) watch.told.add(placeFor(path, session.epoch.domid));
    else if (session.before !== undefined)
      this.#bad(
        session,
        seq,
        'WATCH_EVENT',
        `INV-M14: an event comes of a watch that it has at another host alone: ${path} ${token}`,
      );
  }

  #answered(session: Session, seq: number, asked: Asked, type: number, log: RecordLog): void {
    const isError = type === Op.ERROR;
    const { transactions, epoch } = session;
    if (asked.type === Op.TRANSACTION_START && !isError)
      transactions.add(Number.parseInt(textOf(log.payloadOf(seq)), 10));
    if (asked.type === Op.WATCH && !isError) {
      const watch = session.watches.get(asked.token);
      if (watch !== undefined) watch.since ??= this.#now;
    }
    if (
      session.before !== undefined &&
      asked.txId !== 0 &&
      !isError &&
      !transactions.has(asked.txId) &&
      asked.type !== Op.TRANSACTION_END
    )
      this.#bad(
        session,
        seq,
        `${opName(asked.type)} tx ${asked.txId}`,
        'INV-M14: a transaction of another host has an effect here',
      );
    if (asked.type !== Op.READ || asked.txId !== 0 || isOfAnother(asked.path)) return;
    const error = isError ? textOf(log.payloadOf(seq)).replace('\0', '') : undefined;
    if (error !== undefined && error !== 'ENOENT') return;
    const found = isError ? undefined : textOf(log.payloadOf(seq));
    session.read.set(asked.path, found);
    if (session.before === undefined) return;
    if (found !== undefined) this.#isNew(session, seq, asked.path, epoch.domid);
    this.#compare(session, seq, asked.path, found, asked.at);
  }

  /** INV-M18, of a node that is there. */
  #isNew(session: Session, seq: number, path: string, domid: number): void {
    if (!session.wroteElsewhere.has(path) || this.#home(session.host, domid).has(path)) return;
    this.#bad(session, seq, path, 'INV-M18: it is there, and was written at another host alone');
  }

  /**
   * INV-M16, of a place that it knows from another host. The event is due before the answer: 1. WATCH is acknowledged, and its first
   * event is put behind that. 2. The guest has the acknowledgement, and asks. 3. The answer goes behind all that was put before.
   */
  #compare(session: Session, seq: number, path: string, found: Found, askedAt: number): void {
    if (!session.remembered.has(path)) return;
    const known = session.remembered.get(path);
    session.remembered.delete(path);
    for (const watch of session.watches.values()) {
      if (watch.since === undefined || watch.since > askedAt || !covers(watch, path)) continue;
      this.#findings.count('places that were watched, and looked at again');
      if (found === known) continue;
      this.#findings.count('changes among them');
      if (![...watch.told].some((told) => isAtOrBelow(path, told)))
        this.#bad(
          session,
          seq,
          path,
          `INV-M16: it is not what it was at the host before, and the watch on ${watch.path} has not fired`,
        );
    }
  }

  /** The tree of a host as it is in the end, of the guests that are there then. */
  #atRest(host: number, seq: number, nodes: readonly SnapshotNode[]): void {
    const newest = new Map<number, Session>();
    for (const session of this.#sessions.values()) if (session.host === host) newest.set(session.epoch.domid, session);
    for (const { path, value } of nodes) {
      const { place, owner } = inHome(path, 0);
      const session = owner === undefined ? undefined : newest.get(owner);
      if (session?.before === undefined) continue;
      this.#isNew(session, seq, place, session.epoch.domid);
      this.#compare(session, seq, place, textOf(value), this.#now);
    }
    for (const session of newest.values())
      for (const place of session.wroteElsewhere)
        if (!this.#home(host, session.epoch.domid).has(place)) this.#findings.count('nodes that were left behind');
  }

  #bad({ host, epoch }: Session, seq: number, request: string, detail: string): void {
    const { log, name } = this.#hosts[host] as HostLog;
    this.#findings.add({ seq, timeNs: log.times[seq] as number }, epoch.name, request, `${detail}, on ${name}`);
  }
}
