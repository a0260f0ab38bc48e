import type { HistoryRecord, SnapshotNode, Verdict } from '../history.ts';
import { show, textOf } from '../oracles/octets.ts';
import { formatPerm, printsAs } from '../oracles/permissions.ts';
import type { Node } from '../oracles/tree.ts';
import type { XenstoreModel } from '../oracles/xenstore-model.ts';
import type { RecordLog } from '../record-log.ts';
import { abortedNote } from './answers.ts';
import type { Evidence } from './finding.ts';

export const CLAIM =
  'At the end the tree is what the answered requests made of it: the same nodes, values and permissions, and no others';
export const SOURCE = 'store.md 3; guests.md 6.7 INV-N1 to N5';

type Snapshot = Extract<HistoryRecord, { readonly kind: 'snapshot' }>;

/** Compare the tree as it was read at the end with the model's. `readingSince`: when dom0 last listed `/`, which is how the
 *  reading of a whole tree begins; infinity: never, so the snapshot is of one moment. */
export function checkSnapshot(
  snapshot: Snapshot,
  readingSince: number,
  model: XenstoreModel,
  evidence: Evidence,
): void {
  const s: Scene = { snapshot, readingSince, model, evidence };
  const seen = new Set<string>();
  for (const node of snapshot.nodes) {
    evidence['final-tree'].count('nodes');
    checkNode(s, node, seen.has(node.path));
    seen.add(node.path);
  }
  for (const [name, node] of model.tree.nodes) {
    if (seen.has(name)) continue;
    if (name.startsWith('@') && model.compat === '4.17') continue; // not nodes there, and not readable (store.md 1.8)
    report(s, name, node, `${name} is missing, expected with value ${show(node.value)}`, undefined);
  }
}

interface Scene {
  readonly snapshot: Snapshot;
  readonly readingSince: number;
  readonly model: XenstoreModel;
  readonly evidence: Evidence;
}

function checkNode(s: Scene, node: SnapshotNode, isRepeated: boolean): void {
  const name = node.path;
  const value = textOf(node.value);
  const bad = (wanted: Node | undefined, detail: string) => report(s, name, wanted, detail, value);
  if (isRepeated) bad(undefined, `${name} is there twice`);
  const wanted = s.model.tree.read(name);
  if (wanted === undefined) {
    bad(undefined, `${name} is there with value ${show(value)}, but must not be`);
    return;
  }
  if (value !== wanted.value) bad(wanted, `value of ${name}: expected ${show(wanted.value)}, came ${show(value)}`);
  if (!printsAs(wanted.perms, node.perms)) {
    const expected = wanted.perms.map(formatPerm).join(' ');
    bad(wanted, `permissions of ${name}: expected ${expected}, came ${node.perms.join(' ')}`);
  }
}

function report(s: Scene, name: string, wanted: Node | undefined, what: string, value: string | undefined): void {
  const { snapshot, model, evidence } = s;
  const writer = wanted === undefined ? model.tree.removedBy.get(name) : wanted.writer;
  const done = wanted === undefined ? 'removed' : 'written';
  const detail = writer === undefined ? what : `${what}; last ${done} by ${writer.describe()} at seq ${writer.seq}`;
  if (writer !== undefined && writer.seq > s.readingSince) {
    // Nothing is known to be lost, and nothing is proven: a snapshot that took in half of the last changes is no snapshot.
    const note = `the tree was being read since seq ${s.readingSince}, before the traffic had ended`;
    evidence['final-tree'].add(snapshot, '', '', `${detail}; ${note}`);
    return;
  }
  evidence['final-tree'].add(snapshot, '', '', detail);
  const aborted = value === undefined ? undefined : abortedNote(model, name, value);
  if (aborted !== undefined && value !== wanted?.value)
    evidence.transactions.add(snapshot, '', '', `${what}; ${aborted}`);
  else if (writer?.isCommit)
    evidence.transactions.add(snapshot, '', '', `${detail}, a commit that must take effect whole`);
}

/** A history without a snapshot leaves this unproven, which is not the same as true. */
export function checkThereIsOne(log: RecordLog, evidence: Evidence): void {
  const end = log.at(-1);
  if (end !== undefined && !log.kept.some((r) => r.kind === 'snapshot')) {
    evidence['final-tree'].add(end, '', '', 'the history has no snapshot of the tree: the run did not come to its end');
  }
}

export function finalTree(evidence: Evidence): Verdict {
  return evidence['final-tree'].verdict(CLAIM, SOURCE);
}
