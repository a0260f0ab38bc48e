import { opName } from '../../store/protocol/wire.ts';
import type { DaemonNamed, MarksSeen, RunResult, UpdateAttempt, UpdateReport } from '../engine/scenario.ts';
import { showOctets } from '../engine/show.ts';
import type { Wait } from '../engine/wait.ts';
import type { Failure } from '../engine/witness.ts';
import type { PlannedFault } from '../faults/rule.ts';

import type { History, HistoryRecord, KnownDefect, Violation } from '../judge/history.ts';
import { MARKS, type MarkName } from '../judge/marks.ts';
import { logOf } from '../judge/recorded-history.ts';

import { type Alike, alike, causedAt, violationsOf } from './cause.ts';
import { eventText } from './events.ts';
import { historyOf } from './histories.ts';
import { migrationTable } from './migrations.ts';

/** Select Graphic Rendition: what begins each, and what ends it. Source: ECMA-48, 8.3.117. */
const STYLES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;
type Style = keyof typeof STYLES;

/** How the report is dressed; colours only where a terminal shows them. */
export interface Dress {
  readonly colour: boolean;
  /** How this program is called by who reads it; left out: by its name. */
  readonly command?: string;
  /** Whether the stack of an error is shown. */
  readonly stack?: boolean;
  /** The run in one word, for `replay`. */
  readonly token?: string;
}

function painter(dress: Dress): (style: Style, s: string) => string {
  return (style, s) => {
    const [begin, end] = STYLES[style];
    return dress.colour ? `\x1b[${begin}m${s}\x1b[${end}m` : s;
  };
}

/** A run as people read it: what happened, per update what it interrupted, per checker how much it checked. */
export function textReport(result: RunResult, dress: Dress): string {
  const paint = painter(dress);
  const lines: string[] = [];
  const { seed, format } = result;
  lines.push(`${paint('bold', result.scenario)}  seed ${seed}  format ${format}  ${settingsText(result)}`);
  lines.push('');
  lines.push(
    `  ${n(result.requests)} requests, ${n(result.replies)} replies and ${n(result.watchEvents)} watch events through rings and sockets; ` +
      `${n(result.domainsCreated)} domains created, ${n(result.domainsDestroyed)} destroyed`,
  );
  lines.push(
    `  ${n(result.commits)} transactions committed, ${n(result.conflicts)} refused with EAGAIN; ` +
      `${ms(result.virtualNs)} virtual ms in ${n(result.steps)} steps`,
  );
  if (result.refusals.length > 0)
    lines.push(`  refused: ${result.refusals.map(([errno, count]) => `${errno} ${n(count)}`).join(', ')}`);
  if (result.devices !== undefined)
    lines.push(`  devices: ${result.devices.map(([what, count]) => `${n(count)} ${what}`).join(', ')}`);
  if (result.faults !== undefined)
    lines.push(`  faults: ${result.faults.map((f) => `${f.id} ${n(f.injected)}`).join(', ') || 'none'}`);
  lines.push('');
  if (result.migrations !== undefined && result.migrations.length > 0)
    lines.push(...migrationTable(result.migrations, { count: n, ms, bold: (s) => paint('bold', s) }), '');
  lines.push(...updateTable(result, paint));
  for (const { n: update, lossCounts } of result.updates)
    if (lossCounts.length > 0) lines.push(`  #${update} lost: ${lossesText(lossCounts)}`);
  lines.push('');
  if (result.marks !== undefined) {
    const told = marksText(result.marks);
    if (told.length > 0) lines.push(paint('bold', '  what happened'), ...told, '');
  }
  if (result.verdicts.length > 0) {
    lines.push(paint('bold', '  checks, from the history of what guests put in and got out'));
    for (const verdict of result.verdicts) {
      const bad = verdict.violations.length;
      const mark = bad === 0 ? paint('green', 'held') : paint('red', `${bad} BROKEN`);
      const amounts = verdict.checked.map(([what, count]) => `${n(count)} ${what}`).join(', ');
      lines.push(`    ${verdict.invariant.padEnd(14)} ${mark}  ${paint('dim', amounts)}`);
    }
    lines.push('');
  }
  for (const verdict of result.verdicts)
    for (const one of alike(verdict.violations).slice(0, SHOWN_MAX))
      lines.push(...violationText(result, one, paint), '');
  for (const { known = [] } of result.verdicts) for (const defect of known) lines.push(...knownText(defect, paint), '');
  if (result.death !== undefined)
    lines.push(paint('bold', '  the end of the daemon'), ...result.death.lines.map((line) => `    ${line}`), '');
  if (result.failure !== undefined) lines.push(...failureText(result.failure, dress, paint), '');
  if (result.waits !== undefined) lines.push(...waitsText(result, result.waits, paint), '');
  const { lastFault } = result;
  if (lastFault !== undefined)
    lines.push(`  the last fault: ${lastFault.id} at ${ms(lastFault.timeNs)} virtual ms: ${lastFault.detail}`, '');
  const verdictWord = result.outcome === 'pass' ? paint('green', 'pass') : paint('red', result.outcome);
  lines.push(`  ${verdictWord}  trace digest ${result.digest} over ${n(result.traceEvents)} events  seed ${seed}`);
  if (result.reason !== '') lines.push(`  ${result.reason}`);
  if (result.outcome !== 'pass') {
    lines.push(`  replay: ${replayLine(result, dress.command, dress.token)}`);
    if (dress.token !== undefined && dress.token !== '')
      lines.push(...wayIn(result, dress.command ?? 'xenarium', dress.token));
  }
  return `${lines.join('\n')}\n`;
}

