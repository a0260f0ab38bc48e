import type { History, Verdict, Violation } from '../history.ts';
import { logOf } from '../recorded-history.ts';

const CLAIM = 'Nobody touches a page of another domain through a mapping that was taken down';
const SOURCE = 'INV-H8; xen/common/grant_table.c, unmap_common';

/** Judge what the hypervisor saw of accesses through mappings: one finding for each mapping. Linear. */
export function mappings(history: History): Verdict {
  const violations: Violation[] = [];
  const told = new Set<string>();
  for (const r of logOf(history).kept) {
    if (r.kind !== 'stale') continue;
    const { mapper, granter, gref, seq, timeNs } = r;
    const name = `${mapper} ${granter} ${gref}`;
    if (told.has(name)) continue;
    told.add(name);
    const detail = `INV-H8: domain ${mapper} touched the page behind reference ${gref} of domain ${granter}, whose mapping was taken down`;
    violations.push({ invariant: 'mappings', seq, timeNs, actor: `domain ${mapper}`, request: '', detail });
  }
  return {
    invariant: 'mappings',
    claim: CLAIM,
    source: SOURCE,
    checked: [['mappings', history.mappings ?? 0]],
    violations,
  };
}
