import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { built } from '../../support/build.ts';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-any-format-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const QUICK = ['--set', 'requests=600', '--set', 'updates=2', '--set', 'domains=4'];

/** A module of a user: version 2 without watches that have a depth. */
const MINE = join(dir, 'mine.mjs');
const door = pathToFileURL(built('store/format/index.js')).href;
writeFileSync(
  MINE,
  `import { extend, formatNamed } from '${door}';
export default extend(formatNamed('G4.1'), { name: 'mine', title: 'Mine', without: ['TRANSACTION_DATA'] });
`,
);

describe('xenarium sweep', () => {
  it.each(['G4.1', MINE])('runs seeds through %s, the same on any number of threads', (format) => {
    const sweep = (jobs: string) => xenarium('sweep', '--seeds', '1..4', '--jobs', jobs, '--format', format, ...QUICK);
    const alone = sweep('1');
    expect(alone.err).toBe('');
    expect(alone.out).toMatch(/\n?4 seeds, [0-9]+ requests, [0-9] failed\n$/);
    expect(sweep('2')).toEqual(alone);
  });

  it('replays a failure with the same format', () => {
    const { code, out } = xenarium('sweep', '--seeds', '1..1', '--format', 'C-4.22', ...QUICK);
    expect(code).toBe(1);
    const [, line = ''] = /^ {2}(?:node \S+|xenarium) (run .*)$/m.exec(out) ?? [];
    expect(line).toContain('--format C-4.22');
    expect(xenarium(...line.split(' ')).code).toBe(1);
  });

  it('ends with 2 for a format that there is not', () => {
    expect(xenarium('sweep', '--seeds', '1..2', '--format', 'G9')).toMatchObject({ code: 2, out: '' });
  });
});

describe('xenarium run hostile-guests', () => {
  it('takes any format', () => {
    const hostile = (format: string) =>
      xenarium('run', 'hostile-guests', '--format', format, '--set', 'requests=400', '--set', 'hostile=3');
    expect(hostile('G4.1').code).toBe(0);
    expect(hostile('G4.1').out).toContain('#1 G4.1');
  });
});

describe('xenarium drive', () => {
  const script = join(dir, 'script.jsonl');
  const action = (value: unknown) => JSON.stringify(value);
  writeFileSync(
    script,
    [
      action({ domain: 1 }),
      action({ on: '1', op: 'WATCH', payload: 'x\0t\0' }),
      action({ on: '1', op: 'WRITE', payload: 'a\0b' }),
      action({ liveUpdate: 'G3.2' }),
      action({ liveUpdate: 'mine' }),
      action({ on: '1', op: 'WRITE', payload: 'x\0y' }),
    ].join('\n'),
  );
  const drive = (...args: string[]) => {
    const { out, err } = xenarium('drive', script, ...args);
    expect(err).toBe('');
    return out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  };

  it('updates through the format that a script names', () => {
    const lines = drive();
    expect(lines).toContainEqual({ liveUpdate: 'ok' });
    expect(lines).toContainEqual({ liveUpdate: 'failed', reason: "no format 'mine'" });
  });

  it('updates silently through the one of the command line, also of a module, and loses what it loses', () => {
    const plain = drive();
    const [update] = plain.flatMap((line, i) => (line.reason === undefined ? [] : [i]));
    const through = (format: string) => drive('--format', format, '--live-update-every', '1');
    const same = through('G4.1');
    expect(same).toEqual(plain);
    expect(through(MINE).filter((_, i) => i !== update)).toEqual(plain.filter((_, i) => i !== update));
    // Without ports, and with a page that does not tell its own, the ring is cut off; so is the operator's socket.
    expect(through('G2')).toContainEqual(expect.objectContaining({ dead: true, on: '1' }));
    expect(through('G2')).toContainEqual({ liveUpdate: 'ok' });
  });
});
