import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

function textsOf(folder: string, ends: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ends))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

/** Labels of a family that a text names, `X-2 to X-4` among them; where rows are excused a blank is in the place of the dash. */
function labelsIn(text: string, family: string, dash: '-' | ' '): Set<string> {
  const found = new Set<string>();
  const label = `${family}${dash}(\\d+)`;
  for (const [, from, to] of text.matchAll(new RegExp(`\\b${label}(?: to ${label})?\\b`, 'g')))
    for (let n = Number(from); n <= Number(to ?? from); n++) found.add(`${family}-${n}`);
  return found;
}

/** Families of the design of migration, and how many rows each has. */
const FAMILIES = [
  ['FP', 36],
  ['MIG', 78],
] as const;

describe('rows of the design of migration', () => {
  // Plays of the matrix are run by test/scenarios/lab/move.test.ts.
  const tests = [...textsOf('test', '.test.ts'), ...textsOf('scenarios/lab', '.ts')].join('\n');
  const fidelity = readFileSync(join(ROOT, 'docs/fidelity.md'), 'utf8');

  it.each(FAMILIES)('%s: each is borne by a test, or has a line in docs/fidelity.md', (family, rows) => {
    const borne = labelsIn(tests, family, '-');
    const excused = labelsIn(fidelity, family, ' ');
    const missing = Array.from({ length: rows }, (_, i) => `${family}-${i + 1}`).filter(
      (label) => !borne.has(label) && !excused.has(label),
    );
    expect(missing).toEqual([]);
  });
});
