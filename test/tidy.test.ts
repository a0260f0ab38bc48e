import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const FOLDERS = ['sim', 'store', 'guests', 'scenarios'] as const;

/** Who may import whom; `store/format` and `scenarios/judge/oracles` are stricter than the folders they lie in. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  sim: ['sim'],
  'store/format': ['store/format'],
  store: ['store', 'store/format', 'sim'],
  guests: ['guests', 'sim', 'store/protocol/wire.ts', 'store/protocol/message-reader.ts', 'store/protocol/octets.ts'], // they have the headers, not the daemon
  'scenarios/judge/oracles': ['scenarios/judge/oracles', 'scenarios/judge/history.ts'],
  'scenarios/judge/invariants': ['scenarios/judge/invariants', 'scenarios/judge/oracles', 'scenarios/judge/history.ts'],
  scenarios: [
    'scenarios',
    'scenarios/judge/oracles',
    'scenarios/judge/invariants',
    'guests',
    'store',
    'store/format',
    'sim',
  ],
};

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function zoneOf(file: string): string {
  const zones = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
  return zones.find((zone) => file === zone || file.startsWith(`${zone}/`)) ?? file;
}

const files = FOLDERS.flatMap(sources);

describe('the source tree', () => {
  it.each(files)('%s imports only what its folder may import', (file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const allowed = MAY_IMPORT[zoneOf(file)] ?? [];
    for (const [, specifier] of text.matchAll(/(?:from|import)\s+'(\.[^']+)'/g)) {
      const target = relative(ROOT, resolve(ROOT, dirname(file), specifier as string));
      const zone = zoneOf(target);
      const ok = allowed.includes(zone) || allowed.includes(target);
      expect(ok, `${file} imports ${target}`).toBe(true);
    }
  });

  it.each(files)('%s has no default export and no export *', (file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    expect(text).not.toMatch(/^export default /m);
    expect(text).not.toMatch(/^export \* /m);
  });

  const deterministic = files.filter((f) => !/^scenarios\/(cli|real)\b|^scenarios\/cli\.ts/.test(f));
  it.each(deterministic)('%s asks the host for neither time nor chance', (file) => {
    const text = readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    expect(text).not.toMatch(
      /\bDate\b|\bperformance\.|Math\.random|\bsetTimeout\(|\bsetInterval\(|(?<!\/)\bprocess\.|crypto\./,
    );
    expect(text).not.toMatch(/localeCompare|\bBuffer\b|TextDecoder|\.toLocale/);
  });

  it('has no import cycle', () => {
    const graph = new Map<string, string[]>();
    for (const file of files) {
      // Types vanish in the compiled program: only imports of values can form a cycle that runs.
      const text = readFileSync(join(ROOT, file), 'utf8').replace(/import type [^;]+;/g, '');
      const targets = [...text.matchAll(/from\s+'(\.[^']+)'/g)].map(([, s]) =>
        relative(ROOT, resolve(ROOT, dirname(file), s as string)),
      );
      graph.set(file, targets);
    }
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) throw new Error(`cycle: ${[...path, file].join(' -> ')}`);
      if (done.has(file)) return;
      for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(done.size).toBe(files.length);
  });
});
