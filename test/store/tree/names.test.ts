import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasName, listOf, type Names, withName, withoutName } from '../../../store/tree/names.ts';

/** Few names, so that they meet again, as in a transaction's view of a list that others have changed. */
const name = fc.nat(400).map((n) => `n${n}`);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), name }) },
);

describe('the names of a node', () => {
  it.each([0, 100, 300])('are as in an array, from %i names on, and earlier lists stay as they were', (count) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 200, maxLength: 600 }), (steps) => {
        let model = Array.from({ length: count }, (_, i) => `n${i}`);
        let names: Names = model;
        const versions: [Names, string[]][] = [];
        for (const [i, { kind, name }] of steps.entries()) {
          if (kind === 'add') {
            names = withName(names, name);
            model = [...model, name];
          } else {
            const at = model.indexOf(name);
            const rest = withoutName(names, name);
            if (at < 0) expect(rest).toBe(names);
            names = rest;
            model = model.filter((_, j) => j !== at);
          }
          expect(hasName(names, name)).toBe(model.includes(name));
          if (i % 50 === 0) versions.push([names, model]);
        }
        versions.push([names, model]);
        for (const [then, was] of versions) expect(listOf(then)).toEqual(was);
      }),
      { numRuns: 15 },
    );
  });

  it('are a list of any length, both ways', () => {
    let names: Names = [];
    const all = Array.from({ length: 1000 }, (_, i) => `child-${i}`);
    for (const one of all) names = withName(names, one);
    expect(listOf(names)).toEqual(all);
    for (const one of all.slice(0, 990)) names = withoutName(names, one);
    expect(names).toEqual(all.slice(990)); // a short list is an array again
  });
});
