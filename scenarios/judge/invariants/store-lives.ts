import type { KnownDefect, Verdict, Violation } from '../history.ts';

const CLAIM = "The store's process serves to the end of the run";
const SOURCE = 'INV-X1; docs/your-daemon.md';

/** How a process of its own has ended. `seq`: of the first record behind its end. */
export interface StoreEnd {
  readonly seq: number;
  readonly timeNs: number;
  /** How, during what, and what it said last. */
  readonly what: string;
  /** The known defect that it is, if it is one. */
  readonly known?: Omit<KnownDefect, 'seen'> | undefined;
}

/** Judge the end of a store's process: a finding, or a known defect. `end`: `undefined` where it has served to the end. */
export function storeLives(end: StoreEnd | undefined): Verdict {
  const verdict = { invariant: 'store-lives', claim: CLAIM, source: SOURCE, checked: [], violations: [] };
  if (end === undefined) return verdict;
  const { seq, timeNs, what, known } = end;
  const seen: Violation = { invariant: verdict.invariant, seq, timeNs, actor: 'xenstored', request: '', detail: what };
  if (known !== undefined) return { ...verdict, known: [{ ...known, seen: [seen] }] };
  return { ...verdict, violations: [seen] };
}
