import type { History, Verdict } from '../history.ts';
import type { MigrationHistory } from '../migrations.ts';
import { textOf } from '../oracles/octets.ts';
import { Op, opName } from '../oracles/wire.ts';
import type { RecordLog } from '../record-log.ts';
import { logOf } from '../recorded-history.ts';
import { Findings } from './finding.ts';

const CLAIM =
  'Who moves a guest asks the stores for what the protocol says, in its order: of one that stays nothing but its request to suspend is written, one that comes is introduced between its tree and its devices; and both sides end';
const SOURCE = 'tools/xl/xl_migrate.c, tools/libs/light/libxl_create.c; migration.md INV-M6, INV-M31, INV-M32';

/** What the protocol's own time-outs come to: 60 s for the answer and for the park, 40 s for scripts, 60 s for a device model, 10 s for a
 *  tty; and the transfer, links that are slow or stall for a while (INJ-M4, INJ-M5) among them. ns. */
const PATIENCE_NS = 230_000_000_000 + 60_000_000_000;

const S = /\/xl-migrate-(\d+)$/;
const R = /\/xl-migrate-receive-(\d+)$/;
const CHANGES: ReadonlySet<number> = new Set([Op.WRITE, Op.MKDIR, Op.RM, Op.SET_PERMS, Op.RESUME, Op.INTRODUCE]);
const BACKEND = /\/backend\//;

/** S and R, by what they asked of stores and what they said. */
export function migrationTools(history: MigrationHistory, histories: readonly History[]): Verdict {
  const findings = new Findings('migration-tools');
  const unparked = neverParked(history);
  for (const each of histories) {
    const log = logOf(each);
    const asked = new Map<number, number[]>();
    const processes = new Map<number, string>();
    for (const { conn, name } of each.epochs) if (S.test(name) || R.test(name)) processes.set(conn, name);
    for (let seq = 0; seq < log.length; seq++) {
      const conn = log.conns[seq] as number;
      if (!processes.has(conn) || log.messageAt(seq) === undefined) continue;
      const all = asked.get(conn) ?? [];
      all.push(seq);
      asked.set(conn, all);
    }
    for (const [conn, name] of processes) {
      const messages = asked.get(conn) ?? [];
      const source = S.exec(name)?.[1];
      if (source === undefined) introducedInOrder(log, messages, name, findings);
      else if (unparked.has(Number(source))) wroteLittle(log, messages, name, findings);
    }
  }
  endedInTime(history, findings);
  return findings.verdict(CLAIM, SOURCE);
}

/** Migrations whose guest never stopped while S was there. */
function neverParked({ asked, records, copies }: MigrationHistory): ReadonlySet<number> {
  const open = new Map<string, number>();
  const parked = new Set<number>();
  for (const record of records) {
    if (record.kind === 'news') {
      const { n, from, uniqueId } = asked[record.migration - 1] ?? {};
      if (n === undefined) continue;
      if (record.news.what === 'end' && record.news.process === 'S') open.delete(`${from} ${uniqueId}`);
      else if ('process' in record.news && record.news.process === 'S') open.set(`${from} ${uniqueId}`, n);
    } else if (record.what === 'shutdown') {
      const n = open.get(`${record.host} ${record.uniqueId}`);
      if (n !== undefined) parked.add(n);
    }
  }
  const isKnown = (uniqueId: bigint) => copies.some((copy) => copy.uniqueId === uniqueId);
  return new Set(asked.flatMap(({ n, uniqueId }) => (parked.has(n) || !isKnown(uniqueId) ? [] : [n])));
}

/** INV-M6: reads, and the request to suspend, written and blanked. */
function wroteLittle(log: RecordLog, messages: readonly number[], name: string, findings: Findings): void {
  findings.count('moves that came to nothing before the guest stopped');
  for (const seq of messages) {
    if (log.messageAt(seq) !== 'sent' || !CHANGES.has(log.typeOf(seq))) continue;
    const path = pathOf(log, seq);
    if (log.typeOf(seq) === Op.WRITE && path.endsWith('/control/shutdown')) continue;
    const at = { seq, timeNs: log.times[seq] as number };
    findings.add(
      at,
      name,
      `${opName(log.typeOf(seq))} ${path}`,
      'INV-M6: it changes a store, and its guest never stopped',
    );
  }
}

/** INV-M31: R's INTRODUCE comes once, behind two transactions that went through, and before any backend's nodes are written. */
function introducedInOrder(log: RecordLog, messages: readonly number[], name: string, findings: Findings): void {
  let committed = 0;
  let introduced = 0;
  let conflicts = 0;
  const ends = new Set<number>();
  for (const seq of messages) {
    const type = log.typeOf(seq);
    const at = { seq, timeNs: log.times[seq] as number };
    if (log.messageAt(seq) === 'got') {
      if (!ends.delete(log.reqIdOf(seq))) continue;
      if (type === Op.ERROR) conflicts++;
      else committed++;
      continue;
    }
    if (type === Op.TRANSACTION_END && log.payloadOf(seq)[0] === 0x54) ends.add(log.reqIdOf(seq));
    if (type === Op.INTRODUCE) {
      if (introduced++ > 0) findings.add(at, name, 'INTRODUCE', 'INV-M31: it introduces its copy twice');
      if (committed < 2)
        findings.add(at, name, 'INTRODUCE', `INV-M31: it introduces its copy behind ${committed} transactions`);
    } else if (type === Op.MKDIR && BACKEND.test(pathOf(log, seq)) && introduced === 0)
      findings.add(at, name, `MKDIR ${pathOf(log, seq)}`, 'INV-M31: a device is added before its domain is introduced');
  }
  findings.count('copies that were introduced', introduced);
  findings.count('transactions of receivers', committed);
  findings.count('transactions of receivers that were asked again', conflicts);
}

/** INV-M32: of each process that was not killed. */
function endedInTime({ asked, records }: MigrationHistory, findings: Findings): void {
  const last = records.at(-1);
  const killed = new Set<string>();
  const begun = new Map<string, { readonly timeNs: number; readonly seq: number }>();
  for (const { kind, timeNs, seq, ...record } of records) {
    if (kind !== 'news') continue;
    const { migration, news } = record as { migration: number; news: { what: string; process?: string } };
    if (news.process !== 'S' && news.process !== 'R') continue;
    const key = `${migration} ${news.process}`;
    if (news.what === 'killed') killed.add(key);
    if (news.what === 'person acts') continue;
    const from = begun.get(key);
    if (from === undefined) begun.set(key, { timeNs, seq });
    else if (news.what === 'end') {
      begun.delete(key);
      findings.count('ends');
      if (timeNs - from.timeNs > PATIENCE_NS) late(seq, timeNs, key, timeNs - from.timeNs);
    }
  }
  for (const [key, from] of begun) {
    const forNs = (last?.timeNs ?? 0) - from.timeNs;
    if (!killed.has(key) && forNs > PATIENCE_NS) late(from.seq, from.timeNs, key, forNs);
  }

  function late(seq: number, timeNs: number, key: string, forNs: number): void {
    const [migration, process] = key.split(' ');
    const guest = asked[Number(migration) - 1]?.guest ?? '';
    const seconds = Math.round(forNs / 1_000_000_000);
    findings.add(
      { seq, timeNs },
      guest,
      `migration ${migration}`,
      `INV-M32: ${process} has not ended for ${seconds} s`,
    );
  }
}

function pathOf(log: RecordLog, seq: number): string {
  const payload = log.payloadOf(seq);
  const end = payload.indexOf(0);
  return textOf(end < 0 ? payload : payload.subarray(0, end));
}
