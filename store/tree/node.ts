import type { Perm } from '../protocol/perms.ts';
import { type Names, withName, withoutName } from './names.ts';
import type { TreeRules } from './rules.ts';

/** One node; never changed after it was made, so that a reference to it is what it was at that moment. */
export interface Node {
  readonly path: string;
  readonly value: Uint8Array;
  readonly perms: readonly Perm[];
  /** Names in order of creation; the protocol shows this order. */
  readonly children: Names;
  /** Octets of the children's names, NULs counted. */
  readonly childOctets: number;
  /** Value of the global counter at the last write; whole and below 2^53. */
  readonly generation: number;
}

/** What counts against node-size and memory. Source: core.c, struct xs_tdb_record_hdr. */
export function nodeSize(node: Pick<Node, 'value' | 'perms' | 'childOctets'>, rules: TreeRules): number {
  return rules.nodeHeaderBytes + 8 * node.perms.length + node.value.length + node.childOctets;
}

export function ownerOf(node: Node): number {
  return (node.perms[0] as Perm).domid;
}

/** The node with another value, written at `generation`. `perms`: its entries as they are written back. */
export function withValue(node: Node, value: Uint8Array, perms: readonly Perm[], generation: number): Node {
  const { path, children, childOctets } = node;
  return { path, value, perms, children, childOctets, generation };
}

/** The node as it is, written at `generation`. */
export function rewritten(node: Node, perms: readonly Perm[], generation: number): Node {
  return withValue(node, node.value, perms, generation);
}

/** The node with one more child, the youngest. Keeps its generation. */
export function withChild(node: Node, base: string): Node {
  const { path, value, perms, children, generation } = node;
  const childOctets = node.childOctets + base.length + 1;
  return { path, value, perms, children: withName(children, base), childOctets, generation };
}

/** The node without a child. Keeps its generation. */
export function withoutChild(node: Node, base: string): Node {
  const children = withoutName(node.children, base);
  if (children === node.children) return node;
  const { path, value, perms, generation } = node;
  const childOctets = node.childOctets - base.length - 1;
  return { path, value, perms, children, childOctets, generation };
}
