/**
 * XSA-415: a creation that failed half way in a transaction could be committed.
 *
 * Mechanism: levels are written from the leaf upwards, and in a transaction the undo did not find the private copies. Provoked by a
 * guest at its limit that makes several levels at once in a transaction, is refused, and commits all the same. Failure: nodes
 * without a parent, which nobody can list or remove. The defence: such a transaction cannot be committed.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-415 (%s)', (compat) => {
  it('a transaction in which a creation was undone ends in ENOMEM, and nothing of it is there', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    // The leaf and the levels above it fit; the home, whose list would grow, does not.
    for (let i = 0; i < 10; i++) bench.s.ask('MKDIR', `/local/domain/1/${String(i).padStart(200, 'x')}^`);
    const tree = bench.state.tree.size;
    const tx = d1.begin();
    expect(d1.ask('WRITE', `${'y'.repeat(100)}/b/c^v`, tx)).toBe('ENOSPC');
    expect(d1.end(tx)).toBe('ENOMEM');
    expect(bench.state.tree.size).toBe(tree);
  });
});
