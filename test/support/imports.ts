import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { codeOf } from './code.ts';

/** One file's import of another, or of a package. */
export interface Import {
  readonly from: string;
  /** The file, from the root; or the package as it is written (`node:fs`). */
  readonly to: string;
  /** A `type` import vanishes in the compiled program, and binds whoever reads or changes the file all the same. */
  readonly kind: 'value' | 'type';
}

/** Files and who imports whom. Paths are from the root of the repository, with `/`, in order of their octets. */
export interface ImportGraph {
  readonly files: readonly string[];
  readonly imports: readonly Import[];
  /** Imports of packages: of npm, and of node. */
  readonly packages: readonly Import[];
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** The TypeScript files of `folders`, from `root`, in order. Errors: those of the file system. */
export function sourcesOf(root: string, folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => posix.join(folder, name.replaceAll('\\', '/'))),
    )
    .sort(byText);
}

/** What `file` imports, exports from elsewhere, or loads, in the order of its text. Errors: none. */
export function importsOf(file: string, text: string): Import[] {
  const code = codeOf(text);
  const statements = /^(?:import|export)\s+(type\s+)?(?:[\w\s{},*$]*?\bfrom\s+)?(['"])([^'"]+)\2/gm;
  const calls = /\bimport\(\s*(['"])([^'"]+)\1/g;
  const found: { at: number; length: number; kind: Import['kind'] }[] = [];
  for (const { 0: all, 1: type, 3: blank, index } of code.matchAll(statements))
    found.push({ at: index + all.length - 1, length: blank!.length, kind: type === undefined ? 'value' : 'type' });
  for (const { 0: all, 2: blank, index } of code.matchAll(calls))
    found.push({ at: index + all.length - 1, length: blank!.length, kind: 'value' });
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ at, length, kind }) => {
      const written = text.slice(at - length, at);
      const to = written.startsWith('.') ? posix.join(posix.dirname(file), written) : written;
      return { from: file, to, kind };
    });
}

/** The graph of files that are at hand as texts. Errors: none. */
export function graphOf(texts: ReadonlyMap<string, string>): ImportGraph {
  const files = [...texts.keys()].sort(byText);
  const all = files.flatMap((file) => importsOf(file, texts.get(file) as string));
  const inside = (to: string) => texts.has(to) || /^\.?\.?\/|\.ts$/.test(to);
  return { files, imports: all.filter(({ to }) => inside(to)), packages: all.filter(({ to }) => !inside(to)) };
}

/** The files of `folders` and who imports whom. Errors: those of the file system. */
export function readGraph(root: string, folders: readonly string[]): ImportGraph {
  return graphOf(new Map(sourcesOf(root, folders).map((file) => [file, readFileSync(join(root, file), 'utf8')])));
}

/** For each name, the names it points to: once each, in order. */
export type Arrows = ReadonlyMap<string, readonly string[]>;

/** The arrows among the ends of `pairs`, those of a name to itself left out. Errors: none. */
export function arrowsOf(pairs: Iterable<readonly [from: string, to: string]>): Arrows {
  const arrows = new Map<string, Set<string>>();
  const of = (name: string) => {
    const found = arrows.get(name) ?? new Set<string>();
    arrows.set(name, found);
    return found;
  };
  for (const [from, to] of pairs) {
    of(to);
    if (from !== to) of(from).add(to);
  }
  return new Map([...arrows.keys()].sort(byText).map((name) => [name, [...of(name)].sort(byText)]));
}

/** Strongly connected components of more than one name, each in order. Errors: none. Source: Tarjan, 1972. */
export function knots(arrows: Arrows): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (name: string): number => {
    const mine = order.size;
    order.set(name, mine);
    stack.push(name);
    let least = mine;
    for (const next of arrows.get(name) ?? []) {
      if (!order.has(next)) least = Math.min(least, visit(next));
      else if (stack.includes(next)) least = Math.min(least, low.get(next) ?? (order.get(next) as number));
    }
    low.set(name, least);
    if (least === mine) {
      const knot = stack.splice(stack.indexOf(name)).sort(byText);
      if (knot.length > 1) found.push(knot);
    }
    return least;
  };
  for (const name of arrows.keys()) if (!order.has(name)) visit(name);
  return found.sort((a, b) => byText(a[0] as string, b[0] as string));
}

/** The shortest way from `start` back to itself, both ends told; `undefined` where there is none. Errors: none. */
export function wayRound(arrows: Arrows, start: string): string[] | undefined {
  const ways: string[][] = [[start]];
  const seen = new Set<string>();
  for (const way of ways) // grows while it is walked: breadth first
    for (const next of arrows.get(way.at(-1) as string) ?? []) {
      if (next === start) return [...way, start];
      if (seen.has(next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  return undefined;
}

/**
 * Circles between files, one complaint each: how many files cannot be read, tested or changed alone, and a shortest way
 * round through the first of them. Imports of types count. Errors: none.
 */
export function circles(graph: ImportGraph): string[] {
  const arrows = arrowsOf(graph.imports.map(({ from, to }) => [from, to] as const));
  const own = graph.imports.filter(({ from, to }) => from === to).map(({ from }) => `${from} imports itself`);
  return [
    ...own,
    ...knots(arrows).map((knot) => {
      const way = wayRound(arrows, knot[0] as string)?.join(' -> ');
      return `circle of ${knot.length} files: ${way}; all of them: ${knot.join(' ')}`;
    }),
  ];
}

/** The folder of a file. */
export const folderOf = (file: string): string => dirname(file);
