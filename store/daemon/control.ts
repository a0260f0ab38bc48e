import { octetsOf } from '../protocol/octets.ts';
import { atoi, type Message, refuse, strings } from '../protocol/wire.ts';
import type { Connection } from './connection.ts';
import {
  domainQuotaText,
  maxQuotaText,
  QUOTA_NAMES,
  type QuotaName,
  quotaSettingsText,
  resetMax,
  softQuotaText,
} from './quota.ts';
import type { DaemonState } from './state.ts';

/** A command's answer: text (its NUL is added), `OK` for undefined, or `later`. */
type Answer = string | undefined | typeof LATER;
const LATER = Symbol('answered later');

interface Command {
  readonly run: (state: DaemonState, conn: Connection, args: readonly string[], message: Message) => Answer;
  /** Parameter texts of `help`, 4.22 and 4.17. */
  readonly help: readonly [string, string];
}

const SWITCHES = ['obj', 'io', 'wrl', 'acc', 'tdb'] as const;

const LIVE_UPDATE_HELP = ['[-c <cmdline>] [-F] [-t <timeout>]', '<file>\n    Default timeout is 60 seconds'] as const;

/** The commands in the order of `help` (store.md 7.2). Source: tools/xenstored/control.c. */
const COMMANDS: Readonly<Record<string, Command>> = {
  check: { help: ['', ''], run: (_s, _c, args) => (args.length > 0 ? refuse('EINVAL') : undefined) },
  log: { help: ['[on|off|+<switch>|-<switch>]', 'on|off'], run: log },
  'live-update': {
    help: [
      `${LIVE_UPDATE_HELP[0]} [-v <version>] ${LIVE_UPDATE_HELP[1]}, default version is 2.`,
      `${LIVE_UPDATE_HELP[0]} ${LIVE_UPDATE_HELP[1]}.`,
    ],
    run: liveUpdate,
  },
  logfile: { help: ['<file>', '<file>'], run: (_s, _c, args) => (args.length !== 1 ? refuse('EINVAL') : undefined) },
  memreport: {
    help: ['[<file>]', '[<file>]'],
    run: (_s, _c, args) => (args.length > 1 || args.length === 0 ? refuse('EINVAL') : undefined),
  },
  print: { help: ['<string>', '<string>'], run: print },
  quota: { help: ['[set <name> <val>|<domid>|max [-r]]', '[set <name> <val>|<domid>]'], run: quota },
  'quota-soft': { help: ['[set <name> <val>]', '[set <name> <val>]'], run: quotaSoft },
  help: { help: ['', ''], run: help },
};

/** More strings than any command takes: so many need not be made. */
const ARGS_MAX = 8;

/** XS_CONTROL. @returns the payload of the answer; `undefined`: it is given later. Errors: EINVAL, ENOENT. */
export function control(state: DaemonState, conn: Connection, message: Message): Uint8Array | undefined {
  const { texts, count } = strings(message.payload, ARGS_MAX);
  if (count === 0) refuse('EINVAL');
  const name = texts[0] as string;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) refuse('EINVAL');
  const args = name === 'live-update' ? texts.slice(1, 1 + state.compat.liveUpdateArgsMax) : texts.slice(1);
  const answer = command.run(state, conn, args, message);
  if (answer === LATER) return undefined;
  return octetsOf(`${answer === undefined ? 'OK' : String(answer)}\0`);
}

function log(state: DaemonState, _conn: Connection, args: readonly string[]): Answer {
  const [word] = args;
  if (args.length > 1) refuse('EINVAL');
  if (!state.compat.uniformQuota) return word === 'on' || word === 'off' ? undefined : refuse('EINVAL');
  if (word === undefined)
    return `Log switch settings:\n${SWITCHES.map((s) => `${s.padEnd(8)}: ${state.logSwitches.has(s) ? 'on' : 'off'}\n`).join('')}`;
  if (word === 'on' || word === 'off') return undefined;
  const sign = word.charAt(0);
  const name = word.slice(1);
  if ((sign !== '+' && sign !== '-') || !(SWITCHES as readonly string[]).includes(name)) refuse('EINVAL');
  if (sign === '+') state.logSwitches.add(name);
  else state.logSwitches.delete(name);
  return undefined;
}

function print(state: DaemonState, _conn: Connection, args: readonly string[]): Answer {
  if (args.length !== 1) refuse('EINVAL');
  state.platform.log(`control: ${args[0]}`);
  return undefined;
}

function quota(state: DaemonState, _conn: Connection, args: readonly string[]): Answer {
  const { compat, quotas } = state;
  if (args.length === 0) return quotaSettingsText(quotas, compat);
  if (args[0] === 'set') {
    if (args.length !== 3) refuse('EINVAL');
    const value = atoi(args[2] as string);
    const name =
      !compat.uniformQuota && args[1] === compat.permissionsQuotaLabel ? 'node-permissions' : (args[1] as string);
    if (!compat.uniformQuota && args[1] === 'node-permissions') refuse('EINVAL');
    if (value < 1 || !(QUOTA_NAMES as readonly string[]).includes(name)) refuse('EINVAL');
    quotas[name as QuotaName] = value;
    return undefined;
  }
  if (args[0] === 'max' && compat.uniformQuota) {
    if (args.length > 2 || (args.length === 2 && args[1] !== '-r')) refuse('EINVAL');
    if (args.length === 2) {
      for (const name of QUOTA_NAMES) state.max[name] = 0;
      for (const record of state.domains.records()) resetMax(record.account);
    }
    return maxQuotaText(state.max);
  }
  if (args.length > 1) refuse('EINVAL');
  const domid = atoi(args[0] as string) >>> 0;
  const record = state.domains.record(domid);
  if (record === undefined) refuse('ENOENT');
  return domainQuotaText(domid, record.account, compat);
}

function quotaSoft(state: DaemonState, _conn: Connection, args: readonly string[]): Answer {
  if (args.length === 0) return softQuotaText(state.quotas, state.compat);
  if (args.length !== 3 || args[0] !== 'set' || args[1] !== 'memory') refuse('EINVAL');
  const value = atoi(args[2] as string);
  if (value < 1) refuse('EINVAL');
  state.quotas['soft-memory'] = value;
  return undefined;
}

function help(state: DaemonState, _conn: Connection, args: readonly string[]): Answer {
  if (args.length > 0) refuse('EINVAL');
  const old = !state.compat.uniformQuota;
  return Object.entries(COMMANDS)
    .map(([name, { help: texts }]) => (old ? `${name}\t${texts[1]}\n` : `${name.padEnd(15)} ${texts[0]}\n`))
    .join('');
}

/** store.md 9.2. Failures are texts, not errors. Source: tools/xenstored/lu.c, do_control_lu. */
function liveUpdate(state: DaemonState, conn: Connection, args: readonly string[], message: Message): Answer {
  const [word, value] = args;
  const session = state.liveUpdate;
  if (word === '-a' && args.length === 1) {
    if (session === undefined) return 'No live-update session active.';
    state.liveUpdate = undefined; // a pending `-s` finds that out at the end of this pass
    state.liveUpdateEnded();
    return undefined;
  }
  if (word === '-c' && args.length === 2) {
    if (session?.owner !== conn) return 'Not in live-update session.';
    session.commandLine = value as string;
    return undefined;
  }
  if (word === '-f' && args.length === 2) {
    const mode = state.platform.fileMode(value as string);
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
  session.startedSecond = state.platform.wallSecond();
  state.delay(conn, { message, kind: 'live-update' });
  return LATER;
}
