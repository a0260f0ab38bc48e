import type { Compat } from './compat.ts';
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

/** DOMID_ANY in an entry means every domain, where the daemon knows it. */
export const DOMID_ANY = 0x7ff5;

/** Whether an entry counts although its domain may have been replaced since the node was written (store.md 3.4). */
export type IsCurrent = (perm: Perm) => boolean;

/**
 * Rights of a connection on a node (store.md 3.2).
 * @param own domid of the connection; @param target domid that SET_TARGET gave it, -1 = none.
 * Source: core.c, perm_for_conn.
 */
export function rightsOf(
  perms: readonly Perm[],
  own: number,
  target: number,
  compat: Compat,
  isCurrent: IsCurrent,
): number {
  const first = perms[0];
  if (first === undefined) return 0;
  const means = (domid: number) => domid === own || domid === target || (compat.domidAny && domid === DOMID_ANY);
  if (means(first.domid)) return ALL_RIGHTS;
  for (let i = 1; i < perms.length; i++) {
    const perm = perms[i] as Perm;
    if (!perm.stale && means(perm.domid) && isCurrent(perm)) return perm.rights;
  }
  return first.rights;
}
