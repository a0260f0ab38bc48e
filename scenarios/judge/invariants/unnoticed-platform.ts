import type { MoveWitness } from '../sessions.ts';
import { Findings } from './finding.ts';

const CLAIM =
  "what is put into the other host is what was taken out of the first: the store's part record by record, and each port by its number";
const SOURCE = 'INV-M10, INV-M24; NC-9, NC-10';

/** Compare what left with what is there before anybody runs (INV-M10, INV-M24). */
export function unnoticedPlatform(moves: readonly MoveWitness[]) {
  const findings = new Findings('unnoticed-platform');
  for (const [n, move] of moves.entries()) {
    const at = { seq: n, timeNs: move.timeNs };
    const who = `domain ${move.domid}`;
    findings.count('images');
    if (move.again !== undefined && move.again !== move.dumped)
      findings.add(at, who, '', `INV-M24: ${firstDifference(move.dumped, move.again)}`);
    if (move.portsAfter === undefined) continue;
    for (const [port, kind] of move.portsBefore) {
      findings.count('ports');
      const is = move.portsAfter.get(port) ?? 'closed';
      if (is !== kind) findings.add(at, who, '', `INV-M10: port ${port} was ${kind}, and is ${is}`);
    }
    for (const port of move.portsAfter.keys())
      if (!move.portsBefore.has(port)) findings.add(at, who, '', `INV-M10: port ${port} was closed, and is not`);
    for (const { port, isPending } of move.pending)
      if (!isPending) findings.add(at, who, '', `INV-M10: the event of port ${port} is lost`);
  }
  return findings.verdict(CLAIM, SOURCE);
}

function firstDifference(one: string, other: string): string {
  const [a, b] = [one.split('\n'), other.split('\n')];
  const at = a.findIndex((line, i) => line !== b[i]);
  const line = at < 0 ? a.length : at;
  return `line ${line} is ${JSON.stringify(b[line] ?? '')} instead of ${JSON.stringify(a[line] ?? '')}`;
}
