import type { Proof } from './prove.ts';
import type { CompareRuleId } from './table.ts';

/** One change between two formats, and what a reader of each makes of the other's files. */
export interface CompareFinding {
  readonly rule: CompareRuleId;
  /** Name of the record in the new format, or in the old one where that alone has it; absent = the file as a whole. */
  readonly record?: string;
  /** The field, likewise: `perms[].flags`. */
  readonly path?: string;
  /** Name of the declared rule. */
  readonly declared?: string;
  readonly detail: string;
  readonly oldReadsNew: Proof;
  readonly newReadsOld: Proof;
  /** Other changes of the same record, or around all records, which by themselves change the octets. */
  readonly among: readonly CompareRuleId[];
}
