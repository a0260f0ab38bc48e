import { KIND } from '../layout.ts';
import type { Run } from './run.ts';

/** A way of a message from one record to another. */
export interface Arrow {
  readonly from: number;
  readonly to: number;
  readonly what: 'request' | 'reply' | 'event';
}

/** The ways that begin or end at a record, told where they end at a client, and for a request where it begins. */
export function arrowsAt(run: Run, at: number): Arrow[] {
  const to = (from: number, end: number, what: Arrow['what']): Arrow[] =>
    from < 0 || end < 0 ? [] : [{ from, to: end, what }];
  switch (run.kind[at]) {
    case KIND.sent:
      return to(at, run.served[at]!, 'request');
    case KIND.got:
      return to(run.written[at]!, at, 'reply');
    case KIND.event:
      return [...to(run.cause[at]!, run.written[at]!, 'event'), ...to(run.written[at]!, at, 'event')];
    default:
      return [];
  }
}

/** Everything that belongs to a message, in order, each with what it is. */
export function relatedTo(run: Run, at: number): (readonly [record: number, role: string])[] {
  const roles = new Map<number, string>();
  const add = (record: number, role: string) => {
    if (record >= 0 && record !== at && !roles.has(record)) roles.set(record, role);
  };
  const addRequest = (sent: number) => {
    if (sent < 0) return;
    add(sent, 'the request');
    add(run.served[sent]!, 'the store takes it');
    const reply = run.reply[sent]!;
    add(reply, 'the answer');
    if (reply >= 0) add(run.written[reply]!, 'the store has written the answer');
  };
  const kind = run.kind[at];
  if (kind === KIND.sent) addRequest(at);
  if (kind === KIND.got) addRequest(run.asked[at]!);
  if (kind === KIND.event) {
    add(run.cause[at]!, 'what it tells of');
    add(run.written[at]!, 'the store has written it');
  }
  if (kind === KIND.tookReq || kind === KIND.putRsp) for (const message of nearby(run, at)) add(message, 'its message');
  return [...roles].sort(([a], [b]) => a - b);
}

/** How far from a move of the store its message is looked for. */
const NEAR = 4000;
const SHOWN_MAX = 20;

function nearby(run: Run, at: number): number[] {
  const found: number[] = [];
  const isTaken = run.kind[at] === KIND.tookReq;
  for (let i = Math.max(0, at - NEAR); i < Math.min(run.count, at + NEAR) && found.length < SHOWN_MAX; i++)
    if ((isTaken ? run.served[i] : run.written[i]) === at || run.cause[i] === at) found.push(i);
  return found;
}
