import { XS } from '../../../store/protocol/wire.ts';
import type { RunResult } from '../../engine/scenario.ts';
import type { Violation } from '../../judge/history.ts';
import type { PageBand, PageFinding, PageMessages } from './page-data.ts';

/** The first violation of a run, and what led to it. `undefined`: there is none. */
export function findingOf(
  { verdicts }: Pick<RunResult, 'verdicts'>,
  messages: PageMessages,
  hostOf: (message: number) => number,
  bands: readonly PageBand[],
): PageFinding | undefined {
  const all = verdicts.flatMap(({ violations }) => violations);
  const first = all.reduce<Violation | undefined>((a, b) => (a && a.timeNs <= b.timeNs ? a : b), undefined);
  if (first === undefined) return undefined;
  const { invariant, seq, timeNs: atNs, actor, detail, host = 0 } = first;
  const led = ledTo(first, messages, (n) => hostOf(n) === host);
  const sinceNs = led.reduce((least, n) => Math.min(least, messages.atNs[n] as number), atNs);
  return {
    invariant,
    host,
    seq,
    atNs,
    actor,
    detail,
    band: straddled(bands, host, sinceNs, atNs),
    led,
    more: all.length - 1,
  };
}

/** The last update between what led to it and the finding; failing that, the last one before it. */
function straddled(bands: readonly PageBand[], host: number, sinceNs: number, atNs: number): number {
  let within = -1;
  let before = -1;
  for (const [n, { kind, host: of, fromNs, toNs }] of bands.entries()) {
    if (kind !== 'update' || of !== host || fromNs > atNs) continue;
    before = n;
    if (toNs >= sinceNs) within = n;
  }
  return within >= 0 ? within : before;
}

/**
 * Messages that a violation is about: those whose number in the history it names, the request that it names, their other
 * halves, all of their transactions, what caused an event among them, and who changed the path of a request last.
 */
function ledTo(
  { seq, detail, request }: Violation,
  messages: PageMessages,
  isOfHost: (n: number) => boolean,
): number[] {
  const named = new Set([seq, ...[...detail.matchAll(/\bseq ([0-9]+)/g)].map(([, digits]) => Number(digits))]);
  const [, asked] = /\breq_id ([0-9]+)/.exec(`${request} ${detail}`) ?? [];
  const led = new Set<number>();
  let last = -1;
  for (const [n, at] of messages.seq.entries()) {
    if (!isOfHost(n)) continue;
    if (named.has(at)) led.add(n);
    if (at <= seq && messages.sort[n] === 0) last = n;
  }
  if (led.size === 0 && last >= 0) {
    // Nothing is named that a client told: the last request with the number that it names, or the last one of all.
    const known = messages.reqId.findLastIndex(
      (id, n) => asked !== undefined && id === Number(asked) && n <= last && messages.sort[n] === 0 && isOfHost(n),
    );
    led.add(known >= 0 ? known : last);
  }
  const transactions = new Set<string>();
  for (const n of [...led]) {
    addWith(led, n, messages);
    const of = messages.txId[n] as number;
    if (of !== 0) transactions.add(`${messages.conn[n]}/${of}`);
  }
  for (let n = 0; n < messages.seq.length; n++)
    if (isOfHost(n) && (messages.seq[n] as number) <= seq && transactions.has(transactionOf(n, messages)))
      addWith(led, n, messages);
  for (const n of [...led]) {
    const before = lastChange(n, messages, isOfHost);
    if (before >= 0) addWith(led, before, messages);
  }
  return [...led].sort((a, b) => a - b);
}

/** A message and its other half; of an event, what caused it. */
function addWith(led: Set<number>, n: number, { peer }: PageMessages): void {
  led.add(n);
  const other = peer[n] as number;
  if (other >= 0) led.add(other);
}

/** Of what lies in a transaction, and of the answer that gave it its number. */
function transactionOf(n: number, { conn, txId, type, sort, payload }: PageMessages): string {
  const isStart = sort[n] === 1 && type[n] === XS.TRANSACTION_START;
  return `${conn[n]}/${isStart ? Number.parseInt(payload[n] as string, 10) : txId[n]}`;
}

const CHANGES: readonly number[] = [XS.WRITE, XS.MKDIR, XS.RM, XS.SET_PERMS];

function lastChange(n: number, messages: PageMessages, isOfHost: (n: number) => boolean): number {
  const about = messages.path[n] as string;
  if (about === '') return -1;
  for (let before = n - 1; before >= 0; before--)
    if (messages.path[before] === about && CHANGES.includes(messages.type[before] as number) && isOfHost(before))
      return before;
  return -1;
}
