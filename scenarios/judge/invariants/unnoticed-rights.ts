import type { MoveWitness } from '../sessions.ts';
import { Findings } from './finding.ts';

const CLAIM =
  'No right at the other host stems from a number that meant another domain at the first, and quotas that were set for a domain go with it';
const SOURCE = 'migration.md INV-M23, INV-M25; NC-21, NC-25';

const PERMS = /^NODE_DATA: .*?perms \[([^\]]*)\], path "([^"]*)"/;
const TARGET = /\btargetDomid (\d+)/;
const BACKEND = /"\/local\/domain\/(\d+)\/backend\//;
const QUOTA = /quota/i;
/** DOMID_FIRST_RESERVED: no domain has a number from here on. */
const FIRST_RESERVED = 0x7ff0;

/** INV-M25 and INV-M23, in what the other host would write down before anybody has run there. */
export function unnoticedRights(moves: readonly MoveWitness[]) {
  const findings = new Findings('unnoticed-rights');
  for (const [n, { domid, timeNs, dumped, again }] of moves.entries()) {
    if (again === undefined) continue;
    const at = { seq: n, timeNs };
    const who = `domain ${domid}`;
    const lines = again.split('\n');
    const known = new Set([0, domid]);
    for (const line of lines)
      for (const number of [TARGET.exec(line)?.[1], BACKEND.exec(line)?.[1]])
        if (number !== undefined) known.add(Number(number));
    for (const line of lines) {
      const [, perms, path] = PERMS.exec(line) ?? [];
      for (const entry of perms?.split(' ') ?? []) {
        findings.count('permission entries');
        // One that is flagged as stale, `r7(stale)`, gives access to nobody.
        const [, of] = /^[nrwb](\d+)$/.exec(entry) ?? [];
        if (of === undefined || known.has(Number(of)) || Number(of) >= FIRST_RESERVED) continue;
        findings.add(at, who, '', `INV-M25: ${path} names domain ${of} (${entry}), who is another one there`);
      }
    }
    const quotas = (text: string) => text.split('\n').filter((line) => QUOTA.test(line));
    const [left, came] = [quotas(dumped), quotas(again)];
    findings.count('quotas', left.length);
    for (const line of left) if (!came.includes(line)) findings.add(at, who, '', `INV-M23: lost: ${line}`);
    for (const line of came) if (!left.includes(line)) findings.add(at, who, '', `INV-M23: it had not: ${line}`);
  }
  return findings.verdict(CLAIM, SOURCE);
}
