import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildOnce } from './build.ts';

let root = '';
let compiled = 0;
const ask = () => buildOnce(root, () => compiled++);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'xenarium-build-'));
  compiled = 0;
  mkdirSync(join(root, 'src'));
  writeFileSync(join(root, 'tsconfig.build.json'), '{"include": ["src"]}');
  writeFileSync(join(root, 'src/a.ts'), 'a');
});
afterEach(() => rmSync(root, { recursive: true }));

it('compiles once for all who ask', () => {
  ask();
  ask();
  expect(compiled).toBe(1);
  expect(readdirSync(join(root, 'dist'))).toEqual(['.sources']);
});

it.each([
  ['another text', () => writeFileSync(join(root, 'src/a.ts'), 'ab')],
  ['the same size at another time', () => utimesSync(join(root, 'src/a.ts'), 1, 1)],
  ['one more file', () => writeFileSync(join(root, 'src/b.ts'), '')],
  ['one file less', () => rmSync(join(root, 'src/a.ts'))],
  ['nothing there any more', () => rmSync(join(root, 'dist'), { recursive: true })],
])('compiles again: %s', (_why, change) => {
  ask();
  change();
  ask();
  expect(compiled).toBe(2);
});

it('compiles again after a failure', () => {
  expect(() =>
    buildOnce(root, () => {
      throw new Error('does not compile');
    }),
  ).toThrow('does not compile');
  ask();
  expect(compiled).toBe(1);
});

it('does not wait for a process that has died over it', () => {
  mkdirSync(join(root, 'dist'));
  writeFileSync(join(root, 'dist/.building'), '2147483647');
  ask();
  expect(compiled).toBe(1);
});
