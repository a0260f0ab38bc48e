import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCENARIOS } from '../../../../scenarios/catalogue/index.ts';
import { formatToken, parseToken } from '../../../../scenarios/hunt/token.ts';
import { INSTALLED_DAEMONS } from '../../../../scenarios/real/conform/standin.ts';
import { type Ran, xenarium } from '../../../support/cli.ts';
import { daemonIsMissing } from '../../../support/needs.ts';

const { xenstored, oxenstored } = INSTALLED_DAEMONS;
const isMissing = await daemonIsMissing('tokens of runs on a real daemon', xenstored);
const hasNoOxenstored = await daemonIsMissing('a token of a run on another daemon', oxenstored);

const SMALL = ['--set', 'domains=3', '--set', 'requests=700', '--set', 'updates=2'];
const lastLine = ({ out }: Ran) => out.trimEnd().split('\n').at(-1);

describe.skipIf(isMissing)('a run on a real daemon', () => {
  let dir: string;
  let file: string;
  let token: string;

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'xenarium-tokens-'));
    file = join(dir, 'run.gz');
    const ran = xenarium('run', '--daemon', xenstored, '--json', '--save', file, ...SMALL);
    ({ token } = JSON.parse(ran.out));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('has a token that names the daemon, and is run again on it', () => {
    const parsed = parseToken(token, SCENARIOS);
    expect(parsed.ok && parsed.value.spec.daemon).toEqual({
      binary: xenstored,
      digest: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    const replayed = xenarium('replay', token);
    expect(replayed.code).toBe(0);
    expect(lastLine(replayed)).toMatch(/^ {2}reproduced, same digest/);
    expect(lastLine(xenarium('replay', file))).toMatch(/^ {2}reproduced, same digest/);
  });

  it('is the same in two processes', () => {
    expect(xenarium('verify', token).out).toMatch(/: the same in two processes: /);
  });

  it('can be looked into, as far as what went in and out', () => {
    expect(xenarium('show', token, '--update', '1').out).toMatch(/live update #1 dump\n[\s\S]*live update #1 up\n/);
  });

  it('is no run on the store of this package, and the other way round', () => {
    const ours = JSON.parse(xenarium('run', '--json', ...SMALL).out).token as string;
    expect(xenarium('replay', ours, '--daemon', xenstored)).toMatchObject({
      code: 2,
      err: 'xenarium: --daemon: it is a run on the store of this package\n',
    });
    const { code, err } = xenarium('replay', token, '--daemon', join(dir, 'none'));
    expect(code).toBe(2);
    expect(err).toContain('ENOENT');
  });

  it('a token whose daemon has no path is refused', () => {
    const parsed = parseToken(token, SCENARIOS);
    if (!parsed.ok) throw new Error(parsed.reason);
    const spec = { ...parsed.value.spec, daemon: { binary: 7, digest: '' } as never };
    expect(parseToken(formatToken({ ...parsed.value, spec }, SCENARIOS), SCENARIOS)).toEqual({
      ok: false,
      reason: 'the daemon that it names has no path or no digest',
    });
  });

  it.skipIf(hasNoOxenstored)('says that it is another daemon where it is one', () => {
    const { code, out } = xenarium('replay', token, '--daemon', oxenstored);
    expect(code).toBe(4);
    expect(out).toContain('not reproduced: it is another daemon: digest ');
  });
});
