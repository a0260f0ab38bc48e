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
    if (move.again !== undefined) {
      const [left, came] = [inOneOrder(move.dumped), inOneOrder(move.again)];
      if (left !== came) findings.add(at, who, '', `INV-M24: ${firstDifference(left, came)}`);
    }
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

const IN_BACKEND = /path "(\/local\/domain\/[0-9]+\/backend\/[^"]*)"/;

/**
 * An image with the areas of backends in the order of their paths. 1. At one host the first disk is made before the first interface, at
 * the other behind it. 2. A guest with both moves. 3. A daemon that writes children down in the order in which they came (C dialects)
 * has other guests' order there; what is the guest's alone has its own.
 */
function inOneOrder(image: string): string {
  const lines = image.split('\n');
  const at = lines.flatMap((line, i) => (IN_BACKEND.test(line) ? [i] : []));
  const path = (line: string) => IN_BACKEND.exec(line)?.[1] ?? '';
  const sorted = at.map((i) => lines[i] as string).sort((a, b) => (path(a) < path(b) ? -1 : 1));
  for (const [n, i] of at.entries()) lines[i] = sorted[n] as string;
  return lines.join('\n');
}

function firstDifference(one: string, other: string): string {
  const [a, b] = [one.split('\n'), other.split('\n')];
  const at = a.findIndex((line, i) => line !== b[i]);
  const line = at < 0 ? a.length : at;
  return `line ${line} is ${JSON.stringify(b[line] ?? '')} instead of ${JSON.stringify(a[line] ?? '')}`;
}
