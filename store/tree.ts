import type { Compat } from './compat.ts';
import type { Perm } from './perms.ts';

/** One node; never changed after it was made, so that a reference to it is what it was at that moment. */
export interface Node {
  readonly path: string;
  readonly value: Uint8Array;
  readonly perms: readonly Perm[];
  /** Names in order of creation; the protocol shows this order. */
  readonly children: readonly string[];
  /** Octets of the children's names, NULs counted. */
  readonly childOctets: number;
  /** Value of the global counter at the last write; whole and below 2^53. */
  readonly generation: number;
}

/** What counts against node-size and memory. Source: core.c, struct xs_tdb_record_hdr. */
export function nodeSize(node: Pick<Node, 'value' | 'perms' | 'childOctets'>, compat: Compat): number {
  return compat.nodeHeaderBytes + 8 * node.perms.length + node.value.length + node.childOctets;
}

export function ownerOf(node: Node): number {
  return (node.perms[0] as Perm).domid;
}

export function withChild(node: Node, base: string): Node {
  return { ...node, children: [...node.children, base], childOctets: node.childOctets + base.length + 1 };
}

export function withoutChild(node: Node, base: string): Node {
  const at = node.children.indexOf(base);
  if (at < 0) return node;
  return { ...node, children: node.children.toSpliced(at, 1), childOctets: node.childOctets - base.length - 1 };
}
