import { keyOf } from '../copies.ts';
import type { History } from '../history.ts';
import { logOf } from '../recorded-history.ts';

/** Domains that a fault has named in the instant in which they began to die, by host and unique id. */
export function destroyedByFaults(histories: readonly History[]): ReadonlySet<string> {
  const destroyed = new Set<string>();
  for (const [host, history] of histories.entries()) {
    let struck: { readonly domid: number; readonly timeNs: number } | undefined;
    for (const r of logOf(history).kept) {
      if (r.kind === 'fault') struck = { domid: Number(/^domain (\d+)/.exec(r.detail)?.[1]), timeNs: r.timeNs };
      if (r.kind !== 'life' || r.what !== 'dying' || r.domid !== struck?.domid || r.timeNs !== struck.timeNs) continue;
      destroyed.add(keyOf({ host, uniqueId: r.uniqueId }));
    }
  }
  return destroyed;
}
