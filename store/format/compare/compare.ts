import type { Format } from '../file/format.ts';
import type { Change } from './change.ts';
import { declaredChanges } from './declared.ts';
import { envelopeChanges } from './envelope.ts';
import type { CompareFinding } from './finding.ts';
import { DIRECTIONS, type Direction, type Proof, prove, type Verdict } from './prove.ts';
import { readerChanges } from './readers.ts';
import { recordChanges } from './records.ts';
import { bothOf } from './side.ts';
import { COMPARE_RULES, type CompareRuleId } from './table.ts';
import { type Comparable, isText, textFindings } from './text-dumps.ts';

/** How many findings came to what: `breaks` are those refused or misread, `meaning` those of which something is lost. */
export interface Tally {
  readonly breaks: number;
  readonly meaning: number;
  readonly compatible: number;
  /** The writer could not write what would have shown it. */
  readonly unproven: number;
}

export interface Comparison {
  readonly old: string;
  readonly new: string;
  readonly findings: readonly CompareFinding[];
  readonly oldReadsNew: Tally;
  readonly newReadsOld: Tally;
}

/**
 * Everything in which two formats differ, each difference carried out in both directions: a file by the one writer
 * that shows it, given to the other reader. Verdicts come from these readings.
 */
export function compareFormats(old: Comparable, fresh: Comparable): Comparison {
  const findings = isText(old) || isText(fresh) ? textFindings(old, fresh) : recordFindings(old, fresh);
  return {
    old: old.name,
    new: fresh.name,
    findings,
    oldReadsNew: tally(findings.map((one) => one.oldReadsNew)),
    newReadsOld: tally(findings.map((one) => one.newReadsOld)),
  };
}

function recordFindings(old: Format, fresh: Format): readonly CompareFinding[] {
  const both = bothOf(old, fresh);
  const changes = [...envelopeChanges(both), ...recordChanges(both), ...declaredChanges(both), ...readerChanges(both)];
  return changes.map((change): CompareFinding => {
    const { rule, detail } = change;
    const record = change.newRecord ?? change.oldRecord;
    const path = change.newPath ?? change.oldPath;
    return {
      rule,
      ...(record === undefined ? {} : { record }),
      ...(path === undefined ? {} : { path }),
      ...(change.declared === undefined ? {} : { declared: change.declared.rule }),
      detail,
      oldReadsNew: prove(both, changes, change, 'old reads new'),
      newReadsOld: prove(both, changes, change, 'new reads old'),
      among: amongOf(changes, change),
    };
  });
}

function amongOf(changes: readonly Change[], change: Change): CompareRuleId[] {
  const records = change.declared?.kinds ?? [change.newRecord];
  const isAround = change.judge.by === 'file';
  const near = changes.filter((other) => {
    if (other === change) return false;
    const { oldReadsNew, newReadsOld } = COMPARE_RULES[other.rule];
    if (![...oldReadsNew, ...newReadsOld].includes('wire')) return false;
    return isAround ? other.judge.by === 'file' : other.newRecord !== undefined && records.includes(other.newRecord);
  });
  return [...new Set(near.map(({ rule }) => rule))];
}

function tally(proofs: readonly Proof[]): Tally {
  const count = (...verdicts: Verdict[]) => proofs.filter((one) => verdicts.includes(one.verdict)).length;
  return {
    breaks: count('refused', 'misread'),
    meaning: count('lost'),
    compatible: count('same'),
    unproven: count('unproven'),
  };
}

/** Whether a reader refuses files of the other writer, or takes them for something else. */
export function isBreaking(comparison: Comparison, directions: readonly Direction[] = DIRECTIONS): boolean {
  return directions.some(
    (direction) => (direction === 'old reads new' ? comparison.oldReadsNew : comparison.newReadsOld).breaks > 0,
  );
}
