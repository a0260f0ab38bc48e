import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { built } from '../../support/build.ts';

const ROOT = join(import.meta.dirname, '../../..');
const PAGE = readFileSync(join(ROOT, 'docs/prototyping.md'), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'xenarium-prototyping-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Blocks of the page whose fence has this word. */
function blocks(word: string): string[] {
  return [...PAGE.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter((m) => m[1] === word).map((m) => m[2] ?? '');
}

/** A command of the page in a shell; what it prints, with its messages behind. */
function shell(command: string): string {
  const env = { ...process.env, PATH: `${dir}/bin${delimiter}${process.env.PATH ?? ''}` };
  const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: dir, env, encoding: 'utf8' });
  return stdout + stderr;
}

/** The file of the page, in a folder of its own where nothing is installed. */
function writeFormat(): void {
  const [code, ...others] = blocks('ts');
  expect(others).toEqual([]);
  writeFileSync(join(dir, 'my-format.ts'), code ?? '');
}

describe('the walk-through in docs/prototyping.md', () => {
  it('does what it shows, in a folder where nothing is installed', () => {
    mkdirSync(join(dir, 'bin'));
    const program = join(dir, 'bin/xenarium');
    writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${built('bin/xenarium.js')}" "$@"\n`);
    chmodSync(program, 0o755);
    writeFormat();
    const shown = blocks('');
    const commandsOf = (block: string) => block.split('\n').filter((line) => line.startsWith('$ '));
    expect(shown.flatMap(commandsOf).length).toBe(6);
    for (const block of shown) {
      const ran = commandsOf(block).map((line) => `${line}\n${shell(line.slice(2))}`);
      expect(ran.join('')).toBe(block);
    }
    expect(existsSync(join(dir, 'mine.img'))).toBe(true);
    expect(existsSync(join(dir, 'v2.img'))).toBe(false);
  }, 600_000);

  it('has types, once the package is linked into the folder', () => {
    writeFormat();
    mkdirSync(join(dir, 'node_modules'), { recursive: true });
    symlinkSync(ROOT, join(dir, 'node_modules/xenarium'));
    const options = { target: 'ES2023', module: 'NodeNext', strict: true, noEmit: true, skipLibCheck: false };
    const check = (text: string): string => {
      writeFileSync(join(dir, 'typed.ts'), text);
      const compilerOptions = { ...options, types: [] };
      writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      return spawnSync(process.execPath, [tsc, '-p', dir], { encoding: 'utf8' }).stdout;
    };
    const text = blocks('ts')[0] ?? '';
    expect(check(text)).toBe('');
    expect(check(text.replace("name: 'mine'", 'name: 3'))).toMatch(/typed\.ts.*TS2322/);
  }, 60_000);
});
