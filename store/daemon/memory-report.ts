import { nodeSize, ownerOf } from '../tree/node.ts';
import type { DaemonState } from './state.ts';

type Known = Pick<DaemonState, 'compat' | 'connections' | 'records' | 'tree'>;

/**
 * What CONTROL memreport writes: what the daemon holds memory for, in the line shape of the daemon's allocator. It has no
 * allocator of its own, so each line tells what is counted: octets that somebody is charged for, and pieces.
 */
export function memoryReport({ compat, connections, records, tree }: Known): string {
  const lines: string[] = [];
  const sum = { octets: 0, blocks: 0 };
  const put = (level: number, name: string, octets: number, blocks: number) => {
    const text = `${name.padEnd(30)} contains ${String(octets).padStart(6)} bytes in ${String(blocks).padStart(3)} blocks`;
    lines.push(`${' '.repeat(4 * level)}${text} (ref 0)\n`);
    if (level > 1) return;
    sum.octets += octets;
    sum.blocks += blocks;
  };
  for (const { domid, account } of records.values()) put(1, `struct domain ${domid}`, account.memory, account.nodes);
  for (const conn of connections) {
    const watches = conn.watches.reduce((n, { path, token }) => n + path.length + token.length, 0);
    const queued = conn.out.reduce((n, { bytes }) => n + bytes.length, 0);
    const copies = [...conn.transactions.values()].reduce((n, { memory }) => n + memory, 0);
    const blocks = conn.watches.length + conn.out.length + conn.transactions.size;
    put(1, `struct connection ${conn.serial}`, watches + queued + copies, blocks);
    if (conn.watches.length > 0) put(2, 'struct watch', watches, conn.watches.length);
    if (conn.out.length > 0) put(2, 'struct buffered_data', queued, conn.out.length);
    if (conn.transactions.size > 0) put(2, 'struct transaction', copies, conn.transactions.size);
  }
  let octets = 0;
  const owners = new Set<number>();
  for (const node of tree.values()) {
    octets += nodeSize(node, compat) + node.path.length;
    owners.add(ownerOf(node));
  }
  put(1, `nodes of ${owners.size} domains`, octets, tree.size);
  const total = `(total ${String(sum.octets).padStart(6)} bytes in ${String(sum.blocks).padStart(3)} blocks)`;
  return `full talloc report on 'null_context' ${total}\n${lines.join('')}`;
}
