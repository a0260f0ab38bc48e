import { PersistentMap } from './persistent-map.ts';

/**
 * The names of a node's children in order of creation; never changed once made. A short list is an array, which is quickest to
 * copy; a long one shares what it can with the list that it was made of, so that one name costs the same among any number.
 */
export type Names = readonly string[] | LongNames;

/** Of most nodes: they need no list of their own. */
export const NO_NAMES: Names = [];

/** An array grows to so many names. A long list becomes one again well below that, so that two requests by turns cost nothing. */
const SHORT_MAX = 128;
const SHORT_AGAIN = SHORT_MAX / 4;

/** The list with one more name, the youngest. It may be there already: a transaction's view of a list can say so. */
export function withName(names: Names, name: string): Names {
  if (names instanceof LongNames) return names.with(name);
  return names.length < SHORT_MAX ? [...names, name] : LongNames.of(names).with(name);
}

/** The list without the oldest of that name; the same list if there is none. */
export function withoutName(names: Names, name: string): Names {
  if (names instanceof LongNames) return names.without(name);
  const at = names.indexOf(name);
  if (at < 0) return names;
  return names.length <= SHORT_MAX ? names.filter((_, i) => i !== at) : LongNames.of(names).without(name);
}

export function hasName(names: Names, name: string): boolean {
  return names instanceof LongNames ? names.has(name) : names.includes(name);
}

/** The names in order. */
export function listOf(names: Names): readonly string[] {
  return names instanceof LongNames ? names.list : names;
}

/** One name, and where it stands; mostly once. */
interface Entry {
  readonly name: string;
  readonly place: number;
  readonly later: readonly number[];
}
const NOWHERE: readonly number[] = [];

class LongNames {
  readonly #entries: PersistentMap<Entry>;
  readonly #length: number;
  /** The place of the next name: greater than any. */
  readonly #next: number;
  #list: readonly string[] | undefined = undefined;

  private constructor(entries: PersistentMap<Entry>, length: number, next: number) {
    this.#entries = entries;
    this.#length = length;
    this.#next = next;
  }

  static of(names: readonly string[]): LongNames {
    const entries = new Map<string, Entry>();
    for (const [place, name] of names.entries()) entries.set(name, placed(entries.get(name), name, place));
    return new LongNames(
      PersistentMap.of(entries.values(), ({ name }) => name),
      names.length,
      names.length,
    );
  }

  has(name: string): boolean {
    return this.#entries.get(name) !== undefined;
  }

  with(name: string): LongNames {
    const entry = placed(this.#entries.get(name), name, this.#next);
    return new LongNames(this.#entries.set(name, entry), this.#length + 1, this.#next + 1);
  }

  without(name: string): Names {
    const entry = this.#entries.get(name);
    if (entry === undefined) return this;
    const [place, ...later] = entry.later;
    const entries = place === undefined ? this.#entries.delete(name) : this.#entries.set(name, { name, place, later });
    const rest = new LongNames(entries, this.#length - 1, this.#next);
    return rest.#length > SHORT_AGAIN ? rest : rest.list;
  }

  /** Made once for each list that somebody looks at. */
  get list(): readonly string[] {
    this.#list ??= this.#inOrder();
    return this.#list;
  }

  #inOrder(): string[] {
    const places: Pick<Entry, 'name' | 'place'>[] = [];
    for (const entry of this.#entries.values()) {
      places.push(entry);
      for (const place of entry.later) places.push({ name: entry.name, place });
    }
    return places.sort((a, b) => a.place - b.place).map(({ name }) => name);
  }
}

function placed(known: Entry | undefined, name: string, place: number): Entry {
  if (known === undefined) return { name, place, later: NOWHERE };
  return { ...known, later: [...known.later, place] };
}
