import type { RunResult } from '../../engine/scenario.ts';
import type { History } from '../../judge/history.ts';
import { logOf } from '../../judge/recorded-history.ts';
import { heldText } from '../held.ts';
import type { Band } from './layout.ts';
import type { Timeline } from './timeline.ts';

/** Live updates, from the image to the successor (or the old instance) that serves, and migrations; in the order of time. */
export function bandsOf(result: RunResult, histories: readonly History[], timeline: Timeline): Band[] {
  const bands = histories.flatMap((history, host) => updateBands(result, history, host, timeline));
  for (const { n, guest, from, to, mode, atNs, tookNs, outcome } of result.migrations ?? []) {
    const hosts = [...new Set([from, to])].map((name) => (result.hosts ?? []).findIndex((each) => each.name === name));
    bands.push({
      kind: 'migration',
      hosts: hosts.filter((host) => host >= 0),
      fromNs: atNs,
      toNs: atNs + tookNs,
      first: timeline.lastAt(atNs),
      last: timeline.lastAt(atNs + tookNs),
      name: `migration #${n}`,
      text: `${guest}, ${mode}, ${from} to ${to}: ${outcome.fact}`,
    });
  }
  return bands.sort((a, b) => a.fromNs - b.fromNs || a.first - b.first);
}

function updateBands({ updates, hosts }: RunResult, history: History, host: number, timeline: Timeline): Band[] {
  const log = logOf(history);
  const of = (n: number) =>
    updates.find((each) => each.n === n && (hosts === undefined || each.host === hosts[host]?.name));
  const open = new Map<number, number>();
  const bands: Band[] = [];
  const add = (n: number, from: number, to: number, fails: boolean) => {
    const update = of(n);
    const held = update === undefined ? '' : `${update.format}, with ${heldText(update)}`;
    bands.push({
      kind: 'update',
      hosts: [host],
      fromNs: log.times[from] as number,
      toNs: log.times[to] as number,
      first: timeline.placeOf(host, from),
      last: timeline.placeOf(host, to),
      name: hosts === undefined ? `live update #${n}` : `${hosts[host]?.name}: live update #${n}`,
      text: fails ? `fails: ${update?.reason ?? ''}` : held,
    });
  };
  for (const record of log.kept) {
    if (record.kind !== 'liveUpdate') continue;
    const { n, what, seq } = record;
    if (what === 'dump') {
      // Written anew, as after an attempt that was put off.
      open.set(n, seq);
      continue;
    }
    add(n, open.get(n) ?? seq, seq, what === 'failed');
    open.delete(n);
  }
  for (const [n, seq] of open) add(n, seq, log.length - 1, true); // it never came to its end
  return bands;
}
