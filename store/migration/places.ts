/** Whether `path` is `root`, or below it. */
export function isBelow(path: string, root: string): boolean {
  return root === '/' || path === root || path.startsWith(`${root}/`);
}

const HOME = /^\/local\/domain\/([0-9]{1,5})(?:\/|$)/;
const BACKEND = /^\/local\/domain\/[0-9]{1,5}\/backend\/[^/]+\/([0-9]{1,5})(?:\/|$)/;

/** Whether a node belongs to one of these domains by its place: in its home, or in what a backend has for it (NC-13). */
export function isWithin(path: string, domids: readonly number[]): boolean {
  const owner = BACKEND.exec(path)?.[1];
  if (owner !== undefined && domids.includes(Number(owner))) return true;
  const home = HOME.exec(path)?.[1];
  return home !== undefined && domids.includes(Number(home));
}

/** The uppermost node of the place that a path lies in: a home, or a backend's area for one domain. */
export function placeOf(path: string, domids: readonly number[]): string | undefined {
  const area = BACKEND.exec(path);
  if (area !== null && domids.includes(Number(area[1]))) return area[0].replace(/\/$/, '');
  const home = HOME.exec(path);
  return home !== null && domids.includes(Number(home[1])) ? home[0].replace(/\/$/, '') : undefined;
}
