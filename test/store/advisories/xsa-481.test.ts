/**
 * XSA-481: a bad path that cleared the error of being bad.
 *
 * Mechanism: the errno was set first and the path looked at afterwards; sscanf of `/local/domain/` sets it to 0, and a refusal with 0
 * is neither an answer nor an error. Provoked by any request that names `/local/domain/`. Failure: an assertion ends the daemon. The
 * defence: what is refused has its errno, always.
 */
import { describe, expect, it } from 'vitest';
import { Bench, type Op } from '../harness.ts';

const PATHS = [
  '/local/domain/',
  '/local/domain/1/',
  '/local/domain//',
  '/local/domain/x/',
  'x/',
  '/local/domain/99999999999/',
];
const OPS: readonly (readonly [Op, string])[] = [
  ['READ', ''],
  ['DIRECTORY', ''],
  ['DIRECTORY_PART', '0^'],
  ['GET_PERMS', ''],
  ['WRITE', 'v'],
  ['MKDIR', ''],
  ['RM', ''],
  ['SET_PERMS', 'n1^'],
  ['WATCH', 't^'],
];

describe.each(['4.17', '4.22'] as const)('XSA-481 (%s)', (compat) => {
  it.each(PATHS)('whoever names %s gets EINVAL, whatever is asked', (path) => {
    const bench = new Bench(compat);
    const d1 = bench.domain(1);
    for (const client of [d1, bench.s])
      for (const [op, rest] of OPS) expect([op, client.ask(op, `${path}^${rest}`)]).toEqual([op, 'EINVAL']);
    expect(d1.ask('DIRECTORY', '/local/domain/1^')).toBe('');
  });
});
