import { describe, expect, it } from 'vitest';
import {
  COMPARE_RULES,
  type CompareFinding,
  type CompareRuleId,
  compareFormats,
  type Proof,
} from '../../../../store/format/compare/index.ts';
import { hexLines } from '../../../../store/format/compare/report.ts';
import { ALLOWED } from './allowed.ts';
import { ROWS, TEXT_ROWS } from './pairs.ts';

describe('the rules about changes', () => {
  it('are at least forty, each with a sentence', () => {
    const rules = Object.values(COMPARE_RULES);
    expect(rules.length).toBeGreaterThanOrEqual(40);
    for (const { text } of rules) expect(text).toMatch(/^[A-Z].*\.$/);
  });

  it('have a pair of formats each', () => {
    expect([...new Set([...ROWS, ...TEXT_ROWS].map(({ rule }) => rule))].sort()).toEqual(
      Object.keys(COMPARE_RULES).sort(),
    );
  });
});

describe.each([...ROWS, ...TEXT_ROWS])('$rule', ({ rule, old, fresh, oldReadsNew, newReadsOld }) => {
  const { findings } = compareFormats(old, fresh);

  it('is all that is found', () => {
    expect([...new Set(findings.map((one) => one.rule))]).toEqual([rule]);
  });

  it('comes out in both directions as it was worked out by hand', () => {
    const [finding] = findings;
    expect([finding?.oldReadsNew.verdict, finding?.oldReadsNew.outcome]).toEqual([oldReadsNew, expect.any(String)]);
    expect([finding?.newReadsOld.verdict, finding?.newReadsOld.outcome]).toEqual([newReadsOld, expect.any(String)]);
  });

  it('comes out as its table says', () => {
    for (const finding of findings) expectTold(rule, finding);
  });

  it('shows octets', () => {
    for (const { oldReadsNew: one, newReadsOld: other } of findings)
      for (const proof of [one, other]) expectShown(proof);
  });
});

function expectTold(rule: CompareRuleId, finding: CompareFinding): void {
  const told = COMPARE_RULES[rule];
  expect(told.oldReadsNew.flatMap((one) => ALLOWED[one])).toContain(finding.oldReadsNew.verdict);
  expect(told.newReadsOld.flatMap((one) => ALLOWED[one])).toContain(finding.newReadsOld.verdict);
}

/** A file that is not empty, and marks inside it wherever something goes wrong. */
function expectShown({ octets, marks, verdict }: Proof): void {
  expect(octets).toMatch(/^([0-9a-f]{2})+$/);
  for (const [from, to] of marks) {
    expect(from).toBeLessThan(to);
    expect(to).toBeLessThanOrEqual(octets.length / 2);
  }
  expect(
    hexLines(octets, marks)
      .join('')
      .match(/[ >][0-9a-f]{2}/g)?.length,
  ).toBeGreaterThan(0);
  if (verdict === 'misread') expect(octets.length).toBeGreaterThan(0);
}
