import { type Carriage, extentOf } from './carriage.ts';
import type { Report } from './reduction.ts';
import { type AclEntry, childLists, type NodeState, parentPath } from './state.ts';

const DOMID_ANY = 0x7ff5;
const OWN_SPECIALS: readonly string[] = ['@introduceDomain', '@releaseDomain'];

/**
 * Entries without what the format cannot say of them. A stale entry goes: kept as a live one it would give the rights of
 * a dead domain to whoever gets its number next. A stale owner is replaced by domain 0, since a node needs one.
 */
export function keptEntries(
  acl: readonly AclEntry[],
  carriage: Carriage,
  lose: (row: 'acl' | 'staleAcl', fate: 'dropped' | 'changed', how: string) => void,
): readonly AclEntry[] {
  const hasStale = extentOf(carriage, 'staleAcl') !== 'none';
  const isKept = (entry: AclEntry) =>
    (hasStale || !entry.stale) && (carriage.knowsDomidAny || entry.domid !== DOMID_ANY);
  if (acl.every(isKept)) return acl;
  return acl.flatMap((entry, i) => {
    if (isKept(entry)) return [entry];
    const text = `${entry.letter}${entry.domid}`;
    const row = entry.stale && !hasStale ? 'staleAcl' : 'acl';
    if (i === 0) {
      lose(row, 'changed', `owner ${text} becomes ${entry.letter}0`);
      return [{ letter: entry.letter, domid: 0, stale: false }];
    }
    lose(row, 'dropped', entry.domid === DOMID_ANY ? `${text}, which stands for any domain` : text);
    return [];
  });
}

/** The same nodes, with the entries and generations that the format has. */
export function reduceAcl(nodes: readonly NodeState[], carriage: Carriage, report: Report): readonly NodeState[] {
  return nodes.map((node) => {
    const thing = { kind: 'node', path: node.path } as const;
    const acl = keptEntries(node.acl, carriage, (row, fate, how) =>
      report(row === 'acl' && node.path.startsWith('@') ? 'specialAcl' : row, thing, fate, how),
    );
    const isLost = node.generation !== undefined && extentOf(carriage, 'generation') === 'none';
    if (isLost) report('generation', thing, 'dropped', `${node.generation}; it counts anew`);
    if (!isLost) return acl === node.acl ? node : { ...node, acl };
    return { path: node.path, value: node.value, acl };
  });
}

export function reduceSpecials(nodes: readonly NodeState[], carriage: Carriage, report: Report): readonly NodeState[] {
  return nodes.filter(({ path }) => {
    const isCarried = extentOf(carriage, 'specialAcl') !== 'none';
    const isKept = isCarried && (!carriage.onlyOwnSpecials || OWN_SPECIALS.includes(path));
    if (!isKept)
      report(
        'specialAcl',
        { kind: 'node', path },
        'dropped',
        isCarried ? 'the reader does not know it' : 'defaults apply',
      );
    return isKept;
  });
}

/** Nodes whose parent is there, where the reader insists. */
export function reduceOrphans(nodes: readonly NodeState[], carriage: Carriage, report: Report): readonly NodeState[] {
  if (!carriage.needsParents) return nodes;
  const kept = new Set<string>(['/']);
  return nodes.filter(({ path }) => {
    const isKept = kept.has(parentPath(path) ?? '/');
    if (isKept) kept.add(path);
    else report('node', { kind: 'node', path }, 'dropped', 'its parent is not there');
    return isKept;
  });
}

/** Where order is not carried: each node before its children, and these in descending order, as oxenstored writes them. */
export function reduceOrder(nodes: readonly NodeState[], carriage: Carriage, report: Report): readonly NodeState[] {
  if (extentOf(carriage, 'siblingOrder') !== 'none') return nodes;
  const found = new Map(nodes.map((node) => [node.path, node]));
  const lists = childLists(nodes);
  const sorted: NodeState[] = [];
  const todo = [...found.keys()].filter(
    (path) => path === '/' || !found.has(path.slice(0, path.lastIndexOf('/')) || '/'),
  );
  todo.reverse();
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const node = found.get(path);
    if (node !== undefined) sorted.push(node);
    const names = lists.get(path) ?? [];
    const ascending = names.toSorted(byOctets);
    const isKept = names.every((name, i) => name === ascending[names.length - 1 - i]);
    if (!isKept) report('siblingOrder', { kind: 'node', path }, 'changed', 'its children are in descending order');
    for (const name of ascending) todo.push(path === '/' ? `/${name}` : `${path}/${name}`);
  }
  return sorted;
}

/** Octet strings by their octets. */
export function byOctets(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
