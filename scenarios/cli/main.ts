import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { SCENARIOS } from '../catalogue/index.ts';
import { STRATEGIES } from '../hunt/search-plan.ts';
import { addBugCommands } from './bugs/commands.ts';
import { Restarted, restartIfAsked } from './bugs/restart.ts';
import { conformCommand } from './conform.ts';
import { conformScenarioCommand } from './conform-scenario.ts';
import { driveCommand } from './drive.ts';
import { EXHAUST_KINDS, exhaustCommand } from './exhaust.ts';
import { workerCommand } from './fleet/worker-command.ts';
import { group } from './help.ts';
import { exhaustScenarioCommand } from './hunt/exhaust-scenario.ts';
import { replayCommand } from './hunt/replay.ts';
import { showCommand } from './hunt/show.ts';
import { shrinkCommand } from './hunt/shrink.ts';
import { verifyCommand } from './hunt/verify.ts';
import { addImageCommands } from './image/commands.ts';
import { orUnusable, Unusable } from './image/io.ts';
import { matrixCommand } from './matrix.ts';
import { breaksCommand } from './migration-breaks.ts';
import { listCommand, runCommand } from './run.ts';
import { isScenario } from './scenarios-of.ts';
import { addScriptCommands } from './script.ts';
import { serveCommand } from './serve.ts';
import { sweepCommand } from './sweep-command.ts';
import { stateFile, takeoverCommand } from './takeover.ts';
import { complain, say } from './terminal/output.ts';
import { version } from './version.ts';

/** Exit codes: 0 pass, 1 violation, 2 error or bad usage, 3 stuck or unknown; 4 of a replay that is not the same; 5 of a blind sweep. */
export const EXIT = { pass: 0, violation: 1, error: 2, unknown: 3 } as const;

/** What `--format` takes. */
const FORMAT =
  'v1 or v2, or any other format, or the path of a module, which is executed: then updates go through its files';