/** The run in a word, and the command that shows what the first message is about. */
function wayIn(result: RunResult, command: string, token: string): string[] {
  const [first] = violationsOf(result);
  const named = result.cuts === undefined ? [`  token: ${token}`] : [];
  const { hosts } = result;
  // Of all hosts together there is no one order of records: then the summary says where to look.
  if (hosts !== undefined && first?.host === undefined) return [...named, `  look into it: ${command} show ${token}`];
  const history = first === undefined ? result.history : historyOf(result, first);
  const seq = first === undefined ? history && logOf(history).at(-1)?.seq : (causedAt(first) ?? first.seq);
  const host = first?.host === undefined ? '' : ` --host ${hosts?.[first.host]?.name}`;
  return seq === undefined ? named : [...named, `  seq ${seq}: ${command} show ${token}${host} --around ${seq}`];
}

/** The faults of a run, before it: what may happen, how often, and what must hold. */
export function planText(faults: readonly PlannedFault[], dress: Dress): string {
  const paint = painter(dress);
  const lines = faults.map(
    ({ id, what, mustHold, oneIn }) =>
      `  ${id.padEnd(8)} 1 in ${String(oneIn).padEnd(4)} ${what}\n  ${''.padEnd(18)}${paint('dim', `holds: ${mustHold}`)}`,
  );
  return `${paint('bold', 'planned faults')}\n${lines.join('\n')}\n\n`;
}

/** Kinds of violations of one family that a report tells. */
const SHOWN_MAX = 5;

/** A mistake of ours: what, where, when, and what came before it. */
function failureText(failure: Failure, dress: Dress, paint: (style: Style, s: string) => string): string[] {
  const { what, actor, step, timeNs, events, stack } = failure;
  const where = actor === '' ? 'between two steps' : `in a step of ${actor}`;
  const lines = [`  ${paint('red', 'error')} ${where}, step ${n(step)}, at ${ms(timeNs)} virtual ms`, `    ${what}`];
  if (events.length > 0) lines.push(`    the last ${events.length} events before it`);
  for (const event of events) lines.push(paint('dim', `      ${ms(event.timeNs)} ms  ${eventText(event)}`));
  if (dress.stack === true && stack !== '') lines.push(...stack.split('\n').map((line) => `    ${line}`));
  return lines;
}

/** Who waits for what, and for how long now. */
function waitsText(result: RunResult, waits: readonly Wait[], paint: (style: Style, s: string) => string): string[] {
  const since = ({ sinceNs }: Wait) => (sinceNs === undefined ? '' : ` since ${ms(sinceNs)} ms`);
  const said = waits.filter(({ what }) => what !== '');
  const asleep = waits.filter(({ what }) => what === '');
  const lines = [paint('bold', `  who waits, at ${ms(result.virtualNs)} virtual ms`)];
  for (const wait of said) lines.push(`    ${wait.who}${since(wait)}: ${wait.what}`);
  if (asleep.length > 0)
    lines.push(`    asleep, the last first: ${asleep.map((wait) => `${wait.who}${since(wait)}`).join(', ')}`);
  return lines;
}

/** The one line that runs this run again. `command`: how this program is called. Of a run of which something is left out only its
 *  token tells. */
export function replayLine(result: RunResult, command = 'xenarium', token = ''): string {
  return `${command} ${result.cuts === undefined ? replayArguments(result) : `replay ${token}`}`;
}

/** As `replayLine`, from `run` on. */
export function replayArguments(run: Pick<RunResult, 'scenario' | 'seed' | 'format' | 'settings' | 'real'>): string {
  const { scenario, seed, format, settings, real } = run;
  const set = Object.entries(settings).map(([key, value]) => ` --set ${quoted(`${key}=${value}`)}`);
  const words = (real === undefined ? [] : daemonWords(real.daemon)).map((each) => ` ${quoted(each)}`);
  return `run ${quoted(scenario)} --seed ${seed} --format ${quoted(format)}${set.join('')}${words.join('')}`;
}

