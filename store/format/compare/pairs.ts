import type { Field, Fields } from '../schema/schema.ts';
import { fixedBytes } from '../schema/sizes.ts';

/** Two fields of two layouts that stand for each other. */
export interface Pair {
  readonly oldName: string;
  readonly newName: string;
  readonly old: Field;
  readonly fresh: Field;
  readonly oldIndex: number;
  readonly newIndex: number;
}

/**
 * Fields that stand for each other: those of the same name, then those of the same size at the same place behind a
 * field of the same name. In the order of the new layout.
 */
export function pairsOf(old: Fields, fresh: Fields): readonly Pair[] {
  const [oldNames, newNames] = [Object.keys(old), Object.keys(fresh)];
  const pair = (oldName: string, newName: string): Pair => ({
    oldName,
    newName,
    old: old[oldName] as Field,
    fresh: fresh[newName] as Field,
    oldIndex: oldNames.indexOf(oldName),
    newIndex: newNames.indexOf(newName),
  });
  // A table's name is of no account: it is not in the decoded value.
  const isPaired = (name: string) =>
    old[name] !== undefined && old[name].what !== 'table' && fresh[name]?.what !== 'table';
  const found = newNames
    .filter((name) => fresh[name] !== undefined && isPaired(name) && oldNames.includes(name))
    .map((name) => pair(name, name));
  const common = new Set(found.map((one) => one.newName));
  const places = placesOf(oldNames, common);
  for (const [place, newName] of placesOf(newNames, common)) {
    const oldName = places.get(place);
    if (oldName !== undefined && isAlike(old[oldName] as Field, fresh[newName] as Field))
      found.push(pair(oldName, newName));
  }
  return found.toSorted((a, b) => a.newIndex - b.newIndex);
}

/** Names without a namesake, by the last common name before them and their number behind it. */
function placesOf(names: readonly string[], common: ReadonlySet<string>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let [last, count] = ['', 0];
  for (const name of names) {
    if (common.has(name)) [last, count] = [name, 0];
    else found.set(`${last} ${count++}`, name);
  }
  return found;
}

function isAlike(old: Field, fresh: Field): boolean {
  if (old.what === 'table' || fresh.what === 'table') return false;
  const size = fixedBytes(old);
  return size === undefined ? old.what === fresh.what : size === fixedBytes(fresh);
}

/** The pairs that keep their order: a longest run of them. The others moved. */
export function kept(pairs: readonly Pair[]): ReadonlySet<Pair> {
  const best: Pair[][] = [];
  for (const pair of pairs) {
    const before = best.filter((run) => (run.at(-1)?.oldIndex ?? -1) < pair.oldIndex);
    const longest = before.reduce<Pair[]>((a, b) => (b.length > a.length ? b : a), []);
    best.push([...longest, pair]);
  }
  return new Set(best.reduce<Pair[]>((a, b) => (b.length > a.length ? b : a), []));
}
