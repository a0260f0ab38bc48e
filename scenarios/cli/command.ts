import { basename, relative } from 'node:path';
import { bugsOn } from './bugs/switch.ts';

/** In the environment of a process that does a command for another: how that one was called. */
export const CALLED_AS = 'XENARIUM_CALLED_AS';

/** How this program was called, in words that call it again from the same folder, with the same bugs. */
export function ownCommand(env: NodeJS.ProcessEnv = process.env, argv: readonly string[] = process.argv): string {
  const bugs = bugsOn(env).map(({ id }) => ` --bug ${id}`);
  return `${env[CALLED_AS] ?? called(env, argv)}${bugs.join('')}`;
}

function called(env: NodeJS.ProcessEnv, argv: readonly string[]): string {
  const [, script = ''] = argv;
  if (env.npm_lifecycle_event === 'start') return 'npm start --';
  if (basename(script) === 'xenarium') return env.npm_command === 'exec' ? 'npx xenarium' : 'xenarium';
  return `node ${relative('.', script)}`;
}