/** Parse the command line, call, and give the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.pass;
  const done = (result: number) => {
    code = result;
  };
  const program = new Command('xenarium')
    .description(
      'A deterministic Xen in a jar: guests drive an in-process xenstored through real rings while it live-updates.',
    )
    .version(version())
    .option('--stack', 'show the stack of an error, with any command')
    .option('--bug <id>', 'with a mistake put in, with any command (repeatable): bugs list names them', collect, [])
    .exitOverride()
    .showHelpAfterError('(add --help for the options)');
  program.hook('preAction', () => restartIfAsked(program.opts<{ readonly bug: readonly string[] }>().bug, argv));
  const commands = () => program.commands.map((command) => command.name());
  const hasStack = () => program.opts<{ readonly stack?: true }>().stack === true;

  program
    .command('list')
    .description('name the scenarios, with their settings')
    .argument('[scenario...]', 'names, or paths of modules, which are executed (default: the whole catalogue)')
    .option('--faults', 'name the faults instead, with what each does and what must hold all the same')
    .option('--json', 'for programs')
    .action(async (names, options) => done(await orUnusable(() => listCommand(names, options))));
  program
    .command('run', { isDefault: true })
    .description('run one scenario and judge it')
    .argument('[scenario]', 'name of the scenario', SCENARIOS[0]?.name)
    .option('--seed <n>', 'decimal digits; the same seed gives the same octets', digits, '1')
    .option('--format <name>', `${FORMAT} (default: v2, or that of the daemon)`)
    .option('--daemon <path>', 'a C xenstored or an oxenstored that serves in place of ours')
    .option(
      '--daemon-next <path>',
      "what its live updates execute; ours: this package's own (default: the daemon itself)",
    )
    .option('--all', 'with what the daemon is known to break on')
    .option('--set <key=value>', 'change a setting (repeatable)', collect, [])
    .option(
      '--trace <file>',
      'write every event as JSON Lines; FILE.jsonl: messages too, FILE.pcapng: messages for Wireshark, FILE.perfetto-trace: for Perfetto (docs/trace.md)',
    )
    .option('--save <file>', 'write the run with all its events, for replay to compare with')
    .option(
      '--report <file>',
      'write a page that shows the run: lanes, messages, updates, findings; any browser opens it',
    )
    .option('--json', 'one JSON object for programs')
    .action(async (name, options) =>
      done(await orUnusable(() => runCommand(name, { ...options, stack: hasStack(), commands: commands() }))),
    );
  program
    .command('sweep')
    .description('run scenarios with many seeds; tell each failure once, and count')
    .argument('[scenario...]', `names of scenarios, or all (default: ${SCENARIOS[0]?.name})`)
    .addOption(seeds('1..200'))
    .option('--minutes <n>', 'seeds from the first on, until so many minutes are over', positive)
    .addOption(
      new Option(
        '--search <strategy>',
        'settings as asked for, drawn anew for each seed, or also changed from runs that met something new; with programs preempted at a few moments; or the first seed again and again, with a live update at another moment of it',
      )
        .choices(STRATEGIES)
        .default('uniform'),
    )
    .option('--base <folder>', 'failures are kept there, and replayed first by the next sweep')
    .option('--format <name>', `${FORMAT} (default: v2, or that of the daemon)`)
    .option('--daemon <path>', 'a C xenstored or an oxenstored that serves in place of ours')
    .option(
      '--daemon-next <path>',
      "what its live updates execute; ours: this package's own (default: the daemon itself)",
    )
    .option('--all', 'with what the daemon is known to break on')
    .option('--set <key=value>', 'change a setting (repeatable)', collect, [])
    .option('--jobs <n>', 'threads (default: one for each core)', positive)
    .option(
      '--queue <url>',
      'redis://HOST:PORT of a fleet, whose workers make the runs (default: threads of this process)',
    )
    .addOption(patience())
    .option('--require-marks', 'exit code 3 if anything that the scenario promises never happened')
    .option(
      '--canary [bug]',
      'a bug, one that shows anywhere or this, is on in a share of further runs: exit code 5 if all was well, but for it not being found',
    )
    .option('--situations', 'tell what updates met under way, and what they never met')
    .option('--json', 'one JSON object for programs')
    .action(async (names: string[], options) =>
      done(await orUnusable(() => sweepCommand(names.length > 0 ? names : [SCENARIOS[0]?.name as string], options))),
    );
  program
    .command('worker')
    .description('make the runs of campaigns that sweep --queue puts into a Redis, until it is interrupted')
    .requiredOption('--queue <url>', 'redis://HOST:PORT of the fleet')
    .option('--jobs <n>', 'threads (default: one for each core)', positive)
    .addOption(patience())
    .action(async (options) => done(await orUnusable(() => workerCommand(options))));
  program
    .command('replay')
    .description('run again what a token or a file of run --save names, and say whether it is the same')
    .argument('<run>', 'a token (XS1-…), or the path of a file')
    .option('--report <file>', 'write a page that shows the run')
    .option('--json', 'one JSON object for programs')
    .option('--daemon <path>', 'where the daemon is that served it, if not where it was')
    .action(async (run, options) =>
      done(await orUnusable(() => replayCommand(run, { ...options, stack: hasStack() }))),
    );
  program
    .command('shrink')
    .description('make a failing run as small as it goes, tell it in sentences, and say what it fails by')
    .argument('<run>', 'a token (XS1-…), or the path of a file of run --save')
    .option('--jobs <n>', 'threads (default: one for each core)', positive)
    .option('--test <file>', 'write a vitest file that fails as the run does')
    .option('--report <file>', 'write a page that shows what the run was made')
    .option('--json', 'one JSON object for programs')
    .option('--daemon <path>', 'where the daemon is that served it, if not where it was')
    .action(async (run, options) => done(await orUnusable(() => shrinkCommand(run, options))));
  program
    .command('show')
    .description(
      'look into a run: what there is at any moment of it, and what happened; moments are seq numbers, as messages have them',
    )
    .argument('<run>', 'a token (XS1-…), or the path of a file of run --save')
    .option('--host <name>', 'on which host of several: each has numbers of its own')
    .option('--at <seq>', 'everything that there is on the host just after it', seqNumber)
    .option('--around <seq>', 'what happened before and after it', seqNumber)
    .option('--conn <name>', 'only of this connection or program: domU3, dom0/xenopsd, domU3/worker0')
    .option('--path <path>', 'only of this node, those below it, and watches on it')
    .option('--update <n>', 'what a live update met, and what happened in it', positive)
    .option('--diff <a..b>', 'what came, went and changed between two moments', (value) => {
      const { from, to } = range(value);
      return [from, to];
    })
    .option('--unanswered', 'requests to which no reply has come')
    .option('--daemon <path>', 'where the daemon is that served it, if not where it was')
    .action(async (run, options) => done(await orUnusable(() => showCommand(run, options))));
  program
    .command('verify')
    .description('run a scenario in two processes, as unlike as can be, and name the first event that differs')
    .argument('[scenario]', 'name of the scenario, a token, or a file of run --save', SCENARIOS[0]?.name)
    .option('--seed <n>', 'decimal digits', digits, '1')
    .option('--format <name>', `${FORMAT} (default: v2, or that of the daemon)`)
    .option('--set <key=value>', 'change a setting (repeatable)', collect, [])
    .option('--daemon <path>', 'a C xenstored or an oxenstored that serves in place of ours')
    .option(
      '--daemon-next <path>',
      "what its live updates execute; ours: this package's own (default: the daemon itself)",
    )
    .option('--all', 'with what the daemon is known to break on')
    .action(async (name, options) => done(await orUnusable(() => verifyCommand(name, options))));
  program
    .command('serve')
    .description('serve the store on a unix socket; SIGTERM or SIGINT ends it, SIGHUP opens its log file anew')
    .requiredOption('--socket <path>', 'path of the socket')
    .addOption(
      new Option('--mode <octal>', "permissions of the socket's file: whoever connects is privileged")
        .argParser(fileMode)
        .default(0o600, '600'),
    )
    .option('--compat <version>', 'whose behaviour', oneOf(['4.22', '4.17']), '4.22')
    .action(async (options) => done(await serveCommand(options)));
  program
    .command('takeover')
    .description('go on as the successor of a daemon that executes this in a live update')
    .argument('[args...]', "the daemon's own arguments, after --; without effect")
    .option('--state <file>', 'the state that it has written', stateFile())
    .option('--compat <version>', 'whose behaviour (default: by the version of the state)', oneOf(['4.22', '4.17']))
    .action(async (args, options) => done(await takeoverCommand(args, options)));
  program
    .command('drive')
    .description('run a traffic script; prints JSON Lines')
    .argument('<script>', 'a file of JSON Lines; - is standard input')
    .option('--compat <version>', 'whose behaviour', oneOf(['4.22', '4.17']), '4.22')
    .option('--policy <name>', 'what updates do about open transactions', oneOf(['daemon', 'carry']), 'daemon')
    .option('--live-update-every <k>', 'update silently after every k actions', positive)
    .option('--format <name>', 'format of those updates, or a module (default: the newest that the version knows)')
    .option('--seed <n>', 'decimal digits', digits, '1')
    .action(async (script, options) => done(await orUnusable(() => driveCommand(script, options))));
  program
    .command('exhaust')
    .description(
      'put one live update, one death, one cut at every place of a script, or one live update at every step of a scenario',
    )
    .argument('<script>', 'a file of JSON Lines, - is standard input; or a scenario')
    .option('--what <kinds>', `for a script: of ${EXHAUST_KINDS.join(', ')}`, kinds, EXHAUST_KINDS)
    .option('--compat <version>', 'for a script: whose behaviour', oneOf(['4.22', '4.17']), '4.22')
    .option(
      '--policy <name>',
      'for a script: what updates do about open transactions',
      oneOf(['daemon', 'carry']),
      'carry',
    )
    .option('--set <key=value>', 'for a scenario: change one of its settings (repeatable)', collect, [])
    .option('--jobs <n>', 'for a scenario: threads (default: one for each core)', positive)
    .option('--format <name>', 'format of the updates, or a module (default: the newest that the version knows)')
    .option('--seed <n>', 'decimal digits', digits, '1')
    .option('--json', 'for programs')
    .action(async (word, options) =>
      done(
        await orUnusable(() =>
          isScenario(word) ? exhaustScenarioCommand(word, options) : exhaustCommand(word, options),
        ),
      ),
    );
  program
    .command('conform')
    .description('compare the store with a real daemon, on seeded scripts or in a scenario')
    .requiredOption('--daemon <path>', 'a C xenstored or an oxenstored')
    .addOption(seeds('1..50'))
    .option('--compat <version>', 'whose behaviour', oneOf(['4.22', '4.17']), '4.17')
    .option('--actions <n>', 'actions in each script', positive, 300)
    .option('--live-updates', 'with live updates in the scripts')
    .option('--live-update-every <k>', 'on both sides, silently after so many actions', positive, 0)
    .option('--all', 'with what the daemon is known to break on')
    .option(
      '--scenario <name>',
      'in place of scripts: what its guests saw of the daemon, beside what ours says to the same requests',
    )
    .option('--set <key=value>', 'change a setting of that scenario (repeatable)', collect, [])
    .action(async (options) =>
      done(
        await orUnusable(() =>
          options.scenario === undefined ? conformCommand(options) : conformScenarioCommand(options),
        ),
      ),
    );
  program
    .command('matrix')
    .description('say what each image format loses, predicted beside observed')
    .option(
      '--format <name>',
      'a format, or the path of a module that exports one (repeatable; default: all)',
      collect,
      [],
    )
    .option('--migration', 'of a guest that is moved to another host without its help')
    .option('--breaks', 'of a migration in place of formats: its link or a process breaks, at each place where it can')
    .option('--out <file>', 'write the page there, too')
    .option('--json', 'for programs')
    .action(async (options) =>
      done(await orUnusable(async () => (options.breaks ? breaksCommand(options) : matrixCommand(options)))),
    );
  addScriptCommands(program, done);
  addImageCommands(program, done);
  addBugCommands(program, done);
  group(program);

  try {
    await program.parseAsync(argv as string[]);
  } catch (error) {
    if (error instanceof Restarted) return error.exitCode;
    if (error instanceof Unusable) return complain(error.message);
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.pass : EXIT.error;
    const { message, stack = message } = error instanceof Error ? error : new Error(String(error));
    say(`${hasStack() ? stack : `${message} (--stack tells where)`}`);
    return EXIT.error;
  }
  return code;
}

function digits(value: string): string {
  if (!/^(0|[1-9][0-9]{0,17})$/.test(value)) throw new InvalidArgumentError('decimal digits without a leading zero.');
  return value;
}

function fileMode(value: string): number {
  if (!/^0?[0-7]{3}$/.test(value)) throw new InvalidArgumentError('three octal digits.');
  return Number.parseInt(value, 8);
}

function positive(value: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(value)) throw new InvalidArgumentError('a whole number from 1.');
  return Number(value);
}

function seqNumber(value: string): number {
  if (!/^[0-9]{1,9}$/.test(value)) throw new InvalidArgumentError('a number of the history, as messages have it.');
  return Number(value);
}

function patience(): Option {
  return new Option('--patience <seconds>', 'how long a worker of a fleet may be silent before others have its runs')
    .argParser(positive)
    .default(30);
}

function seeds(initial: string): Option {
  return new Option('--seeds <a..b>', 'first and last seed').argParser(range).default(range(initial), initial);
}

function range(value: string): { from: number; to: number } {
  const m = /^([0-9]{1,9})\.\.([0-9]{1,9})$/.exec(value);
  if (m === null || Number(m[1]) > Number(m[2])) throw new InvalidArgumentError('two numbers, as 1..200.');
  return { from: Number(m[1]), to: Number(m[2]) };
}

function oneOf(words: readonly string[]): (value: string) => string {
  return (value) => {
    if (!words.includes(value)) throw new InvalidArgumentError(`one of ${words.join(', ')}.`);
    return value;
  };
}

function kinds(value: string): readonly string[] {
  const words = value.split(',');
  for (const word of words) oneOf(EXHAUST_KINDS)(word);
  return words;
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
