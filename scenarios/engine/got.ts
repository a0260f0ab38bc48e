import { text, XS } from '../../guests/index.ts';
import type { RecordLog } from '../judge/record-log.ts';

/** 'T', how the payload of a TRANSACTION_END that commits begins. */
const COMMIT = 0x54;

/** What clients got, and domains that went. */
export interface Got {
  replies: number;
  events: number;
  /** Transactions that were to be committed, and were, or were not since something had changed meanwhile. */
  commits: number;
  conflicts: number;
  gone: number;
}

/** Errors: none. */
export function gotIn(logs: readonly RecordLog[]): Got {
  const got: Got = { replies: 0, events: 0, commits: 0, conflicts: 0, gone: 0 };
  for (const log of logs) {
    got.gone += log.kept.filter((r) => r.kind === 'life' && r.what === 'gone').length;
    /** Commits that were asked for and have no answer, by who asked. */
    const asked = new Set<string>();
    const keyOf = (seq: number) => `${log.conns[seq]}/${log.reqIdOf(seq)}/${log.txIdOf(seq)}`;
    for (let seq = 0; seq < log.length; seq++) {
      const what = log.messageAt(seq);
      if (what === undefined) continue;
      const type = log.typeOf(seq);
      if (what === 'sent') {
        if (type === XS.TRANSACTION_END && log.payloadOf(seq)[0] === COMMIT) asked.add(keyOf(seq));
      } else if (type === XS.WATCH_EVENT) got.events++;
      else {
        got.replies++;
        if (asked.size === 0 || !asked.delete(keyOf(seq))) continue;
        if (type === XS.TRANSACTION_END) got.commits++;
        else if (text(log.payloadOf(seq)) === 'EAGAIN\0') got.conflicts++;
      }
    }
  }
  return got;
}
