import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HOSTILE_KINDS } from '../guests/hostile/index.ts';
import { FAULT_RULES } from '../scenarios/faults/catalogue.ts';

/** How many rules each chapter of the hypervisor's behaviour has. */
const RULES = {
  'DOM-': 43,
  'GNT-': 30,
  'EVT-': 34,
  'MEM-': 6,
  'RNG-': 10,
  'XSR-': 19,
  'CON-': 6,
  'SUS-': 18,
  'CHK-': 12,
  'INJ-E': 15,
  'INJ-G': 12,
  'INJ-D': 18,
  'INJ-R': 16,
  'INJ-T': 15,
} as const;

const LABEL = /(?:DOM-|GNT-|EVT-|MEM-|RNG-|XSR-|CON-|SUS-|CHK-|INJ-[EGDRT])\d+/;
const RANGE = new RegExp(`(${LABEL.source})(?: to (${LABEL.source}))?`, 'g');

/** Every label that a text names, ranges such as `INJ-G3 to INJ-G6` included. */
function labels(text: string): Set<string> {
  const found = new Set<string>();
  for (const [, first = '', last = first] of text.matchAll(RANGE)) {
    const prefix = first.replace(/\d+$/, '');
    const from = Number(first.slice(prefix.length));
    const to = last.startsWith(prefix) ? Number(last.slice(prefix.length)) : from;
    for (let n = from; n <= to; n++) found.add(`${prefix}${n}`);
    found.add(last);
  }
  return found;
}

/** What tests are called: the strings of their sources, as names and rows of parameters are; comments do not count. */
function testNames(): string {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' });
  const names: string[] = [];
  for (const file of files.filter((name) => name.endsWith('.test.ts') && name !== 'fidelity.test.ts')) {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8').replace(
      /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/gm,
      '',
    );
    for (const [string] of text.matchAll(/'[^'\n]*'|`[^`]*`|"[^"\n]*"/g)) names.push(string);
  }
  return names.join('\n');
}

const doc = readFileSync(join(import.meta.dirname, '../docs/fidelity.md'), 'utf8');
const excused = labels(
  [...doc.slice(doc.indexOf('## Rules out of scope')).matchAll(/^\| ([^|]*) \|/gm)]
    .map(([, rules]) => rules)
    .join('\n'),
);
// Every kind of hostile guest and every fault is a test under its own name (guests/hostile.test.ts, scenarios/faults.test.ts).
const each = [...HOSTILE_KINDS.flatMap(({ ids }) => ids), ...FAULT_RULES.map(({ id }) => id)];
const tested = labels([testNames(), ...each].join('\n'));

describe('every rule has a test that bears its name, or is out of scope for a reason that docs/fidelity.md gives', () => {
  it.each(Object.entries(RULES))('%s1 to %i', (prefix, count) => {
    const all = Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
    expect(all.filter((label) => !tested.has(label) && !excused.has(label))).toEqual([]);
  });

  it('no rule is excused and tested at once, and none beyond the last is named', () => {
    const known = new Set(
      Object.entries(RULES).flatMap(([prefix, count]) => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`)),
    );
    expect([...excused].filter((label) => tested.has(label))).toEqual([]);
    expect([...tested, ...excused].filter((label) => !known.has(label))).toEqual([]);
  });
});
