import type { LiveTree } from '../tree/live-tree.ts';
import type { Connection } from './connection.ts';
import type { DaemonState } from './state.ts';
import type { Watches } from './watches.ts';

export const RELEASE_DOMAIN = '@releaseDomain';
export const INTRODUCE_DOMAIN = '@introduceDomain';
/** In the order in which the daemon makes, walks and dumps them. */
export const SPECIAL_NODES = [RELEASE_DOMAIN, INTRODUCE_DOMAIN] as const;
export type SpecialName = (typeof SPECIAL_NODES)[number];

type Known = Pick<DaemonState, 'compat' | 'options' | 'specialPerms'>;

/** Names that stand for what happens to domains, and the events under them (store.md 8.9). */
export class SpecialNodes {
  readonly #state: Known;
  readonly #tree: LiveTree;
  readonly #watches: Watches;

  constructor(state: Known, tree: LiveTree, watches: Watches) {
    this.#state = state;
    this.#tree = tree;
    this.#watches = watches;
  }

  /**
   * A special event in its forms: plain first, then with the domid. `domid` undefined: only the plain form; `form`
   * 'domid-only': only the other. It is nobody's burden: only privileged requests and the hypervisor cause one.
   * @param except hears nothing of it.
   */
  fire(name: SpecialName, domid: number | undefined, form?: 'domid-only', except?: Connection): void {
    const { compat, specialPerms } = this.#state;
    if (!compat.specialNodes) {
      if (form !== 'domid-only') this.#watches.fireByEntries(name, specialPerms.get(name) ?? [], except);
      return;
    }
    const node = this.#tree.get(name);
    if (form !== 'domid-only') this.#watches.fire(name, node, 'nodepth', undefined, undefined, except);
    if (domid !== undefined) this.#watches.fire(`${name}/${domid}`, node, 'depth', undefined, undefined, except);
  }

  /** A domain is gone: entries beside the tree that name it, too, and what it owned there is the privileged domain's. */
  strip(domid: number): void {
    const { specialPerms, options } = this.#state;
    for (const [name, perms] of specialPerms)
      specialPerms.set(
        name,
        perms
          .filter((p, i) => i === 0 || p.domid !== domid)
          .map((p) => (p.domid === domid ? { ...p, domid: options.privDomid } : p)),
      );
  }
}
