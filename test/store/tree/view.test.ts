import { describe, expect, it } from 'vitest';
import { octetsOf, textOf } from '../../../store/protocol/octets.ts';
import { READ, WRITE } from '../../../store/protocol/perms.ts';
import { commit } from '../../../store/tree/commit.ts';
import type { Requester } from '../../../store/tree/ground.ts';
import type { Node } from '../../../store/tree/node.ts';
import { newTransaction, type Transaction } from '../../../store/tree/transaction.ts';
import { View } from '../../../store/tree/view.ts';
import { Bare, DOM0, entry, guest } from './ground.ts';

const V = octetsOf('v');

function viewOf(bare: Bare, who: Requester | undefined, tx?: Transaction): View<Requester, string> {
  return new View(bare.ground, who, tx, who === undefined ? undefined : `of ${who.domid}`);
}

/** WRITE, as its handler does it. */
function write(bare: Bare, who: Requester, path: string, tx?: Transaction): View<Requester, string> {
  const view = viewOf(bare, who, tx);
  const old = view.visible(path, WRITE);
  if (old === 'EACCES') throw new Error('assertion: it may be written');
  const node = old === 'ENOENT' ? view.create(path, V) : view.putValue(old, V);
  view.applyCounts();
  view.fire(node, 'subtree');
  return view;
}

/** A root in which guest 1 may write, with `/a/b` of dom0. */
function meeting(rules: ConstructorParameters<typeof Bare>[0] = {}): Bare {
  const bare = new Bare(rules);
  viewOf(bare, DOM0).putPerms(bare.node('/'), [entry(0), entry(1, READ | WRITE), entry(2, READ)]);
  write(bare, DOM0, '/a/b');
  bare.announced.length = 0;
  return bare;
}

describe('a view of the live tree', () => {
  it('makes the levels that are missing, all with the entries of what is there', () => {
    const bare = meeting();
    write(bare, guest(1), '/g/h/i');
    expect(bare.paths()).toEqual(['/', '/a', '/a/b', '/g', '/g/h', '/g/h/i']);
    expect(bare.node('/').children).toEqual(['a', 'g']);
    expect(textOf(bare.node('/g/h/i').value)).toBe('v');
    expect(bare.node('/g/h').value.length).toBe(0);
    // The creator owns them; what others may do is inherited.
    for (const path of ['/g', '/g/h', '/g/h/i'])
      expect(bare.node(path).perms).toEqual([entry(1), entry(1, READ | WRITE), entry(2, READ)]);
    expect(bare.nodes.get(1)).toBe(3);
  });

  it('writes the leaf first and the parent last, each with a generation of its own', () => {
    const bare = meeting();
    const before = bare.state.generation;
    write(bare, guest(1), '/g/h');
    expect(['/g/h', '/g', '/'].map((path) => bare.node(path).generation - before)).toEqual([1, 2, 3]);
  });

  it('tells ENOENT to those who could have listed it, and EACCES to all others', () => {
    const bare = meeting();
    viewOf(bare, DOM0).putPerms(bare.node('/a'), [entry(0)]);
    expect(viewOf(bare, guest(2)).visible('/none', READ)).toBe('ENOENT');
    expect(viewOf(bare, guest(2)).visible('/none', WRITE)).toBe('EACCES');
    expect(viewOf(bare, guest(2)).visible('/a/none', READ)).toBe('EACCES');
    expect(viewOf(bare, guest(2)).visible('/a', READ)).toBe('EACCES');
  });

  it('charges nodes to whoever owns them', () => {
    const bare = meeting();
    write(bare, guest(1), '/g/h');
    write(bare, DOM0, '/a/c');
    viewOf(bare, DOM0).putPerms(bare.node('/a/c'), [entry(2)]);
    viewOf(bare, DOM0).removeTree(bare.node('/g'), bare.node('/'));
    const charged = new Map([...bare.memory].filter(([, octets]) => octets !== 0));
    expect(charged).toEqual(bare.owed());
  });

  it('that counts at once sees the levels that it has made itself, and takes them back', () => {
    const [bare417, bare422] = [meeting({ countsAtOnce: true }), meeting()];
    for (const bare of [bare417, bare422]) bare.limits.nodes = 1;
    expect(() => write(bare417, guest(1), '/g/h/i')).toThrow(expect.objectContaining({ errno: 'ENOSPC' }));
    expect(bare417.paths()).toEqual(['/', '/a', '/a/b']);
    expect([bare417.nodes.get(1), bare417.memory.get(1)]).toEqual([undefined, 0]);
    write(bare422, guest(1), '/g/h/i'); // one more than there are is all that it asks for, level by level
    expect(bare422.nodes.get(1)).toBe(3);
    expect(() => write(bare422, guest(1), '/k')).toThrow(expect.objectContaining({ errno: 'ENOSPC' }));
  });

  it.each([
    ['too big', { 'node-size': 60 }, 'ENOSPC'],
    ['too much memory', { memory: 100 }, 'EIO'],
  ] as const)('leaves nothing of a chain behind of which one node is %s', (_name, limits, errno) => {
    const bare = meeting();
    Object.assign(bare.limits, limits);
    const view = viewOf(bare, guest(1));
    const before = bare.state.generation;
    expect(() => view.create(`/g/${'h'.repeat(60)}`, V)).toThrow(expect.objectContaining({ errno }));
    expect(bare.paths()).toEqual(['/', '/a', '/a/b']);
    expect(bare.memory.get(1) ?? 0).toBe(0);
    expect(bare.state.generation).toBeGreaterThan(before); // generations are not given back
  });

  it('removes from below, children in order, and announces only the top to those who watch above', () => {
    const bare = meeting();
    for (const path of ['/a/b/x', '/a/b/y', '/a/c']) write(bare, DOM0, path);
    bare.announced.length = 0;
    const view = viewOf(bare, DOM0);
    view.removeTree(bare.node('/a'), bare.node('/'));
    view.applyCounts();
    expect(bare.announced).toEqual([
      '/a/b/x exact of 0',
      '/a/b/y exact of 0',
      '/a/b exact of 0',
      '/a/c exact of 0',
      '/a subtree of 0',
    ]);
    expect(bare.paths()).toEqual(['/']);
    expect(bare.nodes.get(0)).toBe(1);
  });

  it('says how many writes and deletions it took', () => {
    const bare = meeting();
    expect(write(bare, guest(1), '/g').writes).toBe(2); // and the parent
    expect(write(bare, guest(1), '/g').writes).toBe(1);
    const view = viewOf(bare, guest(1));
    view.removeTree(bare.node('/g'), bare.node('/'));
    expect(view.writes).toBe(2);
  });

  it('marks entries that meant somebody else when it writes them back', () => {
    const bare = meeting();
    bare.replaced.add(2);
    write(bare, DOM0, '/c');
    const perms = [entry(0), entry(1, READ | WRITE), { ...entry(2, READ), stale: true }];
    expect([bare.node('/').perms, bare.node('/c').perms]).toEqual([perms, perms]);
  });

  it("of the daemon itself is asked for no rights, and its events are nobody's burden", () => {
    const bare = meeting();
    viewOf(bare, DOM0).putPerms(bare.node('/a/b'), [entry(2)]);
    const view = viewOf(bare, undefined);
    expect(view.visible('/a/b', WRITE)).toBe(bare.node('/a/b'));
    view.removeTree(bare.node('/a/b'), bare.node('/a'));
    expect(bare.announced).toEqual(['/a/b subtree nobody']);
  });
});

