/** Every operation's refusals, in the order of its checks: each errno has a row that earns it. */
import { describe, expect, it } from 'vitest';
import type { CompatName } from '../../../store/daemon/compat.ts';
import { Bench, type Client, type Op } from '../harness.ts';

interface Row {
  readonly who: 'socket' | 'guest';
  readonly op: Op;
  readonly payload: string;
  readonly gets: string;
  readonly why: string;
}

/** `/rw` may be written by domain 1, `/ro` read, `/wo` written only, `/no` neither; domain 1 owns its home; 2 exists. */
function prepared(compat: CompatName): Record<Row['who'], Client> {
  const bench = new Bench(compat);
  const guest = bench.domain(1);
  bench.platform.createDomain(2);
  for (const [name, perms] of [
    ['rw', 'n0^b1^'],
    ['ro', 'n0^r1^'],
    ['wo', 'n0^w1^'],
    ['no', 'n0^'],
  ]) {
    bench.s.ask('WRITE', `/${name}^value`);
    bench.s.ask('SET_PERMS', `/${name}^${perms}`);
  }
  return { socket: bench.s, guest };
}

function answer(compat: CompatName, { who, op, payload }: Row): string {
  return prepared(compat)[who].ask(op, payload);
}

function rows(op: Op, ...table: readonly (readonly [Row['who'], string, string, string])[]): Row[] {
  return table.map(([who, payload, gets, why]) => ({ who, op, payload, gets, why }));
}

