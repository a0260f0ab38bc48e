import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { BUGS, type Bug, bugOf } from '../../bugs/index.ts';
import { CALLED_AS, ownCommand } from '../command.ts';
import { meant, Unusable } from '../image/io.ts';
import { misfit, moduleUrl } from './modules.ts';
import { bugsOn, startedWith } from './switch.ts';

/** The bugs of these ids, fit for the code of today. Errors: Unusable. */
export function usableBugs(ids: readonly string[]): Bug[] {
  return ids.map((id) => {
    const bug = bugOf(id);
    if (bug === undefined) {
      const known = BUGS.map((each) => each.id);
      throw new Unusable(`no bug '${id}'${meant(id, known)}; xenarium bugs list names them`);
    }
    const reason = misfit([bug]);
    if (reason !== undefined) throw new Unusable(`${id} does not fit: ${reason}`);
    return bug;
  });
}

/** Thrown in place of what was asked for: a process with the bugs has done it. */
export class Restarted extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('assertion: nobody tells of this');
    this.exitCode = exitCode;
  }
}

/** Go on in a process in which these bugs are on, unless they are here. Errors: Unusable; Restarted, once it has ended. */
export async function restartIfAsked(ids: readonly string[], argv: readonly string[]): Promise<void> {
  const bugs = usableBugs(ids);
  const on = bugsOn();
  if (on.length === bugs.length && bugs.every((bug) => on.includes(bug))) return;
  const reason = misfit(bugs);
  if (reason !== undefined) throw new Unusable(`--bug: these do not go together: ${reason}`);
  throw new Restarted(await restartWith(bugs, argv));
}

/** Run this program once more, with the same words, and with bugs. @returns its exit code. Errors: rejects if it cannot be started. */
function restartWith(bugs: readonly Bug[], argv: readonly string[]): Promise<number> {
  const { env, execArgv } = startedWith(bugs);
  const program = fileURLToPath(moduleUrl('scenarios/cli.ts'));
  const child = spawn(process.execPath, [...process.execArgv, ...execArgv, program, ...argv.slice(2)], {
    env: { ...env, [CALLED_AS]: ownCommand() },
    stdio: 'inherit',
  });
  const wait = () => {}; // a terminal tells both
  const pass = () => child.kill('SIGTERM');
  process.on('SIGINT', wait).on('SIGTERM', pass);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', wait).off('SIGTERM', pass);
      resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]);
    });
  });
}
