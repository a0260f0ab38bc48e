import { type Bug, bugOf } from '../../bugs/index.ts';
import { moduleUrl } from './modules.ts';

/** Which bugs are on in a process and its threads: ids, with commas between them. */
const SWITCH = 'XENARIUM_BUGS';

/** Bugs that are on here. */
export function bugsOn(env: NodeJS.ProcessEnv = process.env): readonly Bug[] {
  return (env[SWITCH] ?? '').split(',').flatMap((id) => bugOf(id) ?? []);
}

/** How a process or a thread has to be started for bugs to be on in it. */
export function startedWith(bugs: readonly Bug[]): { readonly env: NodeJS.ProcessEnv; readonly execArgv: string[] } {
  return {
    env: { ...process.env, [SWITCH]: bugs.map(({ id }) => id).join(',') },
    execArgv: ['--import', moduleUrl('scenarios/cli/bugs/preload.ts').href],
  };
}
