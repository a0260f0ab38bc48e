import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { traitsOf } from '../../../../scenarios/real/lockstep/traits.ts';

describe('what a binary tells of its release', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'xenarium-traits-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const importing = (...names: readonly string[]) => {
    const path = join(dir, 'daemon');
    writeFileSync(path, `\x7fELF\0${names.map((name) => `${name}\0`).join('')}`);
    return traitsOf(path);
  };

  it.each([
    ['4.17 asks for one domain with a call that 4.18 has given up', ['xc_domain_getinfo'], '4.17 or earlier', '4.17'],
    ['4.18 has the call for just one', ['xc_domain_getinfo_single'], '4.18 to 4.20', '4.17'],
    ['4.21 has a library of its own for it', ['xenmanage_poll_changed_domain'], '4.21 or later', '4.22'],
    [
      'an oxenstored has all of the bindings',
      ['xc_domain_getinfolist', 'xc_evtchn_alloc_unbound'],
      '4.14 or later',
      '4.17',
    ],
  ] as const)('%s', (_why, names, releases, compat) => {
    expect(importing(...names)).toMatchObject({ releases, compat });
  });

  it('says of another program that it is none, and of no file why', () => {
    expect(importing('printf')).toMatch(/does not import what a xenstore daemon imports$/);
    expect(traitsOf(join(dir, 'nowhere'))).toMatch(/ENOENT/);
  });
});
