import { basename, relative } from 'node:path';

/** How this program was called, in words that call it again from the same folder. */
export function ownCommand(env: NodeJS.ProcessEnv = process.env, argv: readonly string[] = process.argv): string {
  const [, script = ''] = argv;
  if (env.npm_lifecycle_event === 'start') return 'npm start --';
  if (basename(script) === 'xenarium') return env.npm_command === 'exec' ? 'npx xenarium' : 'xenarium';
  return `node ${relative('.', script)}`;
}
