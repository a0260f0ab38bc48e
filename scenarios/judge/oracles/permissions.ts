export const READ = 1;
export const WRITE = 2;
export const OWNER = 4;

/** An entry of a permission list. `isStale`: it names a domain that did not exist when the list was set.
 *  `mayBeStale`: its domain has died meanwhile; the store may have dropped it or still print it (it never gives access). */
export interface Perm {
  readonly domid: number;
  readonly rights: number;
  readonly isStale: boolean;
  readonly mayBeStale: boolean;
}

/** Any domain, in 4.22. Source: xen/include/public/xen.h. */
export const DOMID_ANY = 32757;

const LETTERS = 'nrwb';

export function perm(domid: number, letter: 'n' | 'r' | 'w' | 'b'): Perm {
  return { domid, rights: LETTERS.indexOf(letter), isStale: false, mayBeStale: false };
}

/** `r010` and the like, by the rules of strtol with base 0; `undefined` where the store says EINVAL. Source: store.md 1.7. */
export function parsePerm(text: string): Perm | undefined {
  const m = /^([nrwb])[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(text);
  if (m === null) return undefined;
  const digits = m[3]!;
  const octal = /^0[0-7]+$/.test(digits);
  const magnitude = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  const domid = Number(BigInt.asUintN(32, m[2] === '-' ? -magnitude : magnitude));
  return { domid, rights: LETTERS.indexOf(m[1]!), isStale: false, mayBeStale: false };
}

/** As GET_PERMS prints it: the number is printed signed. */
export function formatPerm(p: Perm): string {
  return `${LETTERS[p.rights]}${p.domid | 0}`;
}

/** Whether `printed` is what the store may print for `perms`: everything, or without entries of domains that died. */
export function printsAs(perms: readonly Perm[], printed: readonly string[]): boolean {
  let at = 0;
  for (const p of perms) {
    if (printed[at] === formatPerm(p)) at++;
    else if (!p.mayBeStale) return false;
  }
  return at === printed.length;
}

/** Rights of a connection on a node. Source: store.md 3.2. */
export function rightsOf(
  perms: readonly Perm[],
  who: { readonly domid: number; readonly isPriv: boolean; readonly target: number | undefined },
): number {
  if (who.isPriv) return READ | WRITE | OWNER;
  const names = (p: Perm) => p.domid === who.domid || p.domid === who.target || p.domid === DOMID_ANY;
  const owner = perms[0]!;
  if (names(owner)) return READ | WRITE | OWNER;
  for (let i = 1; i < perms.length; i++) {
    const p = perms[i]!;
    if (!p.isStale && !p.mayBeStale && names(p)) return p.rights;
  }
  return owner.rights;
}
