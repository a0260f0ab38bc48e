import { childOf, leafOf, parentOf } from './paths.ts';
import type { Perm } from './permissions.ts';

/** Who wrote a node last, for messages. */
export interface Writer {
  readonly seq: number;
  /** E.g. `domU3 WRITE req_id 7 tx 0`. */
  describe(): string;
  /** The write became visible by the commit of a transaction. */
  readonly isCommit: boolean;
}

/** A node; never changed, only replaced. `version`: differs whenever the node was written (by whatever amount), so equal
 *  versions mean an unchanged node. `children` in order of creation. */
export interface Node {
  readonly value: string;
  readonly perms: readonly Perm[];
  readonly children: readonly string[];
  readonly version: number;
  readonly writer: Writer | undefined;
}

/** What operations see and change: the live tree, or a transaction's view of it. */
export interface View {
  read(name: string): Node | undefined;
  /** Replace, create or (`undefined`) remove exactly this node; parents are the caller's business. `fires`: how it is told to watches. */
  write(
    name: string,
    node: Omit<Node, 'version' | 'writer'> | undefined,
    by: Writer,
    fires: 'no' | 'exact' | 'subtree',
  ): void;
}

/** The tree everybody sees, special nodes beside it. */
export class LiveTree implements View {
  readonly nodes = new Map<string, Node>();
  #version = 0;
  /** Names whose removal is the newest thing that happened to them, with who did it, for messages. */
  readonly removedBy = new Map<string, Writer>();

  read(name: string): Node | undefined {
    return this.nodes.get(name);
  }

