import { FAULT_TAKERS, SCENARIOS } from '../catalogue/index.ts';
import type { RunOutcome } from '../engine/scenario.ts';
import type { SettingSpecs } from '../engine/settings.ts';
import { FAULT_RULES } from '../faults/catalogue.ts';
import { EventLog, type LoggedEvent } from '../hunt/event-log.ts';
import { runOn } from '../real/lockstep/run-on.ts';
import { jsonReport } from '../report/json.ts';
import { planText, textReport } from '../report/text.ts';
import { ownCommand } from './command.ts';
import { daemonOf, formatFor, prepareFor } from './daemon.ts';
import { writeRunFile } from './hunt/run-file.ts';
import { ticketFor, tokenFor } from './hunt/ticket.ts';
import { Unusable } from './image/io.ts';
import { labOf } from './lab-of.ts';
import { hostsOf, prepare } from './prepare.ts';
import { Progress } from './progress.ts';
import { writeReport } from './report-file.ts';
import { print, printInColour, printJsonText } from './terminal/output.ts';
import { TraceFile } from './trace-file.ts';

/** Exit codes of a run. */
export const EXIT_OF: Readonly<Record<RunOutcome, number>> = { pass: 0, violation: 1, error: 2, stuck: 3, unknown: 3 };

interface ListOptions {
  readonly json?: true;
  readonly faults?: true;
}

/** Name scenarios, with their settings. `names`: of some, or paths of modules; none: the whole catalogue. Errors: Unusable. */
export async function listCommand(names: readonly string[], options: ListOptions): Promise<number> {
  if (options.faults) {
    if (names.length > 0) throw new Unusable('--faults names the faults, and no scenario');
    return listFaults(options.json === true);
  }
  const named = await Promise.all(names.map((name) => prepare(name, [])));
  const scenarios = names.length === 0 ? SCENARIOS : named.map(({ scenario }) => scenario);
  if (options.json) {
    const listed = scenarios.map(({ name, story, worry, settings }) => ({
      name,
      story,
      worry,
      settings: rangesOf(settings),
    }));
    printJsonText(`${JSON.stringify(listed, null, 2)}\n`);
    return 0;
  }
  for (const { name, story, worry, settings } of scenarios) {
    print(`${name}\n  ${story}\n${worry === undefined ? '' : `  Worry: ${worry}\n`}`);
    for (const [key, spec] of Object.entries(settings)) {
      const words = 'told' in spec ? spec.told : 'words' in spec ? spec.words.join(', ') : `${spec.min} to ${spec.max}`;
      print(`    ${`${key}=${spec.default}`.padEnd(18)} ${spec.meaning} (${words})\n`);
    }
  }
  return 0;
}

function listFaults(isJson: boolean): number {
  const faults = FAULT_RULES.map(({ id, what, mustHold }) => ({ id, what, mustHold, scenarios: hostsOf(id) }));
  if (isJson) printJsonText(`${JSON.stringify(faults, null, 2)}\n`);
  else
    for (const { id, what, mustHold, scenarios } of faults)
      print(
        `${id.padEnd(8)} ${what}; holds: ${mustHold}; in ${scenarios.length === FAULT_TAKERS.length ? 'every scenario' : scenarios.join(', ')}\n`,
      );
  return 0;
}

function rangesOf(settings: SettingSpecs): object {
  const entries = Object.entries(settings).map(([key, spec]) => {
    const { default: initial, meaning } = spec;
    if ('items' in spec) return [key, { default: initial, meaning, words: spec.items }];
    if ('words' in spec) return [key, { default: initial, meaning, words: spec.words }];
    return [key, { default: initial, meaning, min: spec.min, max: spec.max }];
  });
  return Object.fromEntries(entries);
}

interface RunOptions {
  readonly seed: string;
  readonly format?: string;
  readonly daemon?: string;
  readonly daemonNext?: string;
  readonly all?: true;
  readonly set: readonly string[];
  readonly trace?: string;
  readonly save?: string;
  readonly report?: string;
  readonly json?: true;
  readonly stack: boolean;
  readonly commands: readonly string[];
}

const ALL = { from: 0, to: Number.POSITIVE_INFINITY };

export async function runCommand(name: string, options: RunOptions): Promise<number> {
  const daemon = daemonOf(options);
  const { scenario, settings } = await prepareFor(daemon, name, options.set, options.commands);
  const format = formatFor(daemon, options.format);
  const lab = await labOf(format);
  const trace = options.trace === undefined ? undefined : new TraceFile(options.trace);
  const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  const command = ownCommand();
  const progress = new Progress();
  const events: LoggedEvent[] = [];
  const log = options.save === undefined ? undefined : new EventLog(ALL, (event) => events.push(event));
  const result = runOn(daemon, scenario, {
    ...log?.extras,
    seed: options.seed,
    format,
    settings,
    lab,
    checks: true,
    looked: ({ virtualNs, requests }) =>
      progress.at(() => `${name}: ${Math.floor(virtualNs / 1_000_000)} virtual ms, ${requests} requests`),
    ...(options.json ? {} : { planned: (faults) => printInColour(planText(faults, { colour })) }),
    ...trace?.extras,
  });
  progress.clear();
  trace?.close(result);
  log?.end(result.digest);
  const token = tokenFor(result);
  if (options.save !== undefined) writeRunFile(options.save, { ticket: ticketFor(result), events });
  if (options.report !== undefined) writeReport(options.report, result, { token });
  const dress = { colour, command, stack: options.stack, token };
  if (options.json) printJsonText(jsonReport(result, command, { token }));
  else printInColour(textReport(result, dress));
  return EXIT_OF[result.outcome];
}
