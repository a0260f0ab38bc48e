/** A place in the tree, the same for a guest at every host: below its home without its number, as `~/data/x`; else as it is. */
export interface HomePlace {
  readonly place: string;
  /** Whose home it is in; `undefined`: nobody's. */
  readonly owner: number | undefined;
}

const HOME = /^\/local\/domain\/(\d+)(?:\/|$)/;

/** What a path that a domain names means: those without a slash at their beginning are relative to its home. */
export function inHome(path: string, domid: number): HomePlace {
  if (path.startsWith('@')) return { place: path, owner: undefined };
  if (!path.startsWith('/')) return { place: `~/${path}`, owner: domid };
  const [home, owner] = HOME.exec(path) ?? [];
  if (home === undefined) return { place: path, owner: undefined };
  const rest = path.slice(home.length);
  return { place: rest === '' ? '~' : `~/${rest}`, owner: Number(owner) };
}

/** A place and all that is above it, up to the home. */
export function* parentsOf(place: string): Generator<string> {
  for (let path = place; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('/')))) yield path;
}

export function isAtOrBelow(place: string, above: string): boolean {
  return place === above || above === '/' || place.startsWith(`${above}/`);
}

/** Whether a change of a place is a matter of a watch. `depth`: how many levels below its path are; left out: all. */
export function covers(
  { path, depth }: { readonly path: string; readonly depth?: string | undefined },
  place: string,
): boolean {
  if (!isAtOrBelow(place, path)) return false;
  return depth === undefined || place.slice(path.length).split('/').length - 1 <= Number(depth);
}
