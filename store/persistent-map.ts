/**
 * A persistent map from octet strings to values: a hash array mapped trie. An update copies the spine to the changed leaf
 * and shares the rest, so that a reference to a map is a consistent image of it for as long as anyone wants.
 */
const BITS = 5;
const MASK = 31;

interface Leaf<V> {
  readonly hash: number;
  readonly key: string;
  readonly value: V;
}
/** Keys whose whole hashes are equal. */
interface Clash<V> {
  readonly hash: number;
  readonly leaves: readonly Leaf<V>[];
}
interface Branch<V> {
  readonly bitmap: number;
  readonly slots: readonly Slot<V>[];
}
type Slot<V> = Leaf<V> | Clash<V> | Branch<V>;

function isBranch<V>(slot: Slot<V>): slot is Branch<V> {
  return 'slots' in slot;
}
function isLeaf<V>(slot: Slot<V>): slot is Leaf<V> {
  return 'key' in slot;
}

/** FNV-1a over code units with a final mix, since neighbours in a directory differ in their last octets only. */
function hashOf(key: string): number {
  let h = 0x811c9dc5 | 0;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}

function bitCount(n: number): number {
  n -= (n >>> 1) & 0x55555555;
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return (Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24) & 63;
}

export class PersistentMap<V> {
  readonly #root: Branch<V>;
  readonly size: number;

  private constructor(root: Branch<V>, size: number) {
    this.#root = root;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>({ bitmap: 0, slots: [] }, 0);
  }

  /** A map of many entries at once; a later one wins over an earlier of the same key. Nobody else sees it being made. */
  static of<V>(entries: Iterable<readonly [string, V]>): PersistentMap<V> {
    const root: Building<V> = { bitmap: 0, slots: [] };
    const grown = { by: 0 };
    for (const [key, value] of entries) build(root, 0, { hash: hashOf(key), key, value }, grown);
    return new PersistentMap(root, grown.by);
  }

  get(key: string): V | undefined {
    const hash = hashOf(key);
    let branch = this.#root;
    for (let shift = 0; ; shift += BITS) {
      const bit = 1 << ((hash >>> shift) & MASK);
      if ((branch.bitmap & bit) === 0) return undefined;
      const slot = branch.slots[bitCount(branch.bitmap & (bit - 1))] as Slot<V>;
      if (isLeaf(slot)) return slot.hash === hash && slot.key === key ? slot.value : undefined;
      if (!isBranch(slot)) return slot.hash === hash ? slot.leaves.find((l) => l.key === key)?.value : undefined;
      branch = slot;
    }
  }

