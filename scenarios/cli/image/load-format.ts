import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import type { Format } from '../../../store/format/index.ts';
import * as format from '../../../store/format/index.ts';
import * as model from '../../../store/format/model/index.ts';
import { binaryFormat, type LabFormat, meaningless, meaningsFault } from '../../../store/format/model/index.ts';
import { say } from '../terminal/output.ts';
import { Unusable } from './io.ts';

/** Under which names a format's module imports what formats are made of, and what their records mean. */
const OWN: Readonly<Record<string, object>> = { 'xenarium/format': format, 'xenarium/format/model': model };

/** Whether it can only be the path of a module: no name of a format looks like this. */
export function isModulePath(name: string): boolean {
  return /[/\\]|\.[cm]?[jt]s$/.test(name);
}

/** The format that a module exports, with all that can be done to a file of it. */
export async function loadFormat(path: string): Promise<LabFormat> {
  return binaryFormat(await importFormat(path));
}

/**
 * The format that a module exports: its default export, or the only one of its exports that is a format. TypeScript is
 * turned into JavaScript on the way, on any Node. Whoever names the module trusts it, as it is run.
 * Errors: `Unusable` when there is no such file, when it cannot be run, or when what it exports is no format.
 */
export async function importFormat(path: string): Promise<Format> {
  const module = await run(path);
  const [exported, ...others] = 'default' in module ? [['default', module.default] as const] : formatsIn(module);
  if (exported === undefined) throw new Unusable(`${path}: exports no format; it needs \`export default extend(...)\``);
  if (others.length > 0) {
    const names = [exported, ...others].map(([name]) => name).join(', ');
    throw new Unusable(`${path}: exports several formats, ${names}; make one the default`);
  }
  const fault = format.formatFault(exported[1]);
  if (fault !== undefined) throw new Unusable(`${path}: its default export is no format: ${fault}`);
  const found = exported[1] as Format;
  const odd = meaningsFault(found);
  if (odd !== undefined) throw new Unusable(`${path}: its default export is no format: ${odd}`);
  const dumb = meaningless(found);
  // Once: threads load what the command has loaded.
  if (dumb.length > 0 && isMainThread)
    say(
      `${path}: ${dumb.join(', ')}: nothing here knows what such records say, so none is written and those that are read carry nothing; \`meanings\` tells (docs/prototyping.md)`,
    );
  return found;
}

function formatsIn(module: Readonly<Record<string, unknown>>): (readonly [string, unknown])[] {
  return Object.entries(module).filter(([, value]) => format.formatFault(value) === undefined);
}

async function run(path: string): Promise<Readonly<Record<string, unknown>>> {
  const file = resolve(path);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new Unusable(`${path}: no such file`);
  if (!found.isFile()) throw new Unusable(`${path}: is not a file`);
  // The program's own modules, whether or not the file's folder has the package installed: one copy of each.
  // It is large, and most runs load no module of a user's.
  const { createJiti } = await import('jiti');
  const jiti = createJiti(file, { fsCache: false, interopDefault: false, virtualModules: OWN });
  try {
    return await jiti.import<Readonly<Record<string, unknown>>>(file);
  } catch (error) {
    throw new Unusable(`${path}${reasonOf(error, file)}`);
  }
}

/** `:3: what went wrong`, in one line. The line is that of the file where it is known; calls from there come behind it. */
function reasonOf(error: unknown, file: string): string {
  const { message, stack = '' } = error instanceof Error ? error : { message: String(error) };
  const [first = ''] = message.split('\n');
  const [, line] = stack.split(`${file}:`)[1]?.match(/^([0-9]+)/) ?? [];
  // What a name that is not exported is called once it has been turned into JavaScript.
  const reason = first.replaceAll(/\(0 , _\w+\.(\w+)\)/g, '$1').replace(/^ParseError: /, '');
  return `${line === undefined ? '' : `:${line}`}: ${reason.trim() || 'cannot be run'}`;
}
