/** Who asks, as far as names are concerned. */
export interface Namer {
  readonly domid: number;
  readonly isPriv: boolean;
}

const ALLOWED = /^[A-Za-z0-9\-/_@]*$/;
const DOMAIN_PREFIX = /^\/local\/domain\/[0-9]{1,5}\//;
const PATH_MAX = 2048;

/** The directory that relative names of a domain are below, with its slash. */
export function baseOf(domid: number): string {
  return `/local/domain/${domid}/`;
}

/** The absolute name for what a client wrote, or `undefined` where the store has to say EINVAL.
 *  `special`: names that begin with `@` are allowed. Source: store.md 3.1. */
export function absolute(raw: string, who: Namer, special: boolean, compat: '4.22' | '4.17'): string | undefined {
  if (!ALLOWED.test(raw)) return undefined;
  if (raw.startsWith('@')) {
    if (!special) return undefined;
  }
  const name = raw.startsWith('/') || raw.startsWith('@') ? raw : baseOf(who.domid) + raw;
  if (name !== '/' && (name.endsWith('/') || name.includes('//'))) return undefined;
  const counted = name.length - (DOMAIN_PREFIX.exec(name)?.[0].length ?? 0);
  if (compat === '4.22' ? !who.isPriv && counted >= PATH_MAX : counted > PATH_MAX) return undefined;
  return name;
}

/** The name one level up; `/` for first-level names, for `/` itself and for special names. */
export function parentOf(name: string): string {
  if (name.startsWith('@')) return '/';
  const cut = name.lastIndexOf('/');
  return cut <= 0 ? '/' : name.slice(0, cut);
}

/** The last component. */
export function leafOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

export function childOf(name: string, leaf: string): string {
  return name === '/' ? `/${leaf}` : `${name}/${leaf}`;
}

/** How many levels `name` is below `top`; 0 for itself. Assumes that it is below it.
 *  A one-character top (`/`, `@`) counts its first level as entered. Source: store.md 4.2. */
export function levelsBelow(name: string, top: string): number {
  if (name === top) return 0;
  let levels = top.length === 1 ? 1 : 0;
  for (let i = top.length; i < name.length; i++) if (name[i] === '/') levels++;
  return levels;
}

/** The names whose watches may match a change of `name`: itself, and everything above it. */
export function* topsOf(name: string): Generator<string> {
  yield name;
  for (let cut = name.lastIndexOf('/'); cut > 0; cut = name.lastIndexOf('/', cut - 1)) yield name.slice(0, cut);
  const root = name[0]!;
  if (name.length > 1) yield root;
}
