import { type DriveOptions, Driver, type Meanwhile } from '../drive.ts';
import { type Action, compareNames, formatAction } from '../script.ts';

/** What a script came to. */
export interface Outcome {
  /** The lines of each of its actions. */
  readonly lines: readonly (readonly string[])[];
  /** Steps that each took. */
  readonly steps: readonly number[];
  /** Answers to live updates that came into it: `ok`, or the reason of a refusal. */
  readonly updates: readonly string[];
  readonly disappointments: readonly string[];
}

/** One action of a script, and what comes into it. */
export interface Interruption extends Meanwhile {
  readonly into: number;
}

/** Run a script from the beginning, on a host of its own. */
export function outcomeOf(options: DriveOptions, script: readonly Action[], interruption?: Interruption): Outcome {
  const driver = new Driver(options);
  const lines: string[][] = [];
  const steps: number[] = [];
  const updates: string[] = [];
  for (const [i, action] of script.entries()) {
    const before = driver.steps;
    const printed = driver.perform(action, interruption?.into === i ? interruption : undefined);
    steps.push(driver.steps - before);
    const isOwn = (line: string) => action.kind === 'liveUpdate' && line === printed[0];
    const answers = printed.filter((line) => line.startsWith('{"liveUpdate"') && !isOwn(line));
    for (const answer of answers) {
      const { liveUpdate, reason } = JSON.parse(answer) as { liveUpdate: string; reason?: string };
      updates.push(reason ?? liveUpdate);
    }
    lines.push(printed.filter((line) => !answers.includes(line)).map(masked));
  }
  return { lines, steps, updates, disappointments: driver.disappointments };
}

/** What may differ between two sound runs is the same in all: ids of transactions, and the generation that DIRECTORY_PART tells. */
function masked(line: string): string {
  if (line.includes('"reply": "DIRECTORY_PART"')) return line.replace(/("payload": ")\d+/, '$1<generation>');
  if (line.includes('"reply": "TRANSACTION_START"')) return line.replace(/("payload": ")\d+/, '$1<id>');
  return line;
}

/** Where two outcomes part, in words; `undefined`: they are the same, line by line. */
export function differingLine(script: readonly Action[], want: Outcome, got: Outcome): string | undefined {
  for (const [i, action] of script.entries()) {
    const [wanted, came] = [want.lines[i] ?? [], got.lines[i] ?? []];
    if (wanted.join('\n') === came.join('\n')) continue;
    return `${formatAction(action)}: ${listed(wanted)} without it, ${listed(came)} with it`;
  }
  return undefined;
}

/**
 * What each connection got over a whole run: replies in their order, and events in theirs. When each came is not looked at, nor
 * how often the same event came in a row: a store merges those that wait.
 */
export class Gotten {
  readonly #of = new Map<
    string,
    { readonly replies: string[]; readonly events: string[]; readonly others: string[] }
  >();

  /** `without`: a connection that is not looked at. */
  constructor({ lines }: Outcome, without?: string) {
    for (const text of lines.flat()) {
      const line = JSON.parse(text) as Readonly<Record<string, unknown>>;
      const { on } = line;
      if (typeof on !== 'string' || on === without || 'sent' in line || 'gone' in line) continue;
      const one = this.#of.get(on) ?? { replies: [], events: [], others: [] };
      this.#of.set(on, one);
      if ('event' in line) {
        if (one.events.at(-1) !== text) one.events.push(text);
      } else (('reply' in line ? one.replies : one.others) as string[]).push(text);
    }
  }

  /** How another run differs from this one, in words; `undefined`: in nothing. */
  difference(other: Gotten): string | undefined {
    for (const name of [...new Set([...this.#of.keys(), ...other.#of.keys()])].sort(compareNames)) {
      const [a, b] = [this.#of.get(name), other.#of.get(name)];
      for (const what of ['replies', 'events', 'others'] as const) {
        const [wanted, came] = [a?.[what] ?? [], b?.[what] ?? []];
        const at = wanted.findIndex((line, i) => line !== came[i]);
        if (at < 0 && wanted.length === came.length) continue;
        const i = at < 0 ? wanted.length : at;
        return `of ${name}, ${what === 'others' ? 'line' : what} ${i + 1}: ${wanted[i] ?? 'none'} without it, ${came[i] ?? 'none'} with it`;
      }
    }
    return undefined;
  }
}

function listed(lines: readonly string[]): string {
  return lines.length === 0 ? 'nothing' : lines.join(', ');
}
