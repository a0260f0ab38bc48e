import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
};

/** What npm would put into the archive, of what the tests have compiled. */
function packed(): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout, stderr } = spawnSync('npm', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as [{ readonly files: readonly { readonly path: string }[] }])[0].files.map((f) => f.path);
}

/** Files of the tree that a compiled module may look for beside itself: any text in it that is the way to one. */
function lookedFor(module: string, code: string): string[] {
  const texts = [...code.matchAll(/'([\w./-]+\.\w+)'/g)].map(([, text]) => text as string);
  return texts.map((text) => posix.join(posix.dirname(module), text)).filter((path) => existsSync(join(ROOT, path)));
}

describe('the package', () => {
  const files = packed();
  const has = (path: string) => files.includes(posix.normalize(path));
  const modules = files.filter((path) => path.endsWith('.js'));
  const codes = new Map(modules.map((path) => [path, read(path)]));

  it('has what its doors and its program name', () => {
    const targets = Object.values(manifest.exports).flatMap((each) =>
      typeof each === 'string' ? [each] : Object.values(each),
    );
    expect(targets.length).toBeGreaterThan(10);
    expect([...targets, ...Object.values(manifest.bin)].filter((path) => !has(path))).toEqual([]);
  });

  it('has each module that its modules import, and depends on each package', () => {
    const missing: string[] = [];
    for (const path of files.filter((each) => /\.(?:js|d\.ts)$/.test(each))) {
      const text = read(path).replace(/\/\*[\s\S]*?\*\//g, '');
      for (const [, to = ''] of text.matchAll(/^\s*(?:import|export|\}).*? from '([^']+)'|^import '([^']+)'/gm)) {
        const [name = ''] = to.split('/');
        const isThere = to.startsWith('.')
          ? has(posix.join(posix.dirname(path), to.replace(/\.ts$/, '.js')))
          : isBuiltin(to) || name === manifest.name || Object.hasOwn(manifest.dependencies, name);
        if (!isThere) missing.push(`${path}: ${to}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('has each file of the repository that a module reads from its own place', () => {
    const looking = modules.filter((path) => codes.get(path)?.includes('import.meta'));
    const all = looking.flatMap((path) => lookedFor(path, codes.get(path) ?? ''));
    expect(all).toContain('dist/scenarios/cli/sweep-worker.js');
    expect(all.filter((path) => !has(path))).toEqual([]);
  });

  it('has each thread and process beside the module that starts it, bundled or not', () => {
    const started = [...codes].flatMap(([path, code]) =>
      [...code.matchAll(/new URL\(\s*["'](\.\/[\w-]+\.js)["']/g)].map(([, to = '']) =>
        posix.join(posix.dirname(path), to),
      ),
    );
    for (const folder of ['dist/scenarios/cli/hunt', 'dist/bin'])
      expect(started).toEqual(expect.arrayContaining([`${folder}/facts-worker.js`, `${folder}/verify-child.js`]));
    expect(started.filter((path) => !has(path))).toEqual([]);
  });

  it('has each file that a module looks for from its own folder', () => {
    const named = [...codes.values()].flatMap((code) => [...code.matchAll(/\bpackageFile\(["']([^"']+)["']\)/g)]);
    const all = new Set(named.map(([, path]) => path as string));
    for (const path of ['package.json', 'scenarios/real/conform/standin.c', 'scenarios/real/lockstep/standin.c'])
      expect(all).toContain(path);
    expect([...all].filter((path) => !has(path))).toEqual([]);
  });

  it('has the script and the style of the page that --report writes', () => {
    expect(['dist/page/page.js', 'dist/page/page.css'].filter((path) => !has(path))).toEqual([]);
  });

  it('has neither tests nor maps to sources that it does not have', () => {
    expect(files.filter((path) => /(?:^|\/)test\/|\.map$/.test(path))).toEqual([]);
  });
});
