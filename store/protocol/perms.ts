import { refuse, strtolBase0 } from './wire.ts';

/** Rights as bits. */
export const READ = 1;
export const WRITE = 2;
export const OWNER = 4;
export const ALL_RIGHTS = READ | WRITE | OWNER;

/** One entry. The first names the owner; its rights are the default for everybody else. */
export interface Perm {
  /** READ | WRITE as granted. */
  readonly rights: number;
  /** 32 bits, unsigned. */
  readonly domid: number;
  /** The domain did not exist when the entry was made, or is gone: the entry grants nothing (XSA-322). */
  readonly stale: boolean;
}

const LETTERS = ['n', 'r', 'w', 'b'] as const;

/** An entry from its text: a letter, then a number as strtol with base 0 takes it. Errors: EINVAL. */
export function parsePerm(s: string): Perm {
  const rights = (LETTERS as readonly string[]).indexOf(s.charAt(0));
  const domid = strtolBase0(s.slice(1));
  if (s === '' || rights < 0 || domid === undefined) refuse('EINVAL');
  return { rights, domid, stale: false };
}

export function formatPerm({ rights, domid }: Perm): string {
  return `${LETTERS[rights & (READ | WRITE)]}${domid > 0x7fff_ffff ? domid - 0x1_0000_0000 : domid}`;
}

/** Who can say whether an entry counts although its domain may have been replaced since the node was written. */
export interface Currency {
  /** Whether the entry's domain is the one that was meant at this generation (store.md 3.4). */
  isCurrent(perm: Perm, generation: number): boolean;
}

/**
 * Rights of an unprivileged connection on a node of this generation (store.md 3.2).
 * @param own domid of the connection.
 * @param target domid that SET_TARGET gave it, -1 = none.
 * @param any domid that means every domain (DOMID_ANY), -1 = none, as the daemon does not know it.
 * Source: core.c, perm_for_conn.
 */
export function rightsOf(
  perms: readonly Perm[],
  own: number,
  target: number,
  any: number,
  generation: number,
  currency: Currency,
): number {
  const first = perms[0];
  if (first === undefined) return 0;
  if (first.domid === own || first.domid === target || first.domid === any) return ALL_RIGHTS;
  for (let i = 1; i < perms.length; i++) {
    const perm = perms[i] as Perm;
    const { domid } = perm;
    if (perm.stale || (domid !== own && domid !== target && domid !== any)) continue;
    if (currency.isCurrent(perm, generation)) return perm.rights;
  }
  return first.rights;
}

/**
 * The entries as the daemon writes them back: what has lost its domain stays lost, whatever the node's next generation is
 * (XSA-322). The same list where nothing was lost. Source: domain.c, domain_adjust_node_perms.
 */
export function settledPerms(perms: readonly Perm[], generation: number, currency: Currency): readonly Perm[] {
  const isLost = (perm: Perm, i: number) => i > 0 && !perm.stale && !currency.isCurrent(perm, generation);
  if (perms.length === 1 || !perms.some(isLost)) return perms;
  return perms.map((perm, i) => (isLost(perm, i) ? { ...perm, stale: true } : perm));
}