  /** The map with `key` set. */
  set(key: string, value: V): PersistentMap<V> {
    const leaf = { hash: hashOf(key), key, value };
    const grown = { by: 0 };
    const root = put(this.#root, 0, leaf, grown);
    return new PersistentMap(root, this.size + grown.by);
  }

  /** The map without `key`; the same map if it was not there. */
  delete(key: string): PersistentMap<V> {
    const root = remove(this.#root, 0, hashOf(key), key);
    if (root === this.#root) return this;
    return new PersistentMap(root === undefined || !isBranch(root) ? single(root) : root, this.size - 1);
  }

  /** All values, in an order that depends on the keys alone. */
  *values(): Generator<V> {
    yield* walk(this.#root);
  }
}

function single<V>(slot: Slot<V> | undefined): Branch<V> {
  if (slot === undefined) return { bitmap: 0, slots: [] };
  return { bitmap: 1 << ((slot as Leaf<V>).hash & MASK), slots: [slot] };
}

function* walk<V>(slot: Slot<V>): Generator<V> {
  if (isLeaf(slot)) yield slot.value;
  else if (isBranch(slot)) for (const s of slot.slots) yield* walk(s);
  else for (const leaf of slot.leaves) yield leaf.value;
}

function put<V>(branch: Branch<V>, shift: number, leaf: Leaf<V>, grown: { by: number }): Branch<V> {
  const bit = 1 << ((leaf.hash >>> shift) & MASK);
  const index = bitCount(branch.bitmap & (bit - 1));
  const slots = branch.slots.slice();
  if ((branch.bitmap & bit) === 0) {
    grown.by = 1;
    slots.splice(index, 0, leaf);
    return { bitmap: branch.bitmap | bit, slots };
  }
  slots[index] = putSlot(slots[index] as Slot<V>, shift + BITS, leaf, grown);
  return { bitmap: branch.bitmap, slots };
}

function putSlot<V>(slot: Slot<V>, shift: number, leaf: Leaf<V>, grown: { by: number }): Slot<V> {
  if (isBranch(slot)) return put(slot, shift, leaf, grown);
  if (slot.hash !== leaf.hash) return put(branchOf(slot, shift), shift, leaf, grown);
  if (isLeaf(slot)) {
    if (slot.key === leaf.key) return leaf;
    grown.by = 1;
    return { hash: leaf.hash, leaves: [slot, leaf] };
  }
  const at = slot.leaves.findIndex((l) => l.key === leaf.key);
  if (at >= 0) return { hash: slot.hash, leaves: slot.leaves.with(at, leaf) };
  grown.by = 1;
  return { hash: slot.hash, leaves: [...slot.leaves, leaf] };
}

/** A branch that only its maker has: it may be changed. */
interface Building<V> extends Branch<V> {
  bitmap: number;
  readonly slots: Slot<V>[];
}

function build<V>(branch: Building<V>, shift: number, leaf: Leaf<V>, grown: { by: number }): void {
  const bit = 1 << ((leaf.hash >>> shift) & MASK);
  const index = bitCount(branch.bitmap & (bit - 1));
  if ((branch.bitmap & bit) === 0) {
    branch.bitmap |= bit;
    branch.slots.splice(index, 0, leaf);
    grown.by++;
    return;
  }
  const slot = branch.slots[index] as Slot<V>;
  if (isBranch(slot)) return build(slot as Building<V>, shift + BITS, leaf, grown);
  if (slot.hash === leaf.hash) {
    const more = { by: 0 };
    branch.slots[index] = putSlot(slot, shift + BITS, leaf, more);
    grown.by += more.by;
    return;
  }
  const below: Building<V> = { bitmap: 1 << ((slot.hash >>> (shift + BITS)) & MASK), slots: [slot] };
  branch.slots[index] = below;
  build(below, shift + BITS, leaf, grown);
}

function branchOf<V>(slot: Leaf<V> | Clash<V>, shift: number): Branch<V> {
  return { bitmap: 1 << ((slot.hash >>> shift) & MASK), slots: [slot] };
}

/** The branch without the key; the same branch if it is not there; a lone leaf moves up; undefined when empty. */
function remove<V>(branch: Branch<V>, shift: number, hash: number, key: string): Slot<V> | undefined {
  const bit = 1 << ((hash >>> shift) & MASK);
  if ((branch.bitmap & bit) === 0) return branch;
  const index = bitCount(branch.bitmap & (bit - 1));
  const slot = branch.slots[index] as Slot<V>;
  let left: Slot<V> | undefined;
  if (isLeaf(slot)) {
    if (slot.key !== key) return branch;
    left = undefined;
  } else if (isBranch(slot)) {
    left = remove(slot, shift + BITS, hash, key);
    if (left === slot) return branch;
  } else {
    const leaves = slot.leaves.filter((l) => l.key !== key);
    if (leaves.length === slot.leaves.length) return branch;
    left = leaves.length === 1 ? leaves[0] : { hash: slot.hash, leaves };
  }
  if (left !== undefined) {
    if (shift > 0 && branch.slots.length === 1 && !isBranch(left)) return left;
    return { bitmap: branch.bitmap, slots: branch.slots.with(index, left) };
  }
  if (branch.slots.length === 1) return undefined;
  const slots = branch.slots.toSpliced(index, 1);
  const lone = slots[0] as Slot<V>;
  if (shift > 0 && slots.length === 1 && !isBranch(lone)) return lone;
  return { bitmap: branch.bitmap & ~bit, slots };
}
