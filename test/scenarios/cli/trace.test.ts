import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-trace-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const QUICK = ['--json', '--set', 'requests=100', '--set', 'updates=1', '--set', 'domains=2'];

describe('run --trace', () => {
  it('takes its format from the end of the name, and leaves the run as it is', () => {
    const ran = ['run.pcapng', 'run.jsonl', 'run.txt'].map((name) =>
      xenarium('run', '--trace', join(dir, name), ...QUICK),
    );
    expect(ran.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(new Set(ran.map(({ out }) => out)).size).toBe(1);
    expect(readFileSync(join(dir, 'run.pcapng')).readUInt32LE(0)).toBe(0x0a0d0d0a);
    const linesOf = (name: string) => readFileSync(join(dir, name), 'utf8').trimEnd().split('\n');
    const isMessage = (line: string) => /^\{"kind":"(request|reply|event|cut)"/.test(line);
    const lines = linesOf('run.jsonl');
    expect(lines.filter(isMessage).length).toBeGreaterThan(100);
    expect(lines.filter((line) => !isMessage(line))).toEqual(linesOf('run.txt'));
  });

  it.each(['pcapng', 'jsonl'])('tells of a full disk under .%s, when the run is over', (ending) => {
    symlinkSync('/dev/full', join(dir, `full.${ending}`));
    const { code, err } = xenarium('run', '--trace', join(dir, `full.${ending}`), ...QUICK);
    expect([code, err]).toEqual([2, `xenarium: --trace ${join(dir, `full.${ending}`)}: no space left\n`]);
  });
});
