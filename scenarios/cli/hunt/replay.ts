import { SCENARIOS } from '../../catalogue/index.ts';
import type { RunResult } from '../../engine/scenario.ts';
import { Comparison, type Divergence, divergenceText } from '../../hunt/divergence.ts';
import { EventLog } from '../../hunt/event-log.ts';
import { formatToken, type Ticket } from '../../hunt/token.ts';
import { jsonReport } from '../../report/json.ts';
import { textReport } from '../../report/text.ts';
import { ownCommand } from '../command.ts';
import { loader } from '../loader.ts';
import { writeReport } from '../report-file.ts';
import { EXIT_OF } from '../run.ts';
import { print, printInColour, printJsonText } from '../terminal/output.ts';
import { namedRun } from './ticket.ts';

/** The run is not what it was. */
const CHANGED = 4;

interface ReplayOptions {
  readonly daemon?: string;
  readonly json?: true;
  readonly report?: string;
  readonly stack: boolean;
}

/** Run what a token or a file of `run --save` names, and say whether it is the same. Errors: Unusable. */
export async function replayCommand(word: string, { daemon, json, report, stack }: ReplayOptions): Promise<number> {
  const { ticket, file, isOther } = await namedRun(word, daemon);
  const runner = await loader()(ticket.spec);
  const comparison = file === undefined ? undefined : new Comparison(file.events);
  const log = comparison && new EventLog({ from: 0, to: Number.POSITIVE_INFINITY }, (event) => comparison.add(event));
  const result = runner(ticket.spec, log?.extras);
  log?.end(result.digest);
  const isSame = result.digest === ticket.digest && result.traceEvents === ticket.events;
  const token = formatToken({ ...ticket, digest: result.digest, events: result.traceEvents }, SCENARIOS);
  const command = ownCommand();
  if (report !== undefined) writeReport(report, result, { token });
  if (json) printJsonText(jsonReport(result, command, { token, isReproduced: isSame }));
  else {
    const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
    printInColour(textReport(result, { colour, command, stack, token }));
    print(isSame ? sameText(result) : changedText(ticket, result, isOther, comparison?.result(), word));
  }
  return isSame ? EXIT_OF[result.outcome] : CHANGED;
}

function sameText({ digest }: RunResult): string {
  return `  reproduced, same digest ${digest}\n`;
}

function changedText(
  was: Ticket,
  is: RunResult,
  isOther: string | undefined,
  parted: Divergence | undefined,
  word: string,
): string {
  const why = isOther ?? `the code has changed since ${was.version}`;
  const head = `  not reproduced: ${why}: digest ${is.digest} over ${is.traceEvents} events in place of ${was.digest} over ${was.events}\n`;
  if (parted !== undefined) return head + divergenceText(parted, [word, 'now']);
  return `${head}  a token has no events: a file that run --save wrote then would name the first one that differs\n`;
}
