import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import * as guests from '../../guests/index.ts';
import * as sim from '../../sim/index.ts';
import { Digest } from '../../sim/index.ts';
import * as format from '../../store/format/index.ts';
import * as model from '../../store/format/model/index.ts';
import * as store from '../../store/index.ts';
import * as xenarium from '../index.ts';
import * as story from '../story/index.ts';
import { Unusable } from './image/io.ts';

/** Under which names a user's module imports what scenarios and formats are made of. */
const OWN: Readonly<Record<string, object>> = {
  xenarium,
  'xenarium/scenarios': story,
  'xenarium/guests': guests,
  'xenarium/sim': sim,
  'xenarium/store': store,
  'xenarium/format': format,
  'xenarium/format/model': model,
};

/** Whether it can only be the path of a module: no name of a format or a scenario looks like this. */
export function isModulePath(name: string): boolean {
  return /[/\\]|\.[cm]?[jt]s$/.test(name);
}

/** What a module of a user's exports. */
export type Exports = Readonly<Record<string, unknown>>;

/**
 * Run a module, and give what it exports. TypeScript is turned into JavaScript on the way, on any Node. Whoever names the module
 * trusts it. Errors: `Unusable` when there is no such file, or when it cannot be run, with the line where it went wrong.
 */
export async function loadModule(path: string): Promise<Exports> {
  const file = fileOf(path);
  // The program's own modules, whether or not the file's folder has the package installed: one copy of each.
  // It is large, and most runs load no module of a user's.
  const { createJiti } = await import('jiti');
  const jiti = createJiti(file, { fsCache: false, moduleCache: false, interopDefault: false, virtualModules: OWN });
  try {
    return await jiti.import<Exports>(file);
  } catch (error) {
    throw new Unusable(`${path}${reasonOf(error, file)}`);
  }
}

/** Of the octets of a module and of those beside it that it imports, 16 hex digits. Errors: `Unusable`. */
export function moduleDigest(path: string): string {
  const digest = new Digest();
  for (const file of filesOf(fileOf(path))) {
    const octets = new Uint8Array(readFileSync(file));
    digest.octets(octets, 0, octets.length);
  }
  return digest.hex();
}

const IMPORTED = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;

/** A module and what it imports by relative paths, each once, in the order in which they are named. */
function filesOf(first: string): readonly string[] {
  const found = new Set([first]);
  for (const file of found) {
    for (const [, to = ''] of readFileSync(file, 'utf8').matchAll(IMPORTED)) {
      const at = resolve(file, '..', to);
      const there = [at, `${at}.ts`, `${at}.js`, at.replace(/\.js$/, '.ts')].find(
        (each) => statSync(each, { throwIfNoEntry: false })?.isFile() === true,
      );
      if (there !== undefined) found.add(there);
    }
  }
  return [...found];
}

/** Where it is. Errors: `Unusable` when there is no such file. */
export function fileOf(path: string): string {
  const file = resolve(path);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new Unusable(`${path}: no such file`);
  if (!found.isFile()) throw new Unusable(`${path}: is not a file`);
  return file;
}

/** The first line of a file that a stack names, if it names any. */
export function lineIn(stack: string, file: string): string | undefined {
  return stack.split(`${file}:`)[1]?.match(/^([0-9]+)/)?.[1];
}

/** `:3: what went wrong`, in one line. The line is that of the file where it is known; calls from there come behind it. */
function reasonOf(error: unknown, file: string): string {
  const { message, stack = '' } = error instanceof Error ? error : { message: String(error) };
  const [first = ''] = message.split('\n');
  const line = lineIn(stack, file);
  // What a name that is not exported is called once it has been turned into JavaScript.
  const reason = first.replaceAll(/\(0 , _\w+\.(\w+)\)/g, '$1').replace(/^ParseError: /, '');
  return `${line === undefined ? '' : `:${line}`}: ${reason.trim() || 'cannot be run'}`;
}
