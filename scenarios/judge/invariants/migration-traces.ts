import { Copies, keyOf } from '../copies.ts';
import type { History, SnapshotNode, Verdict } from '../history.ts';
import type { MigrationHistory } from '../migrations.ts';
import { textOf } from '../oracles/octets.ts';
import { logOf } from '../recorded-history.ts';
import { destroyedByFaults } from './fault-deaths.ts';
import { Findings } from './finding.ts';
import type { OwnersPlan } from './migration-owners.ts';

const CLAIM =
  'What a guest left behind is gone: nothing of a copy that is no more, and no passing name but of a copy that a failure left';
const SOURCE = 'migration.md INV-M7, INV-M26';

/** Names that a copy has only as long as nobody knows where its guest will run. */
const PASSING = /--(?:incoming|migratedaway)$/;
const NAME = /^\/local\/domain\/(\d+)\/name$/;
const HOME = /^\/local\/domain\/(\d+)(?:\/|$)/;
const OF_DOMAIN = /^\/(?:libxl|local\/domain\/\d+\/backend\/[^/]+)\/(\d+)(?:\/|$)/;

/** INV-M7 and INV-M26, in the tree of each host as it was read when all was over. */
export function migrationTraces(
  history: MigrationHistory,
  histories: readonly History[],
  { toolstack, down = [] }: OwnersPlan,
): Verdict {
  const findings = new Findings('migration-traces');
  const copies = new Copies(history);
  for (const record of history.records) copies.note(record);
  const destroyed = destroyedByFaults(histories);
  for (const [host, each] of histories.entries()) {
    const snapshot = logOf(each).kept.findLast((r) => r.kind === 'snapshot');
    if (snapshot === undefined || down.includes(host)) continue;
    const name = history.hosts[host] ?? '';
    const alive = domainsAlive(each);
    // 1. A fault destroys a domain (INJ-D2). 2. No toolstack has done it, and none looks after the domain: what backends have of
    // it stays, as after `xl destroy` by somebody who is killed.
    for (const copy of history.copies) if (copy.host === host && destroyed.has(keyOf(copy))) alive.add(copy.domid);
    const left = new Set<number>();
    for (const copy of history.copies)
      if (copy.host === host && ['paused', 'parked'].includes(copies.stateOf(copy))) left.add(copy.domid);
    for (const node of snapshot.nodes) {
      findings.count('nodes');
      for (const detail of wrongWith(node, alive, left, toolstack))
        findings.add(snapshot, name, '', `${detail}, on ${name}`);
    }
    findings.count('copies left by failures', left.size);
  }
  return findings.verdict(CLAIM, SOURCE);
}

function* wrongWith(
  { path, value }: SnapshotNode,
  alive: ReadonlySet<number>,
  left: ReadonlySet<number>,
  toolstack: OwnersPlan['toolstack'],
): Generator<string> {
  const named = NAME.exec(path);
  if (named !== null && PASSING.test(textOf(value))) {
    const domid = Number(named[1]);
    if (toolstack === 'handoverLog') yield `INV-M7: domain ${domid} is still called ${textOf(value)}`;
    else if (!left.has(domid)) yield `INV-M7: domain ${domid} is called ${textOf(value)}, and no failure has left it`;
  }
  const of = OF_DOMAIN.exec(path)?.[1] ?? HOME.exec(path)?.[1];
  if (of !== undefined && !alive.has(Number(of))) yield `INV-M26: ${path} is left of domain ${of}`;
}

/** Domains that are there in the end, by the history's lives. */
function domainsAlive(history: History): Set<number> {
  const alive = new Set<number>([0]);
  for (const r of logOf(history).kept) {
    if (r.kind !== 'life') continue;
    if (r.what === 'created') alive.add(r.domid);
    else if (r.what === 'gone') alive.delete(r.domid);
  }
  return alive;
}