  write(name: string, node: Omit<Node, 'version' | 'writer'> | undefined, by: Writer | undefined): void {
    if (node === undefined) {
      this.nodes.delete(name);
      if (by !== undefined) this.removedBy.set(name, by);
      return;
    }
    const { value, perms, children } = node;
    this.nodes.set(name, { value, perms, children, version: ++this.#version, writer: by });
  }

  /** Change permissions without anybody being able to notice it by a conflict: entries of dead domains go this way. */
  strip(name: string, perms: readonly Perm[]): void {
    const node = this.nodes.get(name);
    if (node !== undefined) this.nodes.set(name, { ...node, perms });
  }
}

/** One name that a transaction touched. */
export interface Access {
  readonly name: string;
  /** The live node at the first access. */
  readonly before: Node | undefined;
  /** History position of the first access. */
  readonly seq: number;
  now: Node | undefined;
  isModified: boolean;
  /** A removal of it was given up: the transaction still sees it, and the commit removes it. */
  isHalfRemoved?: boolean;
  fires: 'no' | 'exact' | 'subtree';
}

/** A transaction: what it accessed, in order of first access, each with the state it saw then. Source: store.md 5.2, 5.3. */
export class Transaction implements View {
  readonly #live: LiveTree;
  readonly accessed = new Map<string, Access>();
  /** History position of the operation that is being done. */
  seq = 0;
  /** It has outlived a live update; no format so far carries what its conflicts are judged by. */
  isCarried = false;
  /** An operation in it was refused for a quota: the commit may be refused with ENOMEM. */
  mayHaveFailed = false;
  /** Its start and a live update crossed: the store may have begun it before and lost it with the rest. */
  isDoubtful = false;

  constructor(live: LiveTree) {
    this.#live = live;
  }

  read(name: string): Node | undefined {
    return this.#access(name).now;
  }

  /** The same without its becoming part of the read set. */
  peek(name: string): Node | undefined {
    const access = this.accessed.get(name);
    return access === undefined ? this.#live.read(name) : access.now;
  }

  write(
    name: string,
    node: Omit<Node, 'version' | 'writer'> | undefined,
    by: Writer,
    fires: 'no' | 'exact' | 'subtree',
  ): void {
    const access = this.#access(name);
    access.now = node === undefined ? undefined : { ...node, version: -1, writer: by };
    access.isModified = true;
    access.isHalfRemoved = false;
    if (fires === 'subtree' || access.fires === 'no') access.fires = fires;
  }

  /** Nobody pays for the node any more: the store gives up in the middle of removing it. Source: core.c, delnode_sub. */
  leaveHalfRemoved(name: string): void {
    const access = this.#access(name);
    access.isModified = true;
    access.isHalfRemoved = true;
  }

  /** Who owns what it has made, removed or given to another. */
  owners(): number[] {
    const domids = new Set<number>();
    for (const { before, now, isModified } of this.accessed.values()) {
      if (!isModified) continue;
      for (const node of [before, now]) if (node !== undefined) domids.add(node.perms[0]!.domid);
    }
    return [...domids];
  }

  /** The first thing it accessed that has changed since, but for those; `undefined`: it may commit. */
  conflict(but?: ReadonlySet<string>): Access | undefined {
    for (const access of this.accessed.values()) {
      if (but?.has(access.name)) continue;
      if (this.#live.nodes.get(access.name)?.version !== access.before?.version) return access;
    }
    return undefined;
  }

  /**
   * A live update carries the transaction. Versions 1 and 2 of the image carry of each node it touched what it saw (value,
   * permissions, or that it was not there), but no list of children. What others have made below such a node since is carried
   * as not there; what others have removed cannot be: the successor's list is the live one, less what is not there in the
   * transaction's view, and then what is, in order of first access.
   */
  carry(): void {
    this.isCarried = true;
    for (const { name, now } of [...this.accessed.values()]) {
      if (now === undefined) continue;
      for (const leaf of this.#live.nodes.get(name)?.children ?? []) {
        const child = childOf(name, leaf);
        if (!now.children.includes(leaf) && !this.accessed.has(child)) this.#access(child).now = undefined;
      }
    }
    for (const access of this.accessed.values()) {
      if (access.now === undefined) continue;
      const live = this.#live.nodes.get(access.name)?.children ?? [];
      const children = live.filter((leaf) => {
        const seen = this.accessed.get(childOf(access.name, leaf));
        return seen === undefined || seen.now !== undefined;
      });
      for (const { name, now } of this.accessed.values())
        if (now !== undefined && name !== '/' && parentOf(name) === access.name && !children.includes(leafOf(name)))
          children.push(leafOf(name));
      access.now = { ...access.now, children };
    }
  }

  /** Forget what was first accessed after the first `count` names: the operation is judged a second time. */
  forgetAfter(count: number): void {
    let at = 0;
    for (const name of [...this.accessed.keys()]) if (at++ >= count) this.accessed.delete(name);
  }

  #access(name: string): Access {
    let access = this.accessed.get(name);
    if (access === undefined) {
      const before = this.#live.nodes.get(name);
      access = { name, before, seq: this.seq, now: before, isModified: false, fires: 'no' };
      this.accessed.set(name, access);
    }
    return access;
  }
}

/** Create `name` and whatever is missing above it; the leaf gets `value`. An unprivileged creator becomes the owner.
 *  Source: store.md 3.5. */
export function create(
  view: View,
  name: string,
  value: string,
  creator: { domid: number; isPriv: boolean },
  by: Writer,
): void {
  const missing = [name];
  let top = parentOf(name);
  for (; view.read(top) === undefined; top = parentOf(top)) missing.push(top);
  const ancestor = view.read(top)!;
  let perms = ancestor.perms;
  if (!creator.isPriv)
    perms = [{ ...perms[0]!, domid: creator.domid, isStale: false, mayBeStale: false }, ...perms.slice(1)];
  for (const [i, each] of missing.entries()) {
    const below = missing[i - 1];
    const children = below === undefined ? [] : [leafOf(below)];
    view.write(each, { value: i === 0 ? value : '', perms, children }, by, i === 0 ? 'subtree' : 'no');
  }
  const first = leafOf(missing.at(-1)!);
  view.write(top, { ...ancestor, children: [...ancestor.children, first] }, by, 'no');
}

/** The nodes of a subtree as they are removed: children before parents, in order of creation. */
export function postOrder(
  view: Pick<View, 'read'>,
  name: string,
  into: { name: string; node: Node }[] = [],
): { name: string; node: Node }[] {
  const node = view.read(name);
  if (node === undefined) return into; // listed by a parent that was read earlier than its child went: the commit fails anyway
  for (const leaf of node.children) postOrder(view, childOf(name, leaf), into);
  into.push({ name, node });
  return into;
}

/** Take a removed child out of its parent's list. */
export function unlink(view: View, name: string, by: Writer): void {
  const top = parentOf(name);
  const parent = view.read(top);
  if (parent === undefined) return;
  const leaf = leafOf(name);
  view.write(top, { ...parent, children: parent.children.filter((c) => c !== leaf) }, by, 'no');
}
