import { childOf, parentOf } from '../protocol/path.ts';
import type { Perm } from '../protocol/perms.ts';
import type { Ground } from '../tree/ground.ts';
import { listOf } from '../tree/names.ts';
import { type Node, ownerOf } from '../tree/node.ts';
import { View } from '../tree/view.ts';
import type { Accounting } from './accounting.ts';
import type { Connection, Outstanding } from './connection.ts';
import { SPECIAL_NODES } from './special-nodes.ts';
import type { DaemonState } from './state.ts';

type Known = Pick<DaemonState, 'compat' | 'options'>;

/** What becomes of the nodes of a domain that is gone: orphans go with their subtrees, pre-order; other nodes lose the
 *  domain's entries (store.md 8.6, step 2). */
export class DeadNodes {
  readonly #state: Known;
  readonly #ground: Ground<Connection, Outstanding>;
  readonly #accounting: Accounting;

  constructor(state: Known, ground: Ground<Connection, Outstanding>, accounting: Accounting) {
    this.#state = state;
    this.#ground = ground;
    this.#accounting = accounting;
  }

  removeOf(domid: number): void {
    if (!this.#state.compat.stripsDeadEntries && this.#accounting.account(domid).nodes <= 0) return;
    const { tree } = this.#ground;
    const view = new View(this.#ground, undefined, undefined, undefined);
    const visit = (node: Node) => {
      const isOrphan = ownerOf(node) === domid;
      if (isOrphan && !this.#state.options.keepOrphans) {
        const isRoot = node.path === '/' || node.path.startsWith('@');
        return view.removeTree(node, isRoot ? undefined : tree.get(parentOf(node.path)));
      }
      if (isOrphan) {
        this.#accounting.countNodes(domid, -1);
        this.#accounting.countNodes(this.#state.options.privDomid, 1);
      }
      const perms = this.#without(node, domid);
      if (perms !== node.perms) tree.store({ ...node, perms }, node); // neither a new generation nor an event
      for (const base of listOf(node.children)) {
        const child = tree.get(childOf(node.path, base));
        if (child !== undefined) visit(child);
      }
    };
    for (const name of ['/', ...SPECIAL_NODES]) {
      const node = tree.get(name);
      if (node !== undefined) visit(node);
    }
    view.applyCounts();
  }

  /** A node's entries without the domain's; the same list if it has none. What it owned is the privileged domain's. */
  #without({ perms }: Node, domid: number): readonly Perm[] {
    const { compat, options } = this.#state;
    const isLost = (perm: Perm, i: number) => i > 0 && compat.stripsDeadEntries && perm.domid === domid;
    const first = perms[0] as Perm;
    if (first.domid !== domid && !perms.some(isLost)) return perms;
    const owner = first.domid === domid ? { ...first, domid: options.privDomid } : first;
    return [owner, ...perms.filter((perm, i) => i > 0 && !isLost(perm, i))];
  }
}
