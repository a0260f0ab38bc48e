import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { built } from '../../support/build.ts';

const ROOT = join(import.meta.dirname, '../../..');
const PAGE = readFileSync(join(ROOT, 'docs/scenarios.md'), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'xenarium-scenarios-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Blocks of the page whose fence has this word. */
function blocks(word: string): string[] {
  return [...PAGE.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter((m) => m[1] === word).map((m) => m[2] ?? '');
}

/** A command in a shell, in a folder where nothing is installed. */
function shell(command: string): { readonly code: number | null; readonly out: string } {
  const env = { ...process.env, PATH: `${dir}/bin${delimiter}${process.env.PATH ?? ''}` };
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: dir, env, encoding: 'utf8' });
  return { code: status, out: stdout + stderr };
}

const write = (name: string, text: string) => writeFileSync(join(dir, name), text);

beforeAll(() => {
  mkdirSync(join(dir, 'bin'));
  const program = join(dir, 'bin/xenarium');
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${built('bin/xenarium.js')}" "$@"\n`);
  chmodSync(program, 0o755);
  write('mine.ts', blocks('ts')[0] ?? '');
});

describe('the walk-through in docs/scenarios.md', () => {
  it('does what it shows, in a folder where nothing is installed', () => {
    const shown = blocks('');
    const commandsOf = (block: string) => block.split('\n').filter((line) => line.startsWith('$ '));
    expect(shown.flatMap(commandsOf).length).toBe(3);
    for (const block of shown) {
      const ran = commandsOf(block).map((line) => `${line}\n${shell(line.slice(2)).out}`);
      expect(ran.join('')).toBe(block);
    }
  }, 120_000);

  it('has types, once the package is linked into the folder', () => {
    mkdirSync(join(dir, 'node_modules'), { recursive: true });
    symlinkSync(ROOT, join(dir, 'node_modules/xenarium'));
    const compilerOptions = { target: 'ES2023', module: 'NodeNext', strict: true, noEmit: true, types: [] };
    const check = (text: string): string => {
      write('typed.ts', text);
      write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      return spawnSync(process.execPath, [tsc, '-p', dir], { encoding: 'utf8' }).stdout;
    };
    const text = blocks('ts')[0] ?? '';
    expect(check(text)).toBe('');
    expect(check(text.replace("run: ['update'", "run: ['updated'"))).toMatch(/typed\.ts.*TS2322/);
    expect(check(text.replace('broken === 0', 'brken === 0'))).toMatch(/typed\.ts.*TS/);
  }, 60_000);
});

describe('a module', () => {
  const tokenOf = (out: string) => /token: (XS1-\w+)/.exec(out)?.[1] ?? '';

  it('is run by each command, and a token says when it has changed', () => {
    write('changing.ts', blocks('ts')[0] ?? '');
    const { code, out } = shell('xenarium run ./changing.ts --set broken=1');
    expect(code).toBe(1);
    const token = tokenOf(out);
    const again = shell(`xenarium replay ${token}`);
    expect([again.code, again.out]).toEqual([1, expect.stringContaining('reproduced, same digest')]);
    expect(shell(`xenarium show ${token}`).out).toMatch(/^\.\/changing\.ts seed 1: violation/);
    const listed = shell('xenarium list ./changing.ts steady-state').out;
    expect(listed).toMatch(/^\.\/changing\.ts\n {2}A transaction writes two nodes.*\n {4}broken=0 /);
    expect(listed).toMatch(/^steady-state$/m);
    expect(listed).not.toMatch(/^hostile-guests$/m);
    expect(shell('xenarium verify ./changing.ts').out).toMatch(/the same in two processes/);
    expect(shell('xenarium sweep ./changing.ts --seeds 1..4 --jobs 2').out).toMatch(/^4 seeds, .* 0 failed\n/m);
    write('changing.ts', `${blocks('ts')[0]?.replace("'old'", "'older'")}`);
    const changed = shell(`xenarium replay ${token}`);
    expect(changed.code).toBe(4);
    expect(changed.out).toMatch(/not reproduced: \.\/changing\.ts has changed since/);
  }, 120_000);

  it.each([
    ['a syntax that is none', 'export default story({\n  name: 3 4\n});', /^xenarium: \.\/bad\.ts:2: /],
    ['no default export', 'export const x = 1;', /^xenarium: \.\/bad\.ts: has no default export, only x; it needs /],
    ['something else', 'export default { tell() {} };', /is no scenario: it is the plan of one: call `story` with it/],
    ['a number', 'export default 3;', /is no scenario: it is number/],
    ['an error', 'const a = undefined as any;\n\na.b();', /^xenarium: \.\/bad\.ts:3: Cannot read properties/],
    [
      'a name that is not exported',
      "import { storry } from 'xenarium/scenarios';\nexport default storry({});",
      /^xenarium: \.\/bad\.ts:2: storry is not a function/,
    ],
  ])('with %s is told in one line, and ends with 2', (_, text, complaint) => {
    write('bad.ts', text);
    const { code, out } = shell('xenarium run ./bad.ts');
    expect(out).toMatch(complaint);
    expect(out.split('\n').length).toBe(2);
    expect(code).toBe(2);
  });

  it('that asks the host for its time is an error, with its line', () => {
    const telling = "s.host.guest('a', function* (xs) {\n  yield* xs.write('data/x', String(new Date()));\n});";
    write(
      'clock.ts',
      `import { story } from 'xenarium/scenarios';\nexport default story({ name: 'x', story: 'y', tell(s) {\n${telling}\n} });`,
    );
    const { code, out } = shell('xenarium run ./clock.ts');
    expect(out).toMatch(/\.\/clock\.ts:4: assertion: a simulation asks the host for Date/);
    expect(code).toBe(2);
  });
});
