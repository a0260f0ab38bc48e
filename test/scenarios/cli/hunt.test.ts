import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-hunt-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const QUICK = ['--set', 'requests=300', '--set', 'domains=2', '--set', 'updates=1', '--set', 'churn=0'];
/** Nothing goes over but the tree. */
const LOSSY = ['--format', 'G1', ...QUICK];
const FILE = join(dir, 'run.xs1');

describe('a run that is saved', () => {
  const { out } = xenarium('run', '--save', FILE, '--json', ...QUICK);
  const { token, digest } = JSON.parse(out);

  it('is reproduced by its token and by its file, in a new process', () => {
    for (const word of [token, FILE]) {
      const { code, out: told } = xenarium('replay', word);
      expect([code, told]).toEqual([0, expect.stringContaining(`reproduced, same digest ${digest}`)]);
    }
  });

  it('is told from one of a program that has changed: the first event that differs, and its neighbours', () => {
    const lines = gunzipSync(readFileSync(FILE)).toString().split('\n');
    const at = lines.length - 100;
    const changed = lines.map((line, i) => {
      if (i === 0) return line.replace(digest, '0000000000000000');
      return i < at ? line : `0000000000000000 what was then`;
    });
    const other = join(dir, 'changed.xs1');
    writeFileSync(other, gzipSync(changed.join('\n')));
    const { code, out: told } = xenarium('replay', other);
    expect(code).toBe(4);
    expect(told).toMatch(/not reproduced: the code has changed since/);
    expect(told).toMatch(
      /the first event that differs is number \d+\n {4}both\n(?: .*\n){5}.*changed\.xs1\n {4}> +\d+ {2}what was then/,
    );
  });

  it('is refused with a reason if it is none', () => {
    const none = join(dir, 'none');
    writeFileSync(none, 'text');
    expect(xenarium('replay', none).err).toContain('neither a token nor a file');
    expect(xenarium('replay', join(dir, 'nowhere')).err).toContain('no such file');
    expect(xenarium('replay', `${token}0`).code).toBe(2);
  });

  it('is the same in two processes', () => {
    const { code, out: told } = xenarium('verify', token);
    expect([code, told]).toEqual([0, expect.stringMatching(new RegExp(`the same in two processes: .* ${digest}`))]);
  });
});

describe('a run that fails', () => {
  const { out } = xenarium('run', ...LOSSY);
  const [, token = ''] = /^ {2}token: (XS1-\S+)$/m.exec(out) ?? [];

  it('prints the command that shows its seq, and that command does', () => {
    const [, seq, args = ''] = /^ {2}seq (\d+): node \S+ (show .*)$/m.exec(out) ?? [];
    expect(xenarium(...args.split(' ')).out).toMatch(new RegExp(`^> +${seq} {2}`, 'm'));
  });

  it('shows what there is at a moment, and what differs between two', () => {
    const at = xenarium('show', token, '--at', '50').out;
    expect(at).toMatch(/^after seq \d+, at \d+ ns\n/);
    for (const kind of [
      'domain 0 dom0: running',
      'ring dom0 requests: ',
      'node /tool/xenstored: ',
      'connection dom0: ',
    ])
      expect(at).toContain(`  ${kind}`);
    expect(xenarium('show', token, '--diff', '50..50').out.split('\n')).toHaveLength(2);
    expect(xenarium('show', token, '--diff', '50..400').out).toMatch(/^ {2}[+~-] /m);
    expect(xenarium('show', token, '--update', '1').out).toContain('live update #1 dump');
    expect(xenarium('show', token, '--update', '9').err).toContain('has 1 live updates');
  });

  it('is kept in a base, and replayed first by the next sweep', () => {
    const base = join(dir, 'base');
    const sweep = () => xenarium('sweep', '--seeds', '1..1', '--jobs', '1', '--base', base, ...LOSSY).out;
    expect(sweep()).not.toContain('still fails');
    expect(existsSync(base) && readdirSync(base)).toHaveLength(1);
    expect(sweep()).toMatch(/^still fails \S/);
    const json = JSON.parse(xenarium('sweep', '--seeds', '1..1', '--jobs', '1', '--json', ...LOSSY).out);
    expect(json).toMatchObject({ record: 'xenarium-sweep', runs: 1, failed: 1, findings: [{ count: 1, token }] });
  });
});

describe('help', () => {
  it('tells every command under what it is for, and by one example', () => {
    const { out } = xenarium('--help');
    expect(out).not.toMatch(/^Commands:\n(?! +help)/m);
    const names = [...out.matchAll(/^ {2}([a-z]+) /gm)]
      .map(([, name]) => name as string)
      .filter((name) => name !== 'help');
    for (const name of names) expect(xenarium(name, '--help').out, name).toMatch(/Example:\n {2}.*xenarium/);
  });
});
