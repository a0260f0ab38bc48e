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

/**
 * What a path is to a domain that moves: a place that it finds again at each host, or, in the home of another, the path as it is: that
 * number is somebody else's there.
 */
export function placeFor(path: string, domid: number): string {
  const { place, owner } = inHome(path, domid);
  return owner === undefined || owner === domid ? place : path;
}

/** Whether a place of `placeFor` is in the home of another. */
export function isOfAnother(place: string): boolean {
  return HOME.test(place);
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
