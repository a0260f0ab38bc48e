import { Copies, keyOf } from '../copies.ts';
import type { History, Verdict } from '../history.ts';
import type { Copy, MigrationAsked, MigrationHistory, MigrationRecord } from '../migrations.ts';
import { logOf } from '../recorded-history.ts';
import { destroyedByFaults } from './fault-deaths.ts';
import { type Defect, Findings } from './finding.ts';
import { knownHole } from './migration-holes.ts';
import { begin, type Progress } from './migration-progress.ts';

const CLAIM =
  'A guest runs at one host at a time, and at exactly one in the end; it is started, resumed and destroyed only upon what the other side has said, and messages tell the truth';
const SOURCE = 'tools/xl/xl_migrate.c; migration.md INV-M1 to INV-M5';

/** What the judgement of owners is made from. */
export interface OwnersPlan {
  /** Hosts that were down when the run ended, by number. */
  readonly down?: readonly number[];
  /** Whether xl's own handover is used, whose holes are known; else each hole is a violation. */
  readonly toolstack: 'xl' | 'handoverLog';
  /** Guests that stay paused by their owner's will (`-p`), by uuid. */
  readonly paused?: ReadonlySet<string>;
}

/** INV-M1 to INV-M5 over all copies of all guests. */
export function migrationOwners(history: MigrationHistory, histories: readonly History[], plan: OwnersPlan): Verdict {
  const judge = new Owners(history, plan, destroyedByFaults(histories));
  for (const record of history.records) judge.note(record);
  judge.finish();
  judge.count('live updates meanwhile', updatesMeanwhile(history, histories));
  return judge.verdict();
}

class Owners {
  readonly #history: MigrationHistory;
  readonly #plan: OwnersPlan;
  readonly #findings = new Findings('migration-owners');
  readonly #copies: Copies;
  readonly #migrations: readonly Progress[];
  /** Domains that faults have destroyed. */
  readonly #destroyed: ReadonlySet<string>;

  constructor(history: MigrationHistory, plan: OwnersPlan, destroyed: ReadonlySet<string>) {
    this.#history = history;
    this.#plan = plan;
    this.#destroyed = destroyed;
    this.#copies = new Copies(history);
    this.#migrations = history.asked.map((asked) => begin(asked, history));
  }

  count(what: string, by = 1): void {
    this.#findings.count(what, by);
  }

  verdict(): Verdict {
    return this.#findings.verdict(CLAIM, SOURCE);
  }

  note(record: MigrationRecord): void {
    if (record.kind === 'life') this.#lived(record);
    else this.#said(record);
  }

