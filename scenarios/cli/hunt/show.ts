import type { RunResult } from '../../engine/scenario.ts';
import { differenceOf, type Moment } from '../../hunt/look/moment.ts';
import { momentsOf } from '../../hunt/look/moments.ts';
import { touches, unanswered } from '../../hunt/look/questions.ts';
import type { HistoryRecord } from '../../judge/history.ts';
import { recordText } from '../../report/text.ts';
import { ownCommand } from '../command.ts';
import { Unusable } from '../image/io.ts';
import { loader } from '../loader.ts';
import { print } from '../terminal/output.ts';
import { namedRun } from './ticket.ts';

interface ShowOptions {
  readonly at?: number;
  readonly around?: number;
  readonly conn?: string;
  readonly path?: string;
  readonly update?: number;
  readonly diff?: readonly [number, number];
  readonly unanswered?: true;
  readonly daemon?: string;
}

/** Records that are shown on each side of one. */
const AROUND = 10;

/**
 * Look into a run: what there is at a moment, what happened around it, what of a connection or a path, what an update met. Moments
 * are numbers of the history's records. Errors: Unusable.
 */
export async function showCommand(word: string, options: ShowOptions): Promise<number> {
  const { ticket } = await namedRun(word, options.daemon);
  const runner = await loader()(ticket.spec);
  const { at, around, conn, path, update, diff } = options;
  const look = (...seqs: readonly number[]) => momentsOf(runner, ticket.spec, seqs);
  if (diff !== undefined) {
    const { moments } = look(...diff);
    const [a, b] = moments as readonly [Moment, Moment];
    print(`${moment(a)}  ->  ${moment(b)}\n`);
    for (const line of differenceOf(a, b).filter(isAbout(conn, path))) print(`  ${line}\n`);
    return 0;
  }
  const seq = at ?? around;
  const { result, moments } = look(...(seq === undefined ? [] : [seq]));
  const records = result.history?.records ?? [];
  if (update !== undefined) return showUpdate(result, update, look);
  if (around !== undefined || (seq === undefined && (conn ?? path) !== undefined)) {
    const near = around === undefined ? records : records.slice(Math.max(0, around - AROUND), around + AROUND + 1);
    tell(
      result,
      near.filter((record) => touches(result, record, { conn, path })),
      around,
    );
    return 0;
  }
  if (options.unanswered) {
    tell(
      result,
      unanswered(records).filter((record) => touches(result, record, { conn, path })),
      undefined,
    );
    return 0;
  }
  const [found] = moments;
  if (found === undefined) return summary(result, word);
  print(`${moment(found)}\n`);
  for (const [name, what] of found.things) if (isAbout(conn, path)(`${name}: ${what}`)) print(`  ${name}: ${what}\n`);
  return 0;
}

function tell(result: RunResult, records: readonly HistoryRecord[], marked: number | undefined): void {
  for (const record of records)
    print(
      `${record.seq === marked ? '>' : ' '} ${String(record.seq).padStart(8)}  ${recordText(result.history, record)}\n`,
    );
}

/** What an update met: the moment before its image, and what happened until the successor served. */
function showUpdate(
  result: RunResult,
  n: number,
  look: (seq: number) => { readonly moments: readonly Moment[] },
): number {
  const records = result.history?.records ?? [];
  const of = records.filter((record) => record.kind === 'liveUpdate' && record.n === n);
  const [first] = of;
  const last = of.at(-1);
  if (first === undefined || last === undefined)
    throw new Unusable(`--update ${n}: the run has ${result.updates.length} live updates`);
  const before = look(Math.max(0, first.seq - 1)).moments[0];
  if (before !== undefined) {
    print(`${moment(before)}, before the image\n`);
    for (const [name, what] of before.things)
      if (/^(?:ring|connection|transaction) /.test(name) && !/: (?:empty|nothing)/.test(`: ${what}`))
        print(`  ${name}: ${what}\n`);
  }
  tell(result, records.slice(first.seq, last.seq + AROUND), undefined);
  return 0;
}

/** Where one may look. */
function summary(result: RunResult, word: string): number {
  const records = result.history?.records ?? [];
  print(
    `${result.scenario} seed ${result.seed}: ${result.outcome}, ${records.length} records in the history, ${result.updates.length} live updates\n`,
  );
  const command = `${ownCommand()} show ${word}`;
  for (const { seq, detail } of result.verdicts.flatMap(({ violations }) => violations).slice(0, 5))
    print(`  ${detail}\n    ${command} --around ${seq}\n`);
  for (const { n } of result.updates) print(`  live update #${n}: ${command} --update ${n}\n`);
  return 0;
}

function moment({ seq, timeNs }: Moment): string {
  return `after seq ${seq - 1}, at ${timeNs} ns`;
}

/** Whether a line is about this connection, or this path: the node, what is below it, and watches on it. */
function isAbout(conn: string | undefined, path: string | undefined): (line: string) => boolean {
  return (line) => {
    if (
      conn !== undefined &&
      !new RegExp(`(?:^|[ /])${conn.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?:[ /:]|$)`).test(line)
    )
      return false;
    return path === undefined || line.includes(path);
  };
}