/** What a command line says to have this daemon. */
function daemonWords({ binary, successor, all }: DaemonNamed): string[] {
  const next = successor === undefined ? [] : ['--daemon-next', successor];
  return ['--daemon', binary, ...next, ...(all === true ? ['--all'] : [])];
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function settingsText(result: RunResult): string {
  return Object.entries(result.settings)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

/** Kinds of losses that a report names for each update. */
export const LOSS_KINDS_MAX = 10;

function lossesText(counts: UpdateReport['lossCounts']): string {
  const named = counts.slice(0, LOSS_KINDS_MAX).map(([kind, count]) => `${kind} ${n(count)}`);
  const left = counts.length - named.length;
  return `${named.join(', ')}${left > 0 ? `, and ${left} kinds more` : ''}`;
}

/** An update that took place or failed, a try that came to neither, or both. */
interface UpdateRow {
  readonly update: UpdateReport | undefined;
  readonly attempt: UpdateAttempt | undefined;
}

/** In the order of time: every try, and every update that nobody is known to have asked for. */
function rowsOf({ updates, attempts }: RunResult): UpdateRow[] {
  const rows: UpdateRow[] = attempts.map((attempt) => ({
    attempt,
    update: updates.find(({ n: update, host }) => update === attempt.update && host === attempt.host),
  }));
  for (const update of updates)
    if (!rows.some((row) => row.update === update)) rows.push({ update, attempt: undefined });
  const atNs = ({ update, attempt }: UpdateRow) => update?.atNs ?? attempt?.timeNs ?? 0;
  return rows.sort((x, y) => atNs(x) - atNs(y));
}

function updateTable(result: RunResult, paint: (style: Style, s: string) => string): string[] {
  const of =
    (cell: (update: UpdateReport) => string) =>
    ({ update }: UpdateRow) =>
      update === undefined ? '-' : cell(update);
  const columns: readonly (readonly [string, (row: UpdateRow) => string])[] = [
    [
      'live update',
      ({ update, attempt }) => {
        const host = update?.host ?? attempt?.host;
        const what = update === undefined ? 'none' : `#${update.n} ${update.format}`;
        return host === undefined ? what : `${host} ${what}`;
      },
    ],
    ['at ms', ({ update, attempt }) => ms(update?.atNs ?? attempt?.timeNs ?? 0)],
    ['requests cut', of((u) => n(u.partialRequests))],
    ['octets unread', of((u) => n(u.requestOctetsInRings))],
    ['replies cut', of((u) => n(u.partialReplies))],
    ['replies queued', of((u) => n(u.queuedReplies))],
    ['events queued', of((u) => n(u.queuedEvents))],
    ['open tx', of((u) => n(u.openTransactions))],
    ['watches', of((u) => n(u.watches))],
    ['nodes', of((u) => n(u.nodes))],
    ['image octets', of((u) => n(u.imageBytes))],
    ['pause us', of((u) => n(Math.round(u.pauseNs / 1000)))],
    ['answer', answerText],
  ];
  const rows = rowsOf(result);
  const cells = [columns.map(([head]) => head), ...rows.map((row) => columns.map(([, cell]) => cell(row)))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)));
  return cells.map((row, r) => {
    const line = `  ${row.map((cell, i) => (i === 0 || i === row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}`;
    return r === 0 ? paint('bold', line.trimEnd()) : line.trimEnd();
  });
}

/** What was asked is told where it was more than to go on at once. */
function answerText({ update, attempt }: UpdateRow): string {
  const answer = (attempt?.answer ?? update?.answer ?? '').replace(':\n', ': ').replaceAll('\n', ', ');
  if (attempt === undefined || / -t 0$/.test(attempt.command)) return answer;
  return `${answer} (${attempt.command})`;
}

/** Marks that the scenario asks for, each with how often it was reached. */
function marksText({ counts, ofRun, ofSweep }: MarksSeen): string[] {
  const line = (name: MarkName) => `    ${name.padEnd(22)} ${n(counts[name]).padStart(7)}  ${MARKS[name].what}`;
  return [...ofRun, ...ofSweep.filter((name) => !ofRun.includes(name))].map(line);
}

