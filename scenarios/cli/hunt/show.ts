import type { RunResult } from '../../engine/scenario.ts';
import { differenceOf, type Moment } from '../../hunt/look/moment.ts';
import { momentsOf } from '../../hunt/look/moments.ts';
import { names, touches, unanswered } from '../../hunt/look/questions.ts';
import type { History, HistoryRecord } from '../../judge/history.ts';
import { violationsOf } from '../../report/cause.ts';
import { historiesOf } from '../../report/histories.ts';
import { recordText } from '../../report/text.ts';
import { ownCommand } from '../command.ts';
import { meant, Unusable } from '../image/io.ts';
import { loader } from '../loader.ts';
import { print } from '../terminal/output.ts';
import { namedRun } from './ticket.ts';

interface ShowOptions {
  readonly host?: string;
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

/** One of the run's hosts, and what its history is called in messages. */
interface Shown {
  /** '' where there is only one. */
  readonly name: string;
  readonly history: History;
  /** What there was just after each of the records that were asked for. */
  readonly moments: readonly Moment[];
  /** The same of another record, in one more run. */
  readonly momentAt: (seq: number) => Moment | undefined;
}

/**
 * Look into a run: what there is at a moment, what happened around it, what of a connection or a path, what an update met. Moments
 * are numbers of the history's records, of which each host has one. Errors: Unusable.
 */
export async function showCommand(word: string, options: ShowOptions): Promise<number> {
  const { ticket } = await namedRun(word, options.daemon);
  const runner = await loader()(ticket.spec);
  const { at, around, conn, path, update, diff } = options;
  const { result, moments } = momentsOf(runner, ticket.spec, diff ?? (at === undefined ? [] : [at]));
  const recorded = historiesOf(result);
  if (recorded.length === 0) throw new Unusable(`the run has no history: ${result.failure?.what ?? result.reason}`);
  const hosts = recorded.map(
    ({ name, history }, i): Shown => ({
      name,
      history,
      moments: moments[i] ?? [],
      momentAt: (seq) => momentsOf(runner, ticket.spec, [seq]).moments[i]?.[0],
    }),
  );
  if (update !== undefined) return showUpdate(theHost(hosts, options, '--update'), update);
  if (diff !== undefined) return showDifference(theHost(hosts, options, '--diff'), diff, options);
  if (around !== undefined) return showAround(theHost(hosts, options, '--around'), around, options);
  if (at !== undefined) return showMoment(theHost(hosts, options, '--at'), at, options);
  const some = options.host === undefined ? hosts : [theHost(hosts, options, '--host')];
  if (options.unanswered === true || conn !== undefined || path !== undefined) return showAll(some, options);
  return summary(result, hosts, word);
}

/** The host that is asked for. Errors: Unusable, there is none of that name, or several and nobody says which. */
function theHost(hosts: readonly Shown[], { host }: ShowOptions, option: string): Shown {
  const [only, ...more] = hosts;
  const called = hosts.map(({ name }) => name);
  if (host !== undefined) {
    const found = hosts.find(({ name }) => name === host);
    if (found !== undefined) return found;
    if (more.length === 0) throw new Unusable(`--host ${host}: the run has one host, which needs no name`);
    throw new Unusable(`--host ${host}: the hosts are ${called.join(', ')}`);
  }
  if (only === undefined || more.length > 0)
    throw new Unusable(`${option}: each host has numbers of its own; say --host ${called.join(' or ')}`);
  return only;
}

/** Errors: Unusable, the history does not get so far. */
function checkSeq({ history, name }: Shown, option: string, ...seqs: readonly number[]): void {
  const last = history.records.length - 1;
  for (const seq of seqs)
    if (seq > last)
      throw new Unusable(
        `${option} ${seq}: the last record of the history${name === '' ? '' : ` of ${name}`} is ${last}`,
      );
}

/** Errors: Unusable, nobody of that name has anything to do with the store on any of these hosts. */
function checkConn(hosts: readonly Shown[], conn: string | undefined): void {
  if (conn === undefined) return;
  const known = [...new Set(hosts.flatMap(({ history }) => [...names(history)]))];
  if (known.includes(conn)) return;
  const domains = known.filter((name) => !name.includes('/'));
  throw new Unusable(
    `--conn ${conn}: nobody of that name asks the store for anything${meant(conn, known)}; there are ${domains.join(', ')}, and ${known.length - domains.length} programs of theirs`,
  );
}

function showMoment(host: Shown, at: number, { conn, path }: ShowOptions): number {
  checkSeq(host, '--at', at);
  const [found] = host.moments;
  if (found === undefined) return 0;
  print(`${moment(host, found)}\n`);
  for (const [name, what] of found.things) if (isAbout(conn, path)(`${name}: ${what}`)) print(`  ${name}: ${what}\n`);
  return 0;
}

function showDifference(host: Shown, diff: readonly [number, number], { conn, path }: ShowOptions): number {
  checkSeq(host, '--diff', ...diff);
  const [a, b] = host.moments as readonly [Moment, Moment];
  print(`${moment(host, a)}  ->  ${moment(host, b)}\n`);
  for (const line of differenceOf(a, b).filter(isAbout(conn, path))) print(`  ${line}\n`);
  return 0;
}

function showAround(host: Shown, around: number, about: ShowOptions): number {
  checkSeq(host, '--around', around);
  checkConn([host], about.conn);
  const near = host.history.records.slice(Math.max(0, around - AROUND), around + AROUND + 1);
  tell(
    host,
    near.filter((record) => touches(host.history, record, about)),
    around,
  );
  return 0;
}

/** Of a whole run what has to do with somebody or something, or has no answer. */
function showAll(hosts: readonly Shown[], about: ShowOptions): number {
  checkConn(hosts, about.conn);
  for (const host of hosts) {
    const { records } = host.history;
    const some = about.unanswered === true ? unanswered(records) : records;
    const told = some.filter((record) => touches(host.history, record, about));
    if (host.name !== '') print(`${host.name}\n`);
    if (told.every(({ kind }) => kind === 'liveUpdate'))
      print(`  nothing${about.unanswered === true ? ' unanswered' : ''}\n`);
    else tell(host, told, undefined);
  }
  return 0;
}

function tell({ history }: Shown, records: readonly HistoryRecord[], marked: number | undefined): void {
  for (const record of records)
    print(`${record.seq === marked ? '>' : ' '} ${String(record.seq).padStart(8)}  ${recordText(history, record)}\n`);
}

/** What an update met: the moment before its image, and what happened until the successor served. */
function showUpdate(host: Shown, n: number): number {
  const { records } = host.history;
  const of = records.filter((record) => record.kind === 'liveUpdate' && record.n === n);
  const [first] = of;
  const last = of.at(-1);
  if (first === undefined || last === undefined) {
    const took = new Set(records.flatMap((record) => (record.kind === 'liveUpdate' ? [record.n] : [])));
    throw new Unusable(
      `--update ${n}: the run has ${took.size} live updates${host.name === '' ? '' : ` on ${host.name}`}`,
    );
  }
  const before = host.momentAt(Math.max(0, first.seq - 1));
  if (before !== undefined) {
    print(`${moment(host, before)}, before the image\n`);
    for (const [name, what] of before.things)
      if (/^(?:ring|connection|transaction) /.test(name) && !/: (?:empty|nothing)/.test(`: ${what}`))
        print(`  ${name}: ${what}\n`);
  }
  tell(host, records.slice(first.seq, last.seq + AROUND), undefined);
  return 0;
}

/** Where one may look. */
function summary(result: RunResult, hosts: readonly Shown[], word: string): number {
  const sizes = hosts.map(
    ({ name, history }) => `${history.records.length} records in the history${name === '' ? '' : ` of ${name}`}`,
  );
  print(
    `${result.scenario} seed ${result.seed}: ${result.outcome}, ${sizes.join(', ')}, ${result.updates.length} live updates\n`,
  );
  const command = `${ownCommand()} show ${word}`;
  const on = (name: string | undefined) => (name === undefined || name === '' ? '' : ` --host ${name}`);
  for (const { seq, detail, host } of violationsOf(result).slice(0, 5)) {
    print(`  ${detail}\n`);
    if (hosts.length === 1 || host !== undefined)
      print(`    ${command}${on(host === undefined ? undefined : hosts[host]?.name)} --around ${seq}\n`);
  }
  for (const { n, host } of result.updates)
    print(`  live update #${n}${host === undefined ? '' : ` of ${host}`}: ${command}${on(host)} --update ${n}\n`);
  return 0;
}

function moment({ name }: Shown, { seq, timeNs }: Moment): string {
  return `${name === '' ? '' : `${name}, `}after seq ${seq - 1}, at ${timeNs} ns`;
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
