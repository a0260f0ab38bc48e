import { DOMID_ANY } from '../../sim/index.ts';
import { ALL_RIGHTS, type Perm, rightsOf } from '../protocol/perms.ts';
import type { NodeRights } from '../tree/ground.ts';
import type { Connection } from './connection.ts';
import type { DaemonState } from './state.ts';

type Known = Pick<DaemonState, 'compat' | 'records'>;

/** Whether an entry still means the domain that it meant when its node was of this generation (store.md 3.4). */
export function isCurrent({ compat, records }: Known, perm: Perm, generation: number): boolean {
  if (compat.domidAny && perm.domid === DOMID_ANY) return true;
  const record = records.get(perm.domid);
  return record !== undefined && record.stamp <= generation;
}

/** What connections may do with nodes. */
export class Rights implements NodeRights<Connection> {
  readonly #state: Known;
  /** The domid that means everybody; -1: there is none. */
  readonly #any: number;

  constructor(state: Known) {
    this.#state = state;
    this.#any = state.compat.domidAny ? DOMID_ANY : -1;
  }

  /** Rights of a connection by an entry list that belongs to a node of this generation. */
  of(conn: Connection, perms: readonly Perm[], generation: number): number {
    if (!conn.isUnprivileged) return ALL_RIGHTS;
    const target = conn.target === undefined ? -1 : conn.target.domid;
    return rightsOf(perms, conn.domid, target, this.#any, generation, this);
  }

  isCurrent(perm: Perm, generation: number): boolean {
    return isCurrent(this.#state, perm, generation);
  }
}
