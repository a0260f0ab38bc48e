import { DOMID_ANY } from '../../sim/index.ts';
import { type Perm, READ } from '../protocol/perms.ts';
import type { Daemon } from './daemon.ts';
import { RELEASE_DOMAIN, SPECIAL_NODES } from './special-nodes.ts';
import type { DaemonState } from './state.ts';

type Made = Pick<Daemon, 'state' | 'tree' | 'accounting'>;

/** The store at a fresh start (store.md 0.5). */
export function makeInitialStore(daemon: Made): void {
  make(daemon, '/', ['tool']);
  make(daemon, '/tool', ['xenstored']);
  make(daemon, '/tool/xenstored', []);
  makeSpecialNodes(daemon);
}

/** Those of the special nodes that are not there, with the entries of a fresh start. */
export function makeSpecialNodes(daemon: Made): void {
  const { state, tree } = daemon;
  const perms = ownEntries(state);
  const any: Perm = { rights: READ, domid: DOMID_ANY, stale: false };
  for (const name of SPECIAL_NODES) {
    if (tree.get(name) !== undefined || state.specialPerms.has(name)) continue;
    if (!state.compat.specialNodes) state.specialPerms.set(name, perms);
    else make(daemon, name, [], name === RELEASE_DOMAIN && state.compat.releaseForAny ? [...perms, any] : perms);
  }
}

function ownEntries({ compat, options }: DaemonState): readonly Perm[] {
  return [{ rights: 0, domid: compat.specialNodes ? options.privDomid : 0, stale: false }];
}

function make(
  { state, tree, accounting }: Made,
  path: string,
  children: readonly string[],
  entries = ownEntries(state),
): void {
  tree.put({
    path,
    value: new Uint8Array(0),
    perms: entries,
    children,
    childOctets: children.reduce((n, c) => n + c.length + 1, 0),
  });
  accounting.countNodes((entries[0] as Perm).domid, 1);
}
