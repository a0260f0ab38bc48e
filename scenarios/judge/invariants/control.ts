import type { Verdict, Violation } from '../history.ts';

export const CLAIM =
  'A command in control/shutdown is acted on at most once; exactly once if it was taken and not taken back';
export const SOURCE = 'guests.md 6.11 INV-H5, 2.7 HS-9, HS-10; linux drivers/xen/manage.c';

/** What the two programs say of `control/shutdown`, in one order. */
export interface ControlRecord {
  /** Position in the run's history. */
  readonly seq: number;
  readonly timeNs: number;
  readonly domid: number;
  readonly name: string;
  /**
   * asked: the toolstack writes it now. taken back: its transaction that blanks the node has committed. acted: the guest begins
   * to do it.
   */
  readonly what: 'asked' | 'acted' | 'taken back';
  readonly command: string;
}

export interface ControlHistory {
  readonly records: readonly ControlRecord[];
  /** Commands that guests know; others stay where they are. */
  readonly known: ReadonlySet<string>;
  /** Domains that live and listen at the end: what they were asked last, they have done. */
  readonly listening: ReadonlySet<number>;
}

interface Asked {
  readonly record: ControlRecord;
  acted: number;
  isTakenBack: boolean;
}

/** Judge what was recorded. Each further request to a domain ends the time of the one before. */
export function controlOnce(history: ControlHistory): Verdict {
  const violations: Violation[] = [];
  const open = new Map<number, Asked>();
  const note = ({ seq, timeNs, name }: ControlRecord, detail: string) =>
    violations.push({ invariant: 'control', seq, timeNs, actor: name, request: '', detail });
  let asked = 0;
  let acted = 0;
  for (const record of history.records) {
    const current = open.get(record.domid);
    const { command } = record;
    switch (record.what) {
      case 'asked':
        asked++;
        open.set(record.domid, { record, acted: 0, isTakenBack: false });
        break;
      case 'acted':
        acted++;
        if (current === undefined || current.record.command !== command) note(record, `${command} was not asked for`);
        else if (++current.acted > 1) note(record, `${command} for the ${current.acted}. time`);
        else if (current.isTakenBack) note(record, `${command} although it was taken back`);
        if (!history.known.has(command)) note(record, `${command}, which nobody knows`);
        break;
      case 'taken back':
        if (current === undefined) break;
        if (current.acted > 0) note(record, `${command} was taken back although the guest had taken it`);
        current.isTakenBack = true;
    }
  }
  for (const { record, acted: done, isTakenBack } of open.values())
    if (done === 0 && !isTakenBack && history.known.has(record.command) && history.listening.has(record.domid))
      note(record, `${record.command} was never acted on`);
  return {
    invariant: 'control',
    claim: CLAIM,
    source: SOURCE,
    checked: [
      ['commands', asked],
      ['acted on', acted],
    ],
    violations,
  };
}
