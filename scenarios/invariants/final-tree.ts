import type { HistoryRecord, SnapshotNode, Verdict } from '../history.ts';
import { show, textOf } from '../oracles/octets.ts';
import { formatPerm, printsAs } from '../oracles/permissions.ts';
import type { Node } from '../oracles/tree.ts';
import type { Moment } from '../oracles/wire.ts';
import type { XenstoreModel } from '../oracles/xenstore-model.ts';
import { abortedNote } from './answers.ts';
import type { Evidence } from './finding.ts';

export const CLAIM =
  'At the end the tree is what the answered requests made of it: the same nodes, values and permissions, and no others';
export const SOURCE = 'store.md 3; guests.md 6.7 INV-N1 to N5';

type Snapshot = Extract<HistoryRecord, { readonly kind: 'snapshot' }>;

/** Compare the tree as it was read at the end with the model's. */
export function checkSnapshot(snapshot: Snapshot, model: XenstoreModel, evidence: Evidence): void {
  const seen = new Set<string>();
  for (const node of snapshot.nodes) {
    evidence['final-tree'].count('nodes');
    checkNode(snapshot, node, model, evidence, seen.has(node.path));
    seen.add(node.path);
  }
  for (const [name, node] of model.tree.nodes) {
    if (seen.has(name)) continue;
    if (name.startsWith('@') && model.compat === '4.17') continue; // not nodes there, and not readable (store.md 1.8)
    report(
      snapshot,
      name,
      node,
      `${name} is missing, expected with value ${show(node.value)}`,
      undefined,
      model,
      evidence,
    );
  }
}

function checkNode(
  at: Moment,
  node: SnapshotNode,
  model: XenstoreModel,
  evidence: Evidence,
  isRepeated: boolean,
): void {
  const name = node.path;
  const value = textOf(node.value);
  const bad = (wanted: Node | undefined, detail: string) => report(at, name, wanted, detail, value, model, evidence);
  if (isRepeated) bad(undefined, `${name} is there twice`);
  const wanted = model.tree.read(name);
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

function report(
  at: Moment,
  name: string,
  wanted: Node | undefined,
  detail: string,
  value: string | undefined,
  model: XenstoreModel,
  evidence: Evidence,
): void {
  const writer = wanted?.writer ?? (wanted === undefined ? model.tree.removedBy.get(name) : undefined);
  const by =
    writer === undefined
      ? ''
      : `; last ${wanted === undefined ? 'removed' : 'written'} by ${writer.describe()} at seq ${writer.seq}`;
  evidence['final-tree'].add(at, '', '', detail + by);
  const aborted = value === undefined ? undefined : abortedNote(model, name, value);
  if (aborted !== undefined && value !== wanted?.value) evidence.transactions.add(at, '', '', `${detail}; ${aborted}`);
  else if (writer?.isCommit)
    evidence.transactions.add(at, '', '', `${detail}${by}, a commit that must take effect whole`);
}

/** A history without a snapshot leaves this unproven, which is not the same as true. */
export function checkThereIsOne(records: readonly HistoryRecord[], evidence: Evidence): void {
  const end = records.at(-1);
  if (end !== undefined && !records.some((r) => r.kind === 'snapshot')) {
    evidence['final-tree'].add(end, '', '', 'the history has no snapshot of the tree: the run did not come to its end');
  }
}

export function finalTree(evidence: Evidence): Verdict {
  return evidence['final-tree'].verdict(CLAIM, SOURCE);
}
