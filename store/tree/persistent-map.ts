/**
 * A persistent map from octet strings to values: a hash array mapped trie. An update copies the spine to the changed leaf
 * and shares the rest, so that a reference to a map is a consistent image of it for as long as anyone wants.
 */
const BITS = 5;

const LEAF = 0;
const BRANCH = 1;
const CLASH = 2;

interface Leaf<V> {
  readonly kind: typeof LEAF;
  readonly hash: number;
  readonly key: string;
  readonly value: V;
}
/** Keys whose whole hashes are equal. */
interface Clash<V> {
  readonly kind: typeof CLASH;
  readonly hash: number;
  readonly leaves: readonly Leaf<V>[];
}
interface Branch<V> {
  readonly kind: typeof BRANCH;
  readonly bitmap: number;
  readonly slots: readonly Slot<V>[];
}
type Slot<V> = Leaf<V> | Clash<V> | Branch<V>;

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
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export class PersistentMap<V> {
  readonly #root: Branch<V>;
  readonly size: number;

  private constructor(root: Branch<V>, size: number) {
    this.#root = root;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>({ kind: BRANCH, bitmap: 0, slots: [] }, 0);
  }

  /** A map of many values at once; a later one wins over an earlier of the same key. */
  static of<V>(values: Iterable<V>, keyOf: (value: V) => string): PersistentMap<V> {
    const growing = new GrowingMap<V>();
    for (const value of values) growing.put(keyOf(value), value);
    return PersistentMap.grown(growing);
  }

  /** What has grown; nothing is put into `growing` any more. */
  static grown<V>(growing: GrowingMap<V>): PersistentMap<V> {
    return new PersistentMap(growing.root, growing.size);
  }

  get(key: string): V | undefined {
    return find(this.#root, key);
  }

  /** The map with `key` set. */
  set(key: string, value: V): PersistentMap<V> {
    const leaf: Leaf<V> = { kind: LEAF, hash: hashOf(key), key, value };
    const grown = { by: 0 };
    const root = put(this.#root, 0, leaf, grown);
    return new PersistentMap(root, this.size + grown.by);
  }

  /** The map without `key`; the same map if it was not there. */
  delete(key: string): PersistentMap<V> {
    const root = remove(this.#root, 0, hashOf(key), key);
    if (root === this.#root) return this;
    return new PersistentMap(rooted(root), this.size - 1);
  }

  /** All values, in an order that depends on the keys alone. */
  *values(): Generator<V> {
    yield* walk(this.#root);
  }
}

/** A map that nobody else has yet: it is changed in place until it is done. */
export class GrowingMap<V> {
  readonly root: Building<V> = { kind: BRANCH, bitmap: 0, slots: [] };
  readonly #grown = { by: 0 };

  get size(): number {
    return this.#grown.by;
  }

  get(key: string): V | undefined {
    return find(this.root, key);
  }

  /** A later value wins over an earlier of the same key. */
  put(key: string, value: V): void {
    build(this.root, 0, { kind: LEAF, hash: hashOf(key), key, value }, this.#grown);
  }
}

function find<V>(root: Branch<V>, key: string): V | undefined {
  const hash = hashOf(key);
  let branch = root;
  for (let shift = 0; ; shift += BITS) {
    const bit = 1 << (hash >>> shift);
    if ((branch.bitmap & bit) === 0) return undefined;
    const slot = branch.slots[bitCount(branch.bitmap & (bit - 1))] as Slot<V>;
    if (slot.kind === BRANCH) branch = slot;
    else if (slot.hash !== hash) return undefined;
    else if (slot.kind === LEAF) return slot.key === key ? slot.value : undefined;
    else return slot.leaves.find((l) => l.key === key)?.value;
  }
}

function rooted<V>(slot: Slot<V> | undefined): Branch<V> {
  if (slot === undefined) return { kind: BRANCH, bitmap: 0, slots: [] };
  return slot.kind === BRANCH ? slot : branchOf(slot, 0);
}

/** A branch that only its maker has: it may be changed. */
interface Building<V> extends Branch<V> {
  bitmap: number;
  readonly slots: Slot<V>[];
}

function build<V>(branch: Building<V>, shift: number, leaf: Leaf<V>, grown: { by: number }): void {
  const bit = 1 << (leaf.hash >>> shift);
  const index = bitCount(branch.bitmap & (bit - 1));
  if ((branch.bitmap & bit) === 0) {
    branch.bitmap |= bit;
    const { slots } = branch;
    for (let i = slots.length; i > index; i--) slots[i] = slots[i - 1] as Slot<V>; // splice would make an array for nothing
    slots[index] = leaf;
    grown.by++;
    return;
  }
  const slot = branch.slots[index] as Slot<V>;
  if (slot.kind === BRANCH) return build(slot as Building<V>, shift + BITS, leaf, grown);
  if (slot.hash === leaf.hash) {
    const more = { by: 0 };
    branch.slots[index] = putSlot(slot, shift + BITS, leaf, more);
    grown.by += more.by;
    return;
  }
  const below: Building<V> = { kind: BRANCH, bitmap: 1 << (slot.hash >>> (shift + BITS)), slots: [slot] };
  branch.slots[index] = below;
  build(below, shift + BITS, leaf, grown);
}

function branchOf<V>(slot: Leaf<V> | Clash<V>, shift: number): Branch<V> {
  return { kind: BRANCH, bitmap: 1 << (slot.hash >>> shift), slots: [slot] };
}

function* walk<V>(slot: Slot<V>): Generator<V> {
  if (slot.kind === LEAF) yield slot.value;
  else if (slot.kind === BRANCH) for (const s of slot.slots) yield* walk(s);
  // The order within a clash is the order of setting, which is not the keys' own.
  else for (const leaf of [...slot.leaves].sort((a, b) => (a.key < b.key ? -1 : 1))) yield leaf.value;
}

function put<V>(branch: Branch<V>, shift: number, leaf: Leaf<V>, grown: { by: number }): Branch<V> {
  const { bitmap, slots } = branch;
  const bit = 1 << (leaf.hash >>> shift);
  const index = bitCount(bitmap & (bit - 1));
  if ((bitmap & bit) === 0) {
    grown.by = 1;
    const wider = new Array<Slot<V>>(slots.length + 1);
    for (let i = 0; i < index; i++) wider[i] = slots[i] as Slot<V>;
    wider[index] = leaf;
    for (let i = index; i < slots.length; i++) wider[i + 1] = slots[i] as Slot<V>;
    return { kind: BRANCH, bitmap: bitmap | bit, slots: wider };
  }
  const copy = slots.slice();
  copy[index] = putSlot(slots[index] as Slot<V>, shift + BITS, leaf, grown);
  return { kind: BRANCH, bitmap, slots: copy };
}

function putSlot<V>(slot: Slot<V>, shift: number, leaf: Leaf<V>, grown: { by: number }): Slot<V> {
  if (slot.kind === BRANCH) return put(slot, shift, leaf, grown);
  if (slot.hash !== leaf.hash) return put(branchOf(slot, shift), shift, leaf, grown);
  if (slot.kind === LEAF) {
    if (slot.key === leaf.key) return leaf;
    grown.by = 1;
    return { kind: CLASH, hash: leaf.hash, leaves: [slot, leaf] };
  }
  const at = slot.leaves.findIndex((l) => l.key === leaf.key);
  if (at >= 0) return { kind: CLASH, hash: slot.hash, leaves: slot.leaves.with(at, leaf) };
  grown.by = 1;
  return { kind: CLASH, hash: slot.hash, leaves: [...slot.leaves, leaf] };
}

/** A copy that lacks one slot; far quicker than toSpliced. */
function without<T>(slots: readonly T[], index: number): T[] {
  const fewer = slots.slice(0, index);
  for (let i = index + 1; i < slots.length; i++) fewer.push(slots[i] as T);
  return fewer;
}

/** The branch without the key; the same branch if it is not there; a lone leaf moves up; undefined when empty. */
function remove<V>(branch: Branch<V>, shift: number, hash: number, key: string): Slot<V> | undefined {
  const bit = 1 << (hash >>> shift);
  if ((branch.bitmap & bit) === 0) return branch;
  const index = bitCount(branch.bitmap & (bit - 1));
  const slot = branch.slots[index] as Slot<V>;
  let left: Slot<V> | undefined;
  if (slot.kind === LEAF) {
    if (slot.key !== key) return branch;
    left = undefined;
  } else if (slot.kind === BRANCH) {
    left = remove(slot, shift + BITS, hash, key);
    if (left === slot) return branch;
  } else {
    const leaves = slot.leaves.filter((l) => l.key !== key);
    if (leaves.length === slot.leaves.length) return branch;
    left = leaves.length === 1 ? leaves[0] : { kind: CLASH, hash: slot.hash, leaves };
  }
  if (left !== undefined) {
    if (shift > 0 && branch.slots.length === 1 && left.kind !== BRANCH) return left;
    const copy = branch.slots.slice();
    copy[index] = left;
    return { kind: BRANCH, bitmap: branch.bitmap, slots: copy };
  }
  if (branch.slots.length === 1) return undefined;
  const slots = without(branch.slots, index);
  const lone = slots[0] as Slot<V>;
  if (shift > 0 && slots.length === 1 && lone.kind !== BRANCH) return lone;
  return { kind: BRANCH, bitmap: branch.bitmap & ~bit, slots };
}
