import type { FormatRecord } from '../file/format.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { CompareRuleId } from './table.ts';

/** A record that a writer is asked for: filled with values that differ from each other. */
export interface RecordProbe {
  readonly kind: string;
  /** The field that must be there, `conn.socket.fd`, and what it holds if that matters. */
  readonly focus?: string;
  readonly value?: unknown;
  /** Fields of the record that hold these values, by name. */
  readonly set?: Readonly<Record<string, unknown>>;
}

/** A file that a writer is asked for. */
export interface Probe {
  readonly records: readonly (RecordProbe | { readonly ready: FormatRecord })[];
  /** How the writer is set. */
  readonly knobs?: Partial<Knobs>;
  readonly version?: number;
  readonly byteOrder?: 'little' | 'big';
}

/** What decides about a probe: the codec and everything around records, the bodies only, or the named rule or knob too. */
export type Judge =
  | { readonly by: 'file' }
  | { readonly by: 'body' }
  | { readonly by: 'rule'; readonly rules: readonly string[] }
  | { readonly by: 'knob'; readonly knob: keyof Knobs };

/** A difference between two formats, before it is proven. */
export interface Change {
  readonly rule: CompareRuleId;
  /** Name of the record; absent = the file as a whole. */
  readonly oldRecord?: string;
  readonly newRecord?: string;
  readonly oldPath?: string;
  readonly newPath?: string;
  /** Name of the declared rule, and the records that it looks at, as the new format names them. */
  readonly declared?: { readonly rule: string; readonly kinds: readonly string[] };
  readonly detail: string;
  readonly judge: Judge;
  /** Files that show it, by the old writer and by the new one: the worst that a reader makes of them counts. */
  readonly oldProbes: readonly Probe[];
  readonly newProbes: readonly Probe[];
}

/** A file with nothing in it but what must be there. */
export const EMPTY: Probe = { records: [] };
