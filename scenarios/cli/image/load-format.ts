import { isMainThread } from 'node:worker_threads';
import type { Format } from '../../../store/format/index.ts';
import * as format from '../../../store/format/index.ts';
import { binaryFormat, type LabFormat, meaningless, meaningsFault } from '../../../store/format/model/index.ts';
import { loadModule } from '../load-module.ts';
import { say } from '../terminal/output.ts';
import { Unusable } from './io.ts';

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
  const module = await loadModule(path);
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
