import type { RunResult } from '../engine/scenario.ts';
import type { History, Violation } from '../judge/history.ts';

/** What was recorded of one host of a run; `name` is '' where there is only one. */
export interface HostHistory {
  readonly name: string;
  readonly history: History;
}

/** All that was recorded of a run, host by host; none of a run that was not judged, or never began. */
export function historiesOf({ hosts, history }: Pick<RunResult, 'hosts' | 'history'>): readonly HostHistory[] {
  const all = hosts ?? [{ name: '', history }];
  return all.flatMap(({ name, history: own }) => (own === undefined ? [] : [{ name, history: own }]));
}

/** The history that a violation is about; `undefined`: it is about all hosts together, of which there is no one order of records. */
export function historyOf(
  { history, hosts }: Pick<RunResult, 'hosts' | 'history'>,
  { host }: Violation,
): History | undefined {
  if (hosts === undefined) return history;
  return host === undefined ? undefined : hosts[host]?.history;
}
