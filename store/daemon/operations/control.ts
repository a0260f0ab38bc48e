import { octetsOf } from '../../protocol/octets.ts';
import type { Message } from '../../protocol/wire.ts';
import { atoi, refuse, strings } from '../../protocol/wire.ts';
import type { Connection } from '../connection.ts';
import type { Daemon } from '../daemon.ts';
import { memoryReport } from '../memory-report.ts';
import { QUOTA_NAMES, type QuotaName } from '../quota.ts';
import { domainQuotaText, maxQuotaText, quotaSettingsText, softQuotaText } from '../quota-text.ts';
import { LATER, liveUpdate } from './control-live-update.ts';

/** A command's answer: text (its NUL is added), `OK` for undefined, or `later`. */
type Answer = string | undefined | typeof LATER;

interface Command {
  readonly run: (daemon: Daemon, conn: Connection, args: readonly string[], message: Message) => Answer;
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
  logfile: { help: ['<file>', '<file>'], run: logFile },
  memreport: { help: ['[<file>]', '[<file>]'], run: memReport },
  print: { help: ['<string>', '<string>'], run: print },
  quota: { help: ['[set <name> <val>|<domid>|max [-r]]', '[set <name> <val>|<domid>]'], run: quota },
  'quota-soft': { help: ['[set <name> <val>]', '[set <name> <val>]'], run: quotaSoft },
  help: { help: ['', ''], run: help },
};

/** More strings than any command takes: so many need not be made. */
const ARGS_MAX = 8;

/** XS_CONTROL. @returns the payload of the answer; `undefined`: it is given later. Errors: EINVAL, ENOENT. */
export function control(daemon: Daemon, conn: Connection, message: Message): Uint8Array | undefined {
  const { texts, count } = strings(message.payload, ARGS_MAX);
  if (count === 0) refuse('EINVAL');
  const name = texts[0] as string;
  const { moves } = daemon.state.options;
  if (name === 'migrate' && moves !== undefined) return octetsOf(`${moves.command(daemon, moveArgs(message))}\0`);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) refuse('EINVAL');
  const args = name === 'live-update' ? texts.slice(1, 1 + daemon.state.compat.liveUpdateArgsMax) : texts.slice(1);
  const answer = command.run(daemon, conn, args, message);
  if (answer === LATER) return undefined;
  return octetsOf(`${answer === undefined ? 'OK' : String(answer)}\0`);
}

/** Of an extension, which takes more strings than the daemon's own commands do. */
function moveArgs({ payload }: Message): readonly string[] {
  return strings(payload, Number.POSITIVE_INFINITY).texts.slice(1);
}

function log({ state, trace }: Daemon, _conn: Connection, args: readonly string[]): Answer {
  const [word] = args;
  if (args.length > 1) refuse('EINVAL');
  if (word === 'on' || word === 'off') {
    if (word === 'on') trace.reopen();
    else trace.close();
    return undefined;
  }
  if (!state.compat.uniformQuota) refuse('EINVAL');
  if (word === undefined)
    return `Log switch settings:\n${SWITCHES.map((s) => `${s.padEnd(8)}: ${state.logSwitches.has(s) ? 'on' : 'off'}\n`).join('')}`;
  const sign = word.charAt(0);
  const name = word.slice(1);
  if ((sign !== '+' && sign !== '-') || !(SWITCHES as readonly string[]).includes(name)) refuse('EINVAL');
  if (sign === '+') state.logSwitches.add(name);
  else state.logSwitches.delete(name);
  return undefined;
}

/** OK whether it can be written or not: nobody is told. */
function logFile({ trace }: Daemon, _conn: Connection, args: readonly string[]): Answer {
  if (args.length !== 1) refuse('EINVAL');
  trace.moveTo(args[0] as string);
  return undefined;
}

/** To a file, or to where the trace goes. Errors: EINVAL, as which EBADF goes out: that cannot be written, or is nowhere. */
function memReport({ state, trace }: Daemon, _conn: Connection, args: readonly string[]): Answer {
  if (args.length > 1 || !trace.append(memoryReport(state), args[0])) refuse('EINVAL');
  return undefined;
}

function print({ trace }: Daemon, _conn: Connection, args: readonly string[]): Answer {
  if (args.length !== 1) refuse('EINVAL');
  trace.printed(`control: ${args[0]}`);
  return undefined;
}

function quota({ state }: Daemon, _conn: Connection, args: readonly string[]): Answer {
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
      state.max.fill(0);
      for (const record of state.records.values()) record.account.resetMax();
    }
    return maxQuotaText(state.max);
  }
  if (args.length > 1) refuse('EINVAL');
  const domid = atoi(args[0] as string) >>> 0;
  const record = state.records.get(domid);
  if (record === undefined) refuse('ENOENT');
  return domainQuotaText(domid, record.account, compat);
}

function quotaSoft({ state }: Daemon, _conn: Connection, args: readonly string[]): Answer {
  if (args.length === 0) return softQuotaText(state.quotas, state.compat);
  if (args.length !== 3 || args[0] !== 'set' || args[1] !== 'memory') refuse('EINVAL');
  const value = atoi(args[2] as string);
  if (value < 1) refuse('EINVAL');
  state.quotas['soft-memory'] = value;
  return undefined;
}

function help({ state }: Daemon, _conn: Connection, args: readonly string[]): Answer {
  if (args.length > 0) refuse('EINVAL');
  const old = !state.compat.uniformQuota;
  return Object.entries(COMMANDS)
    .map(([name, { help: texts }]) => (old ? `${name}\t${texts[1]}\n` : `${name.padEnd(15)} ${texts[0]}\n`))
    .join('');
}
