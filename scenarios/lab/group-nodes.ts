import { strings } from '../../guests/index.ts';
import type { LabHost } from './lab-host.ts';
import type { Things } from './things.ts';

/** Nodes, their order, who may do what, and how often they were written. */
export function nodes(host: LabHost, things: Things): void {
  const [five, seven] = host.guests(5, 7);
  host.tool('MKDIR', strings('/box'));
  const values = { b: '\0\xff', c: '', a: 'first' }; // no order that a reader could make up
  for (const [name, value] of Object.entries(values)) host.write(`/box/${name}`, value);
  five.ask('WRITE', 'own\0five');
  host.tool('SET_PERMS', strings('/box/a', 'n0', 'r7'));
  host.tool('SET_PERMS', strings('/box/b', 'n7', 'b5'));
  host.tool('SET_PERMS', strings('/box/c', 'n0', 'r9')); // there is no domain 9: the entry is stale from the start
  const nine = host.guest(9);
  host.tool('SET_PERMS', strings('@releaseDomain', 'n0', 'r7'));
  host.tool('SET_PERMS', strings('@introduceDomain', 'n0', 'r5'));
  for (let i = 0; i < 60; i++) host.write('/count', String(i)); // so that a count anew gives other numbers
  host.write('/box/a', 'first');
  const look = () => ({
    values: Object.keys(values).map((name) => host.tool('READ', strings(`/box/${name}`))),
    own: five.ask('READ', strings('own')),
    order: host.tool('DIRECTORY', strings('/box')),
    rights: [
      ...['a', 'b'].map((name) => host.tool('GET_PERMS', strings(`/box/${name}`))),
      ...['a', 'b', 'c'].flatMap((name) => [five, seven].map((guest) => guest.ask('READ', strings(`/box/${name}`)))),
      five.ask('WRITE', '/box/b\0\0\xff'),
      seven.ask('WRITE', '/box/a\0no'),
    ],
    stale: [host.tool('GET_PERMS', strings('/box/c')), nine.ask('READ', strings('/box/c'))],
    release: host.tool('GET_PERMS', strings('@releaseDomain')),
    introduce: host.tool('GET_PERMS', strings('@introduceDomain')),
  });
  const generationOf = (path: string) => host.tool('DIRECTORY_PART', strings(path, '0')).split('\0')[0];
  const before = look();
  const generations = ['/box', '/box/a', '/box/b'].map((path) => [path, generationOf(path)] as const);
  host.update();
  for (const [path, generation] of generations)
    things.note('generation', `of ${path}`, generationOf(path) === generation);
  const after = look();
  const same = (a: readonly string[] | string, b: readonly string[] | string) => String(a) === String(b);
  things.note('node', 'values of nodes of domain 0', same(before.values, after.values));
  things.note('node', 'a node of domain 5', same(before.own, after.own));
  things.note('siblingOrder', 'in /box', same(before.order, after.order));
  things.note('acl', 'who may read and write', same(before.rights, after.rights));
  things.note('staleAcl', 'listed, and good for nothing', same(before.stale, after.stale));
  things.note('specialAcl', '@releaseDomain', same(before.release, after.release));
  things.note('specialAcl', '@introduceDomain', same(before.introduce, after.introduce));
}

/** Watches of two domains, with the same path and token. */
export function watches(host: LabHost, things: Things): void {
  const [five, seven] = host.guests(5, 7);
  host.tool('MKDIR', strings('/box'));
  host.tool('SET_PERMS', strings('/box', 'b0'));
  for (const guest of [five, seven]) guest.ask('WATCH', 'device\0t\xff\0');
  five.ask('WATCH', strings('/box', 'all'));
  five.ask('WATCH', strings('/box', 'deep', '1'));
  five.ask('WATCH', strings('/box', 'top', '0'));
  five.events();
  seven.events();
  host.update();
  host.write('/local/domain/5/device/x', '');
  host.write('/local/domain/7/device/y', '');
  host.write('/box/a', '');
  host.write('/box/a/b', '');
  const [ofFive, ofSeven] = [five.events(), seven.events()];
  const isRelative = (events: readonly string[], name: string) => events.includes(`device/${name} t\xff`);
  things.note('watch', 'a relative one of domain 5', isRelative(ofFive, 'x'));
  things.note('watch', 'a relative one of domain 7', isRelative(ofSeven, 'y'));
  things.note('watch', 'an absolute one', ofFive.includes('/box/a all') && ofFive.includes('/box/a/b all'));
  const mine = (events: readonly string[], own: string, other: string) =>
    isRelative(events, own) && !events.some((event) => event.includes(other));
  things.note('binding', 'a watch of domain 5', mine(ofFive, 'x', 'device/y'));
  things.note('binding', 'a watch of domain 7', mine(ofSeven, 'y', 'device/x'));
  things.note('watchDepth', '1', ofFive.includes('/box/a deep') && !ofFive.includes('/box/a/b deep'));
  things.note('watchDepth', '0', ofFive.includes('/box/a all') && !ofFive.some((event) => event.endsWith(' top')));
}
