import type { History } from '../../judge/history.ts';
import { logOf } from '../../judge/recorded-history.ts';

/** The records of all hosts in one order: by virtual time, then by host, then as each host has them. */
export interface Timeline {
  readonly count: number;
  readonly hosts: Uint16Array;
  readonly seqs: Uint32Array;
  /** Virtual ns. */
  readonly times: Float64Array;
  /** Where record `seq` of a host is. */
  readonly placeOf: (host: number, seq: number) => number;
  /** The last record up to this moment; 0 if there is none before it. */
  readonly lastAt: (timeNs: number) => number;
}

export function timelineOf(histories: readonly History[]): Timeline {
  const logs = histories.map(logOf);
  const count = logs.reduce((sum, { length }) => sum + length, 0);
  const hosts = new Uint16Array(count);
  const seqs = new Uint32Array(count);
  const times = new Float64Array(count);
  const places = logs.map(({ length }) => new Uint32Array(length));
  const next = logs.map(() => 0);
  for (let at = 0; at < count; at++) {
    let host = -1;
    for (const [each, log] of logs.entries()) {
      const seq = next[each] as number;
      if (seq < log.length && (host < 0 || (log.times[seq] as number) < (times[at] as number))) {
        host = each;
        times[at] = log.times[seq] as number;
      }
    }
    const seq = next[host] as number;
    next[host] = seq + 1;
    hosts[at] = host;
    seqs[at] = seq;
    (places[host] as Uint32Array)[seq] = at;
  }
  const lastAt = (timeNs: number) => {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((times[middle] as number) <= timeNs) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  };
  return { count, hosts, seqs, times, placeOf: (host, seq) => places[host]?.[seq] ?? count - 1, lastAt };
}
