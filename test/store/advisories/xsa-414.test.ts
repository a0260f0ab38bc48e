/**
 * XSA-414: the undo of a creation that fails half way worked on the wrong object.
 *
 * Mechanism: a path with several missing levels is written from its leaf upwards; where a level is refused, those written are taken
 * back. The undo took the parent of an allocation for the connection. Provoked by a guest that makes several levels at once where
 * the last is refused. Failure: the daemon's death, or counts of somebody else. The defence: exactly what was written and counted is undone.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-414 (%s)', (compat) => {
  it('levels that were written are undone, and every account is as before', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    bench.domain(2);
    // Every level fits but the last, which is the home: its list would grow beyond the size of a guest's node.
    for (let i = 0; i < 10; i++) bench.s.ask('MKDIR', `/local/domain/1/${String(i).padStart(200, 'x')}^`);
    const top = 'y'.repeat(100);
    const accounts = () =>
      [...bench.state.records.values()].map(({ domid, account: { nodes, memory } }) => ({ domid, nodes, memory }));
    const [before, tree] = [accounts(), bench.state.tree.size];
    expect(d1.ask('WRITE', `${top}/er/and/deeper/still^v`)).toBe('ENOSPC');
    expect(accounts()).toEqual(before);
    expect(bench.state.tree.size).toBe(tree);
    expect(d1.ask('READ', `${top}^`)).toBe('ENOENT');
    expect(d1.ask('READ', `${top}/er/and^`)).toBe('ENOENT');
    expect(d1.ask('DIRECTORY', '/local/domain/1^')).not.toContain(top);
  });
});