const BOTH: readonly Row[] = [
  ...rows(
    'READ',
    ['guest', '/ro^', 'value', 'may be read'],
    ['guest', '/no^', 'EACCES', 'may not be read'],
    ['guest', '/wo^', 'EACCES', 'may be written only'],
    ['guest', '/ro/x^', 'ENOENT', 'the parent may be read'],
    ['guest', '/no/x^', 'EACCES', 'the parent says nothing'],
    ['guest', '/no/x/y/z^', 'EACCES', 'nor does the nearest one there is'],
    ['socket', '@releaseDomain^', 'EINVAL', 'special'],
    ['socket', '/a b^', 'EINVAL', 'a blank'],
    ['socket', '/a.b^', 'EINVAL', 'a dot'],
    ['socket', '/a//b^', 'EINVAL', 'an empty component'],
    ['socket', '/a/^', 'EINVAL', 'a slash at the end'],
    ['socket', '/@x^', 'ENOENT', 'an ordinary character there'],
  ),
  ...rows(
    'DIRECTORY',
    ['guest', '^', 'EINVAL', 'the empty path ends in a slash'],
    ['guest', '/ro^', '', 'no children'],
    ['socket', '/^', 'tool^local^rw^ro^wo^no^', 'in order of creation'],
  ),
  ...rows(
    'DIRECTORY_PART',
    ['socket', '/^', 'EINVAL', 'one string'],
    ['socket', '/^0^0^', 'EINVAL', 'three'],
    ['socket', '/x/^0^', 'EINVAL', 'path'],
    ['guest', '/no^0^', 'EACCES', 'may not be read'],
  ),
  ...rows(
    'GET_PERMS',
    ['guest', '/ro^', 'n0^r1^', 'may be read'],
    ['guest', '/wo^', 'EACCES', 'may not'],
    ['socket', '/nope^', 'ENOENT', 'missing'],
  ),
  ...rows(
    'WRITE',
    ['guest', '/rw', 'EINVAL', 'no NUL'],
    ['guest', '', 'EINVAL', 'nothing'],
    ['guest', '/rw/^x', 'EINVAL', 'path'],
    ['guest', '/ro^x', 'EACCES', 'may be read only'],
    ['guest', '/ro/new^x', 'EACCES', 'and gets no children'],
    ['guest', '/wo/new^x', 'OK^', 'writing is enough for children'],
    ['guest', '/wo^a^b^', 'OK^', 'NULs belong to the value'],
    ['guest', '@x^v', 'EINVAL', 'special'],
  ),
  ...rows(
    'MKDIR',
    ['guest', '/rw^', 'OK^', 'is there'],
    ['guest', '/ro^', 'EACCES', 'is there, but not for us'],
    ['guest', '/no/new^', 'EACCES', 'may not be written'],
    ['guest', '/rw/a/b/c^', 'OK^', 'with what is missing above'],
  ),
  ...rows(
    'RM',
    ['guest', '/rw^', 'OK^', 'writing is enough'],
    ['guest', '/ro^', 'EACCES', 'reading is not'],
    ['guest', '/^', 'EACCES', 'the root is not ours'],
    ['guest', '/rw/none^', 'OK^', 'missing, and that may be known'],
    ['guest', '/rw/none/x^', 'ENOENT', 'the parent is missing'],
  ),
  ...rows(
    'SET_PERMS',
    ['guest', 'x', 'EINVAL', 'no NUL'],
    ['guest', 'x^', 'EINVAL', 'no entry'],
    ['guest', '/local/domain/1^q1^', 'EINVAL', 'no such right'],
    ['guest', '/local/domain/1^n1^r77^', 'OK^', 'an absent domain is stored'],
    ['guest', '/local/domain/1^n77^', 'ENOENT', 'but owns nothing'],
    ['guest', '/rw^n1^', 'EACCES', 'not the owner'],
    ['guest', '/local/domain/1^n2^', 'EPERM', 'given away'],
    ['guest', '/rw/none^n1^', 'ENOENT', 'missing'],
  ),
  ...rows(
    'WATCH',
    ['guest', 'x^', 'EINVAL', 'one string'],
    ['guest', 'x y^t^', 'EINVAL', 'path'],
    ['guest', '/no^t^', 'OK^', 'rights are asked for later'],
    ['guest', '/missing^t^tail', 'OK^', 'octets after the last NUL'],
  ),
  ...rows('UNWATCH', ['guest', 'x^', 'EINVAL', 'one string'], ['guest', 'x^t^', 'ENOENT', 'not watched']),
  ...rows('TRANSACTION_END', ['guest', 't^', 'EINVAL', 'neither T nor F'], ['guest', 'T^', 'ENOENT', 'in none']),
  ...rows('RESET_WATCHES', ['guest', '', 'OK^', 'the payload does not matter']),
  ...rows(
    'INTRODUCE',
    ['guest', '2^1^7^', 'EACCES', 'privileged'],
    ['socket', '2^1^', 'EINVAL', 'two strings'],
    ['socket', '2^1^0^', 'EINVAL', 'no port'],
    ['socket', '9^1^7^', 'EINVAL', 'cannot be mapped'],
    ['socket', '2^no number^7^more^', 'OK^', 'the frame is not looked at'],
  ),
  ...rows('RELEASE', ['guest', '1^', 'EACCES', 'privileged'], ['socket', '2^', 'ENOENT', 'not introduced']),
  ...rows('RESUME', ['socket', '2^', 'ENOENT', 'not introduced'], ['socket', '0^', 'EINVAL', 'the control domain']),
  ...rows(
    'SET_TARGET',
    ['socket', '1^', 'EINVAL', 'one string'],
    ['socket', '2^1^', 'ENOENT', 'not introduced'],
    ['socket', '1^2^', 'ENOENT', 'nor is the target'],
    ['socket', '1^0^x^', 'OK^', 'the rest does not matter'],
  ),
  ...rows(
    'IS_DOMAIN_INTRODUCED',
    ['guest', '1^', 'EACCES', 'privileged'],
    ['socket', '1^', 'T^', 'is'],
    ['socket', '2^', 'F^', 'is not'],
    ['socket', '1^1^', 'EINVAL', 'two strings'],
  ),
  ...rows('GET_DOMAIN_PATH', ['guest', '7^', '/local/domain/7^', 'for anybody, of anybody']),
  ...rows(
    'CONTROL',
    ['guest', 'help^', 'EACCES', 'privileged'],
    ['socket', 'help', 'EINVAL', 'no NUL'],
    ['socket', 'nonsense^', 'EINVAL', 'no such command'],
    ['socket', 'check^', 'OK^', ''],
    ['socket', 'print^x^', 'OK^', ''],
    ['socket', 'logfile^', 'EINVAL', 'no file'],
    ['socket', 'memreport^', 'EINVAL', 'EBADF, which no reply can carry'],
    ['socket', 'quota^77^', 'ENOENT', 'unknown domain'],
    ['socket', 'quota^set^nodes^0^', 'EINVAL', 'not positive'],
    ['socket', 'quota^set^watches^1^', 'OK^', 'the least that is'],
    ['socket', 'quota^set^nonsense^1^', 'EINVAL', 'no such quota'],
    ['socket', 'quota-soft^1^', 'EINVAL', 'no such form'],
    ['socket', 'live-update^', 'EINVAL', 'no step'],
    ['socket', 'live-update^-a^x^', 'EINVAL', 'a word too many'],
    ['socket', 'live-update^-s^-t^', 'EINVAL', 'no value'],
  ),
];

