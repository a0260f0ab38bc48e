import { readFileSync, writeFileSync } from 'node:fs';
import { complain, reasonOf, say } from '../terminal/output.ts';

/** Why a command cannot begin or end: exit 2. Whoever runs it has to change something. */
export class Unusable extends Error {}

export function readOctets(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new Unusable(`${file}: ${reasonOf(error)}`);
  }
}

export function writeOctets(file: string, octets: Uint8Array): void {
  try {
    writeFileSync(file, octets, { mode: 0o600 });
  } catch (error) {
    throw new Unusable(`${file}: ${reasonOf(error)}`);
  }
}

/** Run a command; exit 2 with the reason when it is unusable. */
export async function orUnusable(run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return complain(error.message);
  }
}

/** ` (did you mean G4.1?)`, if one of the known names is near; else nothing. */
export function meant(name: string, known: readonly string[]): string {
  const wanted = name.toLowerCase();
  const near = known
    .map((one) => ({ one, off: distance(wanted, one.toLowerCase()) }))
    .filter(({ one, off }) => {
      return (wanted.length > 1 && one.toLowerCase().startsWith(wanted)) || off <= (wanted.length > 4 ? 2 : 1);
    })
    .sort((a, b) => a.off - b.off);
  return near.length === 0 || wanted === ''
    ? ''
    : ` (did you mean ${near
        .slice(0, 4)
        .map(({ one }) => one)
        .join(', ')}?)`;
}

/** Letters to put in, take out or change to get from one word to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const kept = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(kept, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** A message for each; exit 1. */
export function tell(messages: readonly string[]): number {
  for (const message of messages) say(message);
  return 1;
}
