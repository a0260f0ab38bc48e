import { DOMID_ANY } from '../../sim/index.ts';
import { type Perm, READ } from '../protocol/perms.ts';
import type { DaemonState } from './state.ts';
import { fireWatches, queueEvent } from './watch.ts';

export const RELEASE_DOMAIN = '@releaseDomain';
export const INTRODUCE_DOMAIN = '@introduceDomain';
/** In the order in which the daemon makes, walks and dumps them. */
export const SPECIAL_NODES = [RELEASE_DOMAIN, INTRODUCE_DOMAIN] as const;
export type SpecialName = (typeof SPECIAL_NODES)[number];

/** The store at a fresh start (store.md 0.5). */
export function makeInitialStore(state: DaemonState): void {
  make(state, '/', ['tool']);
  make(state, '/tool', ['xenstored']);
  make(state, '/tool/xenstored', []);
  makeSpecialNodes(state);
}

/** Those of the special nodes that are not there, with the entries of a fresh start. */
export function makeSpecialNodes(state: DaemonState): void {
  const perms = ownEntries(state);
  const any: Perm = { rights: READ, domid: DOMID_ANY, stale: false };
  for (const name of SPECIAL_NODES) {
    if (state.liveNode(name) !== undefined || state.specialPerms.has(name)) continue;
    if (!state.compat.specialNodes) state.specialPerms.set(name, perms);
    else make(state, name, [], name === RELEASE_DOMAIN && state.compat.releaseForAny ? [...perms, any] : perms);
  }
}

function ownEntries({ compat, options }: DaemonState): readonly Perm[] {
  return [{ rights: 0, domid: compat.specialNodes ? options.privDomid : 0, stale: false }];
}

function make(state: DaemonState, path: string, children: readonly string[], entries = ownEntries(state)): void {
  state.putNode({
    path,
    value: new Uint8Array(0),
    perms: entries,
    children,
    childOctets: children.reduce((n, c) => n + c.length + 1, 0),
  });
  state.domains.countNodes((entries[0] as Perm).domid, 1);
}

/**
 * A special event in its forms (store.md 8.9): plain first, then with the domid. `domid` undefined: only the plain form;
 * `form` 'domid-only': only the other.
 */
export function fireSpecial(
  state: DaemonState,
  name: SpecialName,
  domid: number | undefined,
  form?: 'domid-only',
): void {
  if (!state.compat.specialNodes) {
    const perms = state.specialPerms.get(name) ?? [];
    if (form === 'domid-only') return;
    for (const watch of state.watchIndex.matching(name, 'exact'))
      if ((state.rights(watch.conn, perms, Number.MAX_SAFE_INTEGER) & READ) !== 0) queueEvent(state, watch, name);
    return;
  }
  const node = state.liveNode(name);
  if (form !== 'domid-only') fireWatches(state, name, node, 'nodepth', undefined);
  if (domid !== undefined) fireWatches(state, `${name}/${domid}`, node, 'depth', undefined);
}