const NOW: readonly Row[] = [
  ...rows(
    'READ',
    ['socket', '/^x', 'EINVAL', 'a tail'],
    ['guest', '', 'EINVAL', 'nothing'],
    ['socket', '/tool', 'EINVAL', 'no NUL'],
  ),
  ...rows(
    'GET_PERMS',
    ['guest', '@releaseDomain^', 'n0^r32757^', 'everybody may'],
    ['guest', '@introduceDomain^', 'EACCES', 'nobody'],
  ),
  ...rows(
    'SET_PERMS',
    ['guest', '@releaseDomain^n1^', 'EACCES', 'not the owner'],
    ['guest', '/local/domain/1^n1^r32757^', 'OK^', 'everybody'],
  ),
  ...rows(
    'GET_FEATURE',
    ['guest', '', '14^', 'own'],
    ['guest', '1^', 'EACCES', 'of a named one'],
    ['socket', '1^2^', 'EINVAL', 'two'],
    ['socket', 'x^', 'EINVAL', 'no domid'],
    ['socket', '9^', 'ENOENT', 'no such domain'],
    ['socket', '1^', '14^', 'offered'],
  ),
  ...rows('SET_FEATURE', ['guest', '2^0^', 'EACCES', 'privileged'], ['socket', '2^', 'EINVAL', 'one string']),
  ...rows(
    'GET_QUOTA',
    [
      'socket',
      '',
      'nodes watches outstanding memory soft-memory transactions transaction-nodes node-permissions path-max node-size^',
      'the names',
    ],
    ['socket', 'nodes^', '1000^', 'global'],
    ['socket', 'permissions^', 'EINVAL', 'as the document calls it'],
    ['socket', 'soft-nodes^', 'EINVAL', 'there is no such'],
    ['socket', '9^nodes^', 'ENOENT', 'no such domain'],
    ['socket', '1^nodes^x^', 'EINVAL', 'three strings'],
    ['guest', 'nodes^', 'EACCES', 'privileged'],
  ),
  ...rows(
    'SET_QUOTA',
    ['socket', 'nodes^', 'EINVAL', 'no value'],
    ['socket', 'nodes^-1^', 'EINVAL', 'means none'],
    ['socket', 'nodes^abc^', 'OK^', '0'],
    ['socket', '9^nodes^1^', 'ENOENT', 'no such domain'],
    ['socket', 'x^nodes^1^', 'EINVAL', 'no domid'],
  ),
  ...rows('RELEASE', ['socket', '1^x', 'EINVAL', 'a tail']),
  ...rows(
    'CONTROL',
    [
      'socket',
      'log^',
      'Log switch settings:\nobj     : on\nio      : on\nwrl     : off\nacc     : off\ntdb     : off\n^',
      'all of them',
    ],
    ['socket', 'log^+acc^', 'OK^', 'a switch'],
    ['socket', 'log^+nonsense^', 'EINVAL', 'no such switch'],
    ['socket', 'quota^max^x^', 'EINVAL', 'neither -r nor nothing'],
    ['socket', 'quota^set^node-permissions^9^', 'OK^', 'its name'],
    ['socket', 'quota^set^permissions^9^', 'EINVAL', 'not its name'],
  ),
];

const OLD: readonly Row[] = [
  ...rows('GET_FEATURE', ['socket', '', 'ENOSYS', 'unknown']),
  ...rows('SET_QUOTA', ['socket', 'nodes^1^', 'ENOSYS', 'unknown']),
  ...rows('GET_PERMS', ['socket', '@releaseDomain^', 'EINVAL', 'no node']),
  ...rows('WATCH', ['guest', '@foo bar^t^', 'OK^', 'unchecked'], ['guest', '/x^t^1^', 'EINVAL', 'there are no depths']),
  ...rows('IS_DOMAIN_INTRODUCED', ['socket', 'x^', 'T^', 'atoi'], ['socket', '1x^', 'T^', 'atoi']),
  ...rows(
    'CONTROL',
    ['socket', 'log^', 'EINVAL', 'on or off'],
    ['socket', 'log^on^', 'OK^', ''],
    ['socket', 'quota^set^permissions^9^', 'OK^', 'its name'],
    ['socket', 'quota^max^', expectedQuota0(), 'domain 0'],
  ),
];

/** Domain 0 owns the first three nodes, `/local`, `/local/domain`, and the four of this file. */
function expectedQuota0(): string {
  return expect.stringMatching(/^Domain 0:\nnodes {11}: {8}9\nwatches {9}: {8}0\n/) as unknown as string;
}

describe.each([
  ['4.22', [...BOTH, ...NOW]],
  ['4.17', [...BOTH, ...OLD]],
] as const)('%s answers', (compat, table) => {
  it.each(table)('$op of $payload by a $who with $gets: $why', (row) => {
    expect(answer(compat, row)).toEqual(row.gets);
  });
});
