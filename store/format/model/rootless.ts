import type { LabFinding } from './lab-format.ts';
import type { DaemonState } from './state.ts';

/**
 * What is to be said of a file that has all of a daemon's state but the tree's root: a daemon makes one before it reads the first
 * record, so that the file is restored, and whatever the old root was is lost. A migrated domain has no root to bring.
 * @param bytes length of the file: what is missing is missing at its end.
 * Source: tools/xenstored/core.c, setup_structure(true) and manual_node().
 */
export function rootless({ scope, nodes }: DaemonState, bytes: number): LabFinding[] {
  if (scope !== 'update' || nodes.some(({ path }) => path === '/')) return [];
  const reason =
    'no node / in it: who restores it makes one without a value, of domain 0, that nobody else may read (n0)';
  return [{ offset: bytes, record: -1, name: 'tree', path: '/', reason, rule: 'root', severity: 'note' }];
}