  /** M1, at the moment at which a copy begins to run; M3, of a source that goes on. */
  #lived(record: Extract<MigrationRecord, { kind: 'life' }>): void {
    const copy = this.#copies.note(record);
    if (copy === undefined) return;
    if (record.what === 'unpaused' || record.what === 'resumed') {
      const running = this.#copies.running(copy.uuid);
      if (running.length > 1) {
        const where = running.map(({ host, domid }) => `domain ${domid} on ${this.#history.hosts[host]}`).join(' and ');
        this.#bad(record, undefined, `INV-M1: two copies of one guest run: ${where}`);
      }
    }
    for (const migration of this.#migrations) {
      if (migration.source === undefined || !isCopy(migration.source, copy)) continue;
      const isOver = migration.hasGivenUp || migration.sourceEnd !== undefined;
      if (record.what === 'shutdown' && record.reason === 'suspend' && !isOver) migration.wasParked = true;
      if (record.what === 'resumed' && migration.goWritten && !migration.goTakenBack)
        this.#bad(record, migration, 'INV-M3: the source goes on after a go was written and not taken back');
    }
  }

  #said(record: Extract<MigrationRecord, { kind: 'news' }>): void {
    const migration = this.#migrations[record.migration - 1];
    if (migration === undefined) return;
    migration.isBegun = true;
    const { news } = record;
    switch (news.what) {
      case 'received all':
        migration.hasReceivedAll = true;
        migration.target = this.#copyAt(record.host, news.domid, migration.asked.uuid);
        return;
      case 'go written':
        migration.goWritten = true;
        return;
      case 'go read':
        migration.goRead = true;
        return;
      case 'go taken back':
        migration.goTakenBack = true;
        return;
      case 'status read':
        migration.status = news.status;
        return;
      case 'unpaused':
        migration.unpaused = true;
        this.#started(record, migration);
        return;
      case 'destroys':
        if (news.process !== 'S') return;
        migration.destroys = true;
        if (migration.status !== 0)
          this.#bad(record, migration, 'INV-M4: the source is destroyed, and no status 0 was read');
        return;
      case 'resumes':
        if (migration.goWritten && !migration.goTakenBack)
          this.#bad(record, migration, 'INV-M3: the source is resumed after a go was written and not taken back');
        return;
      case 'store not told':
        for (const other of this.#migrations)
          if (isSame(other.asked, migration.asked) && other !== migration) other.isUntold = true;
        return;
      case 'says':
        if (news.process === 'S' && news.text.includes('libxl_domain_suspend failed')) migration.hasGivenUp = true;
        if (news.process === 'S') this.#told(record, migration, news.text);
        return;
      case 'person acts':
        this.#owned(record, migration.asked.uuid);
        migration.goTakenBack = true; // whoever looks at both hosts decides for both
        return;
      case 'killed':
        migration.killed.set(news.process, news.step);
        return;
      case 'end':
        if (news.process === 'S') migration.sourceEnd = news.how;
        else migration.targetEnd = news.how;
        return;
      default:
    }
  }

  /** M3: of a destination that is started. */
  #started(record: MigrationRecord, migration: Progress): void {
    if (!migration.goRead) this.#bad(record, migration, 'INV-M3: the copy was started, and no go was read');
    if (!migration.hasReceivedAll) this.#bad(record, migration, 'INV-M3: the copy was started before all was received');
    const { source } = migration;
    if (source !== undefined && this.#copies.stateOf(source) === 'running')
      this.#bad(record, migration, 'INV-M3: the copy was started while the source runs');
  }

  /** M5. */
  #told(record: MigrationRecord, migration: Progress, text: string): void {
    this.count('messages');
    if (text.includes('Domain state is now undefined')) migration.isBadly = true;
    if (text === 'Migration successful.') {
      const { target } = migration;
      const state = target === undefined ? 'none' : this.#copies.stateOf(target);
      const isMeant = state === 'running' || this.#plan.paused?.has(migration.asked.uuid) === true;
      // It may have ended by itself, or be on its way again, since R has told of its start.
      if (!isMeant && !migration.unpaused)
        this.#bad(record, migration, `INV-M5: it was said to be successful, and the copy is ${state}`);
      if (!migration.destroys)
        this.#bad(record, migration, 'INV-M5: it was said to be successful, and the source was not destroyed');
    }
    const isResume = text.includes('resuming at sender') || text.includes('Resumed OK');
    if (isResume && migration.goWritten && !migration.goTakenBack)
      this.#bad(record, migration, `INV-M5: "${text}" was said after a go was written and not taken back`);
  }

  /** M2, and what is told of an end. */
  finish(): void {
    this.count('migrations', this.#migrations.length);
    for (const migration of this.#migrations) {
      if (migration.unpaused) this.count('that moved a guest');
      if (migration.sourceEnd !== undefined && migration.sourceEnd !== 'success' && !migration.unpaused)
        this.count('that failed');
      const last = this.#history.records.at(-1);
      if (last !== undefined && migration.isBadly !== (migration.sourceEnd === 'failed_badly'))
        this.#bad(last, migration, `INV-M5: it ended as ${migration.sourceEnd}, and that is not what was said`);
    }
    const last = this.#history.records.at(-1);
    if (last === undefined) return;
    for (const uuid of new Set(this.#history.asked.map((each) => each.uuid))) this.#owned(last, uuid);
  }

  /** M2, at the end of all, or when somebody comes to look after what is left. */
  #owned(last: MigrationRecord, uuid: string): void {
    const copies = this.#copies.of(uuid);
    const states = copies.map((copy) => this.#copies.stateOf(copy));
    if (states.includes('ended')) return;
    // 1. A guest runs, or is parked on its way. 2. A fault destroys it (INJ-D2), with everything of it. 3. No process of a migration
    // can have it run again, and none has ended it.
    if (copies.some((copy) => this.#destroyed.has(keyOf(copy)))) return;
    this.count('guests');
    const running = states.filter((state) => state === 'running').length;
    if (running === 1 || (running === 0 && this.#plan.paused?.has(uuid) === true)) return;
    if (copies.some(({ host }) => this.#plan.down?.includes(host))) return; // INV-M2 asks for both hosts
    const migration = this.#migrations.findLast(({ asked, isBegun }) => asked.uuid === uuid && isBegun);
    if (migration === undefined) return;
    const where = copies.map((copy, i) => `${this.#history.hosts[copy.host]}: ${states[i]}`).join(', ');
    const detail = `INV-M2: ${running} copies of ${migration.asked.guest} run in the end (${where})`;
    const hole = this.#plan.toolstack === 'xl' ? this.#hole(migration, copies) : undefined;
    if (hole === undefined) this.#bad(last, migration, detail);
    else this.#findings.addKnown(hole, last, migration.asked.guest, `migration ${migration.asked.n}`, detail);
  }

  /**
   * That of the last migration, or of one before: 1. The guest takes the request to suspend of one, and is slow. 2. Its S gives up. 3. S of
   * another comes to its end before it asks for anything. 4. The guest parks, for the first.
   */
  #hole(last: Progress, copies: readonly Copy[]): Defect | undefined {
    const hole = knownHole(last, copies, this.#copies);
    if (hole !== undefined || last.wasParked || last.sourceEnd === undefined) return hole;
    const slow = this.#migrations.findLast(
      ({ source, sourceEnd, wasParked }) =>
        source !== undefined && source === last.source && sourceEnd === 'failed_suspend' && !wasParked,
    );
    return slow && knownHole(slow, copies, this.#copies);
  }

  #copyAt(host: number, domid: number, uuid: string): Copy | undefined {
    return this.#history.copies.findLast((c) => c.host === host && c.domid === domid && c.uuid === uuid);
  }

  #bad(at: MigrationRecord, migration: Progress | undefined, detail: string): void {
    const request = migration === undefined ? '' : `migration ${migration.asked.n}`;
    this.#findings.add(at, migration?.asked.guest ?? '', request, detail);
  }
}

function isCopy(a: Copy, b: Copy): boolean {
  return a.host === b.host && a.uniqueId === b.uniqueId;
}

/** Whether two migrations are of the same copy. */
function isSame(a: MigrationAsked, b: MigrationAsked): boolean {
  return a.from === b.from && a.uniqueId === b.uniqueId;
}

/** Updates of any of the stores that fell into a migration. */
function updatesMeanwhile({ records }: MigrationHistory, histories: readonly History[]): number {
  const spans = new Map<number, { from: number; to: number }>();
  for (const record of records) {
    if (record.kind !== 'news') continue;
    const span = spans.get(record.migration);
    if (span === undefined) spans.set(record.migration, { from: record.timeNs, to: record.timeNs });
    else span.to = record.timeNs;
  }
  const updates = histories.flatMap((history) =>
    logOf(history).kept.flatMap((r) => (r.kind === 'liveUpdate' && r.what === 'up' ? [r.timeNs] : [])),
  );
  return updates.filter((at) => [...spans.values()].some(({ from, to }) => from <= at && at <= to)).length;
}