describe('a view of a transaction', () => {
  it('changes nothing but itself until it is committed', () => {
    const bare = meeting();
    const tree = new Map(bare.state.tree);
    const tx = newTransaction(1);
    expect(write(bare, DOM0, '/a/c', tx).writes).toBe(0);
    expect((viewOf(bare, DOM0, tx).get('/a') as Node).children).toEqual(['b', 'c']);
    expect([bare.state.tree, bare.announced]).toEqual([tree, []]);
    commit(bare.ground, DOM0, tx, 'the commit');
    expect(bare.node('/a').children).toEqual(['b', 'c']);
    expect(bare.announced).toEqual(['/a/c subtree the commit']);
    expect([bare.nodes.get(0), tx.memory]).toEqual([4, 0]);
  });

  it('pays for its copies, and gives that back', () => {
    const bare = meeting();
    const tx = newTransaction(1);
    viewOf(bare, guest(1), tx).get('/a/b');
    expect(tx.memory).toBeGreaterThan(0);
    expect(bare.memory.get(1)).toBe(tx.memory);
    commit(bare.ground, guest(1), tx, undefined);
    expect(bare.memory.get(1)).toBe(0);
  });

  it.each([
    ['was written', (bare: Bare) => write(bare, DOM0, '/a/b')],
    ['was removed', (bare: Bare) => viewOf(bare, DOM0).removeTree(bare.node('/a/b'), bare.node('/a'))],
  ] as const)('does not commit when a node that it has seen %s', (_name, change) => {
    const bare = meeting();
    const tx = newTransaction(1);
    viewOf(bare, DOM0, tx).get('/a/b');
    change(bare);
    expect(() => commit(bare.ground, DOM0, tx, undefined)).toThrow(expect.objectContaining({ errno: 'EAGAIN' }));
  });

  it('is lost when it has seen more than it may', () => {
    const bare = meeting();
    bare.limits['transaction-nodes'] = 1;
    const tx = newTransaction(1);
    viewOf(bare, guest(1), tx).get('/a');
    expect(() => viewOf(bare, guest(1), tx).get('/')).toThrow(expect.objectContaining({ errno: 'ENOSPC' }));
    expect(() => commit(bare.ground, guest(1), tx, undefined)).toThrow(expect.objectContaining({ errno: 'ENOMEM' }));
  });

  it('tests the quota of whoever owns what it adds only when it is committed', () => {
    const bare = meeting();
    bare.limits.nodes = 1;
    const tx = newTransaction(1);
    for (const path of ['/g', '/h']) write(bare, guest(1), path, tx);
    expect(bare.seen.get(1)).toBe(2);
    expect(() => commit(bare.ground, guest(1), tx, undefined)).toThrow(expect.objectContaining({ errno: 'ENOSPC' }));
    expect(bare.paths()).toEqual(['/', '/a', '/a/b']);
  });

  it.each([
    ['leaves out', true, ['/', '/a', '/a/b']],
    ['writes', false, ['/', '/a', '/a/b', '/g']],
  ] as const)("%s nodes of a domain that is gone, as the daemon's release has it", (_name, skips, paths) => {
    const bare = meeting({ commitSkipsOwnerless: skips });
    const tx = newTransaction(1);
    write(bare, guest(1), '/g', tx);
    bare.known.delete(1);
    tx.creates = false; // else the commit asks who they are
    commit(bare.ground, guest(1), tx, undefined);
    expect(bare.paths()).toEqual(paths);
    expect(bare.node('/').children).toEqual(skips ? ['a'] : ['a', 'g']);
  });
});
