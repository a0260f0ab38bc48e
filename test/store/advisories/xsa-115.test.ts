/**
 * XSA-115: xenstored fired watches without looking at permissions, removed a tree from its top, and held the size limit against
 * whoever removes.
 *
 * 1. Mechanism: a watch was matched by name alone. Provoked by a guest that watches `/`: it is told of every node that anybody
 *    touches on the host. The defence asks whether the watcher may read the node, or could before the change: that it may no
 *    longer is something it has to be told. Failure: an event whose path the watcher may not read; or none when a right is taken.
 * 2. Mechanism: RM unlinked the top first, then went down. Provoked by RM of a tree with watches inside. Failure: events of
 *    parents before those of their children, or one watch told twice.
 * 3. Mechanism: removing a child rewrites its parent, whose size was checked. Provoked by dom0, which fills a guest's directory
 *    over the guest's limit. Failure: ENOSPC for the RM of the guest's own child.
 */
import { describe, expect, it } from 'vitest';
import { Bench } from '../harness.ts';

describe.each(['4.17', '4.22'] as const)('XSA-115 (%s)', (compat) => {
  it('an event is for whoever may read its node, or could until now', () => {
    const bench = new Bench(compat);
    const [d1, d2] = [bench.domain(1), bench.domain(2)];
    d1.ask('WATCH', '/^t^');
    d1.take();
    d2.ask('WRITE', 'secret^v');
    bench.s.ask('WRITE', '/tool/n^v');
    expect(d1.events()).toEqual([]);
    bench.s.ask('SET_PERMS', '/tool/n^r0^');
    expect(d1.events()).toEqual(['/tool/n t']);
    bench.s.ask('SET_PERMS', '/tool/n^n0^');
    expect(d1.events()).toEqual(['/tool/n t']); // the last that it may know of
    bench.s.ask('WRITE', '/tool/n^w');
    bench.s.ask('RM', '/tool/n^');
    expect(d1.events()).toEqual([]);
  });

  it('a tree goes from its leaves, and each watch is told once of each name', () => {
    const { s } = new Bench(compat);
    for (const path of ['/a/b/c', '/a/d']) s.ask('WRITE', `${path}^`);
    for (const path of ['/a', '/a/b', '/a/b/c']) s.ask('WATCH', `${path}^${path.length}^`);
    s.take();
    s.ask('RM', '/a^');
    expect(s.events()).toEqual(['/a/b/c 6', '/a/b 4', '/a 2']);
  });

  it('who may remove a child may do so however large the parent is', () => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    d1.ask('WRITE', 'own^v');
    for (let i = 0; i < 12; i++) bench.s.ask('MKDIR', `/local/domain/1/${String(i).padStart(200, 'x')}^`);
    expect(d1.ask('WRITE', 'more^v')).toBe('ENOSPC');
    expect(d1.ask('RM', 'own^')).toBe('OK^');
    expect(d1.ask('READ', 'own^')).toBe('ENOENT');
  });
});
