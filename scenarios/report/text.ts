import { styleText } from 'node:util';
import type { RunResult, UpdateReport } from '../engine/scenario.ts';
import type { PlannedFault } from '../faults/rule.ts';
import type { HistoryRecord, Violation } from '../judge/history.ts';

type Style = Parameters<typeof styleText>[0];

/** How the report is dressed; colours only where a terminal shows them. */
export interface Dress {
  readonly colour: boolean;
}

function painter(dress: Dress): (style: Style, s: string) => string {
  return (style, s) => (dress.colour ? styleText(style, s, { validateStream: false }) : s);
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
    `  ${n(result.commits)} transactions committed, ${n(result.conflicts)} rounds ended in EAGAIN or were given up; ` +
      `${ms(result.virtualNs)} virtual ms in ${n(result.steps)} steps`,
  );
  if (result.refusals.length > 0)
    lines.push(`  refused: ${result.refusals.map(([errno, count]) => `${errno} ${n(count)}`).join(', ')}`);
  if (result.devices !== undefined)
    lines.push(`  devices: ${result.devices.map(([what, count]) => `${n(count)} ${what}`).join(', ')}`);
  if (result.faults !== undefined)
    lines.push(`  faults: ${result.faults.map((f) => `${f.id} ${n(f.injected)}`).join(', ') || 'none'}`);
  lines.push('');
  lines.push(...updateTable(result.updates, paint));
  for (const { n: update, lossCounts } of result.updates)
    if (lossCounts.length > 0) lines.push(`  #${update} lost: ${lossesText(lossCounts)}`);
  lines.push('');
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
    for (const violation of verdict.violations.slice(0, 5)) lines.push(...violationText(result, violation, paint), '');
  const verdictWord = result.outcome === 'pass' ? paint('green', 'pass') : paint('red', result.outcome);
  lines.push(`  ${verdictWord}  trace digest ${result.digest} over ${n(result.traceEvents)} events  seed ${seed}`);
  if (result.reason !== '') lines.push(`  ${result.reason}`);
  if (result.outcome !== 'pass') lines.push(`  replay: ${replayLine(result)}`);
  return `${lines.join('\n')}\n`;
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

/** The one line that runs this run again. */
export function replayLine(result: RunResult): string {
  const settings = Object.entries(result.settings).map(([key, value]) => ` --set ${key}=${value}`);
  return `xenarium run ${result.scenario} --seed ${result.seed} --format ${result.format}${settings.join('')}`;
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

function updateTable(updates: readonly UpdateReport[], paint: (style: Style, s: string) => string): string[] {
  const columns: readonly (readonly [string, (u: UpdateReport) => string])[] = [
    ['live update', (u) => `#${u.n} ${u.format}`],
    ['at ms', (u) => ms(u.atNs)],
    ['requests cut', (u) => n(u.partialRequests)],
    ['octets unread', (u) => n(u.requestOctetsInRings)],
    ['replies cut', (u) => n(u.partialReplies)],
    ['replies queued', (u) => n(u.queuedReplies)],
    ['events queued', (u) => n(u.queuedEvents)],
    ['open tx', (u) => n(u.openTransactions)],
    ['watches', (u) => n(u.watches)],
    ['nodes', (u) => n(u.nodes)],
    ['image octets', (u) => n(u.imageBytes)],
    ['pause us', (u) => n(Math.round(u.pauseNs / 1000))],
    ['answer', (u) => u.answer],
  ];
  const cells = [columns.map(([head]) => head), ...updates.map((u) => columns.map(([, cell]) => cell(u)))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)));
  return cells.map((row, r) => {
    const line = `  ${row.map((cell, i) => (i === 0 || i === row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}`;
    return r === 0 ? paint('bold', line.trimEnd()) : line.trimEnd();
  });
}

/** A violation names the invariant, virtual time, actor, request and the update it straddles, and shows what was around it. */
function violationText(result: RunResult, violation: Violation, paint: (style: Style, s: string) => string): string[] {
  const lines = [
    `  ${paint('red', `violation of ${violation.invariant}`)} at ${ms(violation.timeNs)} virtual ms${violation.actor === '' ? '' : `, ${violation.actor}`}` +
      `${violation.request === '' ? '' : `, ${violation.request}`}${straddled(result, violation.seq)}`,
    `    ${violation.detail}`,
  ];
  const records = result.history?.records ?? [];
  const from = Math.max(0, violation.seq - 8);
  for (const record of records.slice(from, violation.seq + 3)) {
    lines.push(
      paint(
        'dim',
        `    ${record.seq === violation.seq ? '>' : ' '} ${String(record.seq).padStart(7)}  ${recordText(result, record)}`,
      ),
    );
  }
  return lines;
}

/** The last live update before this point, if it was close enough to matter. */
function straddled(result: RunResult, seq: number): string {
  let last: (HistoryRecord & { kind: 'liveUpdate' }) | undefined;
  for (const record of result.history?.records ?? []) {
    if (record.seq > seq) break;
    if (record.kind === 'liveUpdate') last = record;
  }
  return last === undefined ? '' : `, after live update #${last.n} (${last.what} at ${ms(last.timeNs)} ms)`;
}

function recordText(result: RunResult, record: HistoryRecord): string {
  const name = 'conn' in record ? (result.history?.epochs[record.conn]?.name ?? `conn ${record.conn}`) : '';
  const time = `${ms(record.timeNs)} ms`;
  switch (record.kind) {
    case 'publish':
    case 'consume':
      return `${time} ${name} ${record.dir} ${record.kind} ${record.from}..${record.to}`;
    case 'sent':
      return `${time} ${record.actor} sent type ${record.type} req_id ${record.reqId} tx ${record.txId} ${octetText(record.payload)}`;
    case 'got':
      return `${time} ${name} got type ${record.type} req_id ${record.reqId} tx ${record.txId} ${octetText(record.payload)}`;
    case 'open':
    case 'detach':
    case 'close':
      return `${time} ${name} ${record.kind}`;
    case 'noMemory':
      return `${time} ${name} no memory for its request`;
    case 'life':
      return `${time} domain ${record.domid} ${record.what}`;
    case 'liveUpdate':
      return `${time} live update #${record.n} ${record.what}`;
    case 'snapshot':
      return `${time} snapshot of ${record.nodes.length} nodes`;
  }
}

function octetText(bytes: Uint8Array): string {
  let s = '';
  for (const b of bytes.subarray(0, 48))
    s += b === 0 ? '\\0' : b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : `\\x${b.toString(16).padStart(2, '0')}`;
  return bytes.length > 48 ? `${s}… (${bytes.length} octets)` : s;
}

/** Thousands separated, the same on every host. */
function n(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function ms(ns: number): string {
  const whole = Math.floor(ns / 1_000_000);
  return `${n(whole)}.${String(Math.floor((ns % 1_000_000) / 1000)).padStart(3, '0')}`;
}