/** A violation names the invariant, virtual time, actor, request and the updates it straddles, and shows what was around it. */
function violationText(
  result: RunResult,
  { first: violation, count }: Alike,
  paint: (style: Style, s: string) => string,
): string[] {
  const caused = causedAt(violation);
  const lines = [
    `  ${paint('red', `violation of ${violation.invariant}`)} at ${ms(violation.timeNs)} virtual ms${hostText(result, violation)}${violation.actor === '' ? '' : `, ${violation.actor}`}` +
      `${violation.request === '' ? '' : `, ${violation.request}`}${straddled(result, caused, violation)}`,
    `    ${violation.detail}`,
  ];
  if (count > 1) lines.push(`    and ${n(count - 1)} more of this kind`);
  // What is missing is missed at the end: where it was caused tells more.
  const shown = caused ?? violation.seq;
  const history = historyOf(result, violation);
  const log = history && logOf(history);
  for (let seq = Math.max(0, shown - 8); seq < shown + 3; seq++) {
    const record = log?.at(seq);
    if (record === undefined) continue;
    const mark = record.seq === shown ? '>' : ' ';
    lines.push(paint('dim', `    ${mark} ${String(record.seq).padStart(7)}  ${recordText(history, record)}`));
  }
  return lines;
}

/** A defect that the run was asked to have: that it was seen, and where first. */
function knownText({ label, what, seen }: KnownDefect, paint: (style: Style, s: string) => string): string[] {
  const lines = [`  ${paint('yellow', `known defect ${label}`)}, ${n(seen.length)} times: ${what}`];
  const [first] = seen;
  if (first !== undefined) lines.push(`    first at ${ms(first.timeNs)} virtual ms, ${first.actor}: ${first.detail}`);
  return lines;
}

/** The live updates between a cause and where it was noticed. Of what was noticed at once, the last one before it, with its
 *  distance; of what is found to be missing at the end nothing is known. */
function straddled(result: RunResult, caused: number | undefined, violation: Violation): string {
  const { seq, timeNs } = violation;
  const history = historyOf(result, violation);
  const log = history && logOf(history);
  if (log === undefined) return '';
  const updates = log.kept.filter((record) => record.kind === 'liveUpdate');
  const between = new Set<number>();
  for (const update of updates)
    if (caused !== undefined && caused <= update.seq && update.seq <= seq) between.add(update.n);
  const [first, ...more] = between;
  if (first !== undefined)
    return more.length === 0 ? `, across live update #${first}` : `, across live updates #${first} to #${more.at(-1)}`;
  const isAtOnce = log.at(seq)?.kind !== 'snapshot' && seq < log.length - 1;
  const last = isAtOnce ? updates.findLast((update) => update.seq < seq) : undefined;
  return last !== undefined ? `, ${ms(timeNs - last.timeNs)} ms after live update #${last.n} (${last.what})` : '';
}

function hostText({ hosts }: RunResult, { host }: Violation): string {
  const name = host === undefined ? undefined : hosts?.[host]?.name;
  return name === undefined ? '' : ` on ${name}`;
}

/** A record of a run's history in a line, with its time. */
export function recordText(history: History | undefined, record: HistoryRecord): string {
  const name = 'conn' in record ? (history?.epochs[record.conn]?.name ?? `conn ${record.conn}`) : '';
  const time = `${ms(record.timeNs)} ms`;
  switch (record.kind) {
    case 'publish':
    case 'consume':
      return `${time} ${name} ${record.dir} ${record.kind} ${record.from}..${record.to}`;
    case 'sent':
      return `${time} ${record.actor} sent ${opName(record.type)} req_id ${record.reqId} tx ${record.txId} ${showOctets(record.payload)}`;
    case 'got':
      return `${time} ${name} got ${opName(record.type)} req_id ${record.reqId} tx ${record.txId} ${showOctets(record.payload)}`;
    case 'open':
    case 'detach':
    case 'close':
      return `${time} ${name} ${record.kind}`;
    case 'noMemory':
      return `${time} ${name} no memory for its request`;
    case 'page':
      return `${time} ${name} has another page, of which ${record.unread} octets are to be read`;
    case 'stale':
      return `${time} domain ${record.mapper} touched reference ${record.gref} of domain ${record.granter} after its unmap`;
    case 'fault':
      return record.isOver ? `${time} ${record.id} is over` : `${time} ${record.id} strikes: ${record.detail}`;
    case 'life':
      return `${time} domain ${record.domid} ${record.what}`;
    case 'liveUpdate':
      return `${time} live update #${record.n} ${record.what}`;
    case 'snapshot':
      return `${time} snapshot of ${record.nodes.length} nodes`;
  }
}

/** Thousands separated, the same on every host. */
function n(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function ms(ns: number): string {
  const whole = Math.floor(ns / 1_000_000);
  return `${n(whole)}.${String(Math.floor((ns % 1_000_000) / 1000)).padStart(3, '0')}`;
}
