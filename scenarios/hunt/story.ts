import { text, XS } from '../../guests/index.ts';
import { opName } from '../../store/protocol/wire.ts';
import { VERIFIER } from '../engine/cuts.ts';
import type { RunResult, UpdateReport } from '../engine/scenario.ts';
import { showOctets } from '../engine/show.ts';
import type { History, HistoryRecord } from '../judge/history.ts';
import { violationsOf } from '../report/cause.ts';
import { heldText } from '../report/held.ts';
import { type HostHistory, historiesOf } from '../report/histories.ts';

type Sent = Extract<HistoryRecord, { readonly kind: 'sent' }>;
type Got = Extract<HistoryRecord, { readonly kind: 'got' }>;

/** Violations, and waits, that a story ends with. */
const SHOWN_MAX = 3;

/** What happened in a run, in sentences: who asked for what and was answered what, updates, faults, and what failed. */
export function storyOf(result: RunResult): string[] {
  const hosts = historiesOf(result);
  if (hosts.length === 0) return [];
  const lines = hosts
    .flatMap((host) => toldOf(host, result.updates))
    .sort((a, b) => a.timeNs - b.timeNs)
    .map(({ timeNs, said }) => `${us(timeNs)} us  ${said}`);
  for (const { invariant, actor, request, detail, seq, host } of violationsOf(result).slice(0, SHOWN_MAX)) {
    const who = [actor, detail.includes(request) ? '' : request].filter((word) => word !== '').join(', ');
    const where = host === undefined || result.hosts === undefined ? '' : ` of ${result.hosts[host]?.name}`;
    lines.push(`So ${invariant} is broken (seq ${seq}${where})${who === '' ? '' : `, as ${who} finds`}: ${detail}`);
  }
  for (const { who, what } of (result.waits ?? []).slice(0, SHOWN_MAX))
    lines.push(`In the end ${who} waits for ${what || 'a wake-up'}.`);
  if (result.failure !== undefined)
    lines.push(`Then ${result.failure.actor || 'somebody'} fails: ${result.failure.what}`);
  return lines;
}

/** What happened on one host, in its order. */
function toldOf(
  { name, history }: HostHistory,
  updates: readonly UpdateReport[],
): { readonly timeNs: number; readonly said: string }[] {
  const { records } = history;
  const answers = answersIn(records);
  const own = updates.filter(({ host }) => host === undefined || host === name);
  const asking = new Set(records.flatMap((r) => (r.kind === 'sent' && r.actor !== VERIFIER ? [r.conn] : [])));
  return records.flatMap((record) => {
    if ('conn' in record && !asking.has(record.conn)) return []; // of it everything was left out
    const said = sentence(history, own, record, answers);
    return said === undefined ? [] : [{ timeNs: record.timeNs, said: name === '' ? said : `on ${name}, ${said}` }];
  });
}

/** The reply to each request. */
function answersIn(records: readonly HistoryRecord[]): ReadonlyMap<Sent, Got> {
  const open = new Map<string, Sent[]>();
  const answers = new Map<Sent, Got>();
  for (const record of records) {
    if (record.kind !== 'sent' && (record.kind !== 'got' || record.type === XS.WATCH_EVENT)) continue;
    const key = `${record.conn}/${record.reqId}`;
    if (record.kind === 'sent') open.set(key, [...(open.get(key) ?? []), record]);
    else {
      const first = open.get(key)?.shift();
      if (first !== undefined) answers.set(first, record);
    }
  }
  return answers;
}

function sentence(
  { epochs }: History,
  updates: readonly UpdateReport[],
  record: HistoryRecord,
  answers: ReadonlyMap<Sent, Got>,
): string | undefined {
  const nameOf = (conn: number) => epochs[conn]?.name ?? `connection ${conn}`;
  switch (record.kind) {
    case 'sent': {
      if (record.actor === VERIFIER) return undefined;
      const tx = record.txId === 0 ? '' : ` in transaction ${record.txId}`;
      return `${record.actor} asks ${opName(record.type)} ${showOctets(record.payload)}${tx}: ${answerText(answers.get(record), record)}`;
    }
    case 'got':
      return record.type === XS.WATCH_EVENT
        ? `${nameOf(record.conn)} gets the event ${showOctets(record.payload)}`
        : undefined;
    case 'open':
      return nameOf(record.conn) === 'dom0'
        ? undefined
        : `the store takes the ring or socket of ${nameOf(record.conn)}`;
    case 'detach':
    case 'close':
      return `${record.kind === 'close' ? 'the program ends' : 'the store lets go of'} ${nameOf(record.conn)}`;
    case 'fault':
      return record.isOver ? `${record.id} is over` : `${record.id} strikes: ${record.detail}`;
    case 'life':
      return record.what === 'created' || record.what === 'gone' || record.what === 'shutdown'
        ? `domain ${record.domid} is ${record.what}`
        : undefined;
    case 'liveUpdate':
      return updateText(
        updates.find(({ n }) => n === record.n),
        record,
      );
    case 'noMemory':
      return `the store has no memory for a request of ${nameOf(record.conn)}`;
    default:
      return undefined;
  }
}

function answerText(got: Got | undefined, sent: Sent): string {
  if (got === undefined) return 'no answer ever comes';
  const after = us(got.timeNs - sent.timeNs);
  const said =
    got.type === XS.ERROR
      ? text(got.payload).replace(/\0$/, '')
      : got.payload.length === 0
        ? 'nothing'
        : showOctets(got.payload);
  return `${said}, after ${after} us`;
}

function updateText(
  update: UpdateReport | undefined,
  { n, what }: { readonly n: number; readonly what: string },
): string {
  if (what === 'up') return `live update #${n}: the successor serves`;
  if (what === 'failed') return `live update #${n} fails: ${update?.reason ?? ''}`;
  if (update === undefined) return `live update #${n}: the image is written`;
  return `live update #${n}: the image is written, with ${heldText(update)}`;
}

function us(ns: number): string {
  return `${Math.floor(ns / 1_000)}.${String(ns % 1_000).padStart(3, '0')}`;
}
