import type { Message } from '../../protocol/wire.ts';
import { atoi, refuse } from '../../protocol/wire.ts';
import type { Connection } from '../connection.ts';
import type { Daemon } from '../daemon.ts';

/** The answer is given later, by whoever carries the request out. */
export const LATER = Symbol('answered later');

/** store.md 9.2. Failures are texts, not errors. Source: tools/xenstored/lu.c, do_control_lu. */
export function liveUpdate(
  { state, platform, delayed }: Daemon,
  conn: Connection,
  args: readonly string[],
  message: Message,
): string | undefined | typeof LATER {
  const [word, value] = args;
  const session = state.liveUpdate;
  if (word === '-a' && args.length === 1) {
    if (session === undefined) return 'No live-update session active.';
    delayed.endSession(); // a pending `-s` finds that out at the end of this pass
    return undefined;
  }
  if (word === '-c' && args.length === 2) {
    if (session?.owner !== conn) return 'Not in live-update session.';
    session.commandLine = value as string;
    return undefined;
  }
  if (word === '-f' && args.length === 2) {
    const mode = platform.fileMode(value as string);
    if (mode === 'absent') return 'File not accessible.';
    if (mode === 'not-executable') return 'File not executable.';
    if (session !== undefined) return 'live-update session already active.';
    state.liveUpdate = {
      owner: conn,
      file: value as string,
      commandLine: '',
      force: false,
      timeoutSeconds: 0,
      version: state.compat.streamVersionMax,
      startedSecond: undefined,
      reply: undefined,
    };
    return undefined;
  }
  if (word !== '-s') refuse('EINVAL');
  let force = false;
  let timeout = 0;
  let version: number = state.compat.streamVersionMax;
  for (let i = 1; i < args.length; i++) {
    const next = args[i + 1];
    if (args[i] === '-F') force = true;
    else if (args[i] === '-t' && next !== undefined) {
      timeout = atoi(next) >>> 0;
      i++;
    } else if (args[i] === '-v' && next !== undefined && state.compat.streamVersionMax > 1) {
      version = atoi(next);
      i++;
    } else refuse('EINVAL');
  }
  if (session?.owner !== conn) return 'Not in live-update session.';
  if (version < 1 || version > state.compat.streamVersionMax) return 'Migration stream version not supported.';
  session.force = force;
  session.timeoutSeconds = timeout;
  session.version = version;
  session.startedSecond = platform.wallSecond();
  delayed.add(conn, { message, kind: 'live-update' });
  return LATER;
}
