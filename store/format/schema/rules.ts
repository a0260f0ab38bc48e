import type { Knobs } from './knobs.ts';

/** Field values that a record must have for a rule to look at it: `{ connId: 0 }`, or `{ connId: { not: 0 } }`. */
export type Where = Readonly<Record<string, number | string | { readonly not: number | string }>>;

/** Where a value is found: `connId`, `conn.domid`, `perms.0.domid`; `DOMAIN_START:domid` in the last such record. */
export type Place = string;

interface RuleHead {
  /** Its name in reports. */
  readonly rule: string;
  /** Kinds of records that it looks at. */
  readonly of: readonly string[];
  readonly where?: Where;
  /** In one sentence. */
  readonly text: string;
  /** The knob that decides: `fatal` makes a breach an error, `ignore` makes it nothing, all else a note. */
  readonly knob?: keyof Knobs;
  /** A breach is no error. */
  readonly isNote?: boolean;
}

/** What must hold among the records of a file. */
export type Rule =
  /** At most one, and before any of `before`. */
  | (RuleHead & { readonly must: 'be-single'; readonly before?: readonly string[] })
  /** No two have the same values there. */
  | (RuleHead & { readonly must: 'be-unique'; readonly key: readonly Place[] })
  /** An earlier record told the same values. */
  | (RuleHead & { readonly must: 'be-known'; readonly key: readonly Place[]; readonly from: readonly Source[] })
  /** A record like that came earlier. */
  | (RuleHead & { readonly must: 'follow'; readonly kind: string; readonly like?: Where })
  /** A number is at most the length of some octets. */
  | (RuleHead & { readonly must: 'fit'; readonly field: Place; readonly within: Place })
  /** A list or a string is not empty, a number not zero. */
  | (RuleHead & { readonly must: 'be-something'; readonly field: Place })
  /** All of them are empty or zero, or none of `needed`. */
  | (RuleHead & { readonly must: 'agree'; readonly needed: readonly Place[]; readonly allowed: readonly Place[] })
  /** A path that the daemons accept. */
  | (RuleHead & { readonly must: 'be-path'; readonly field: Place; readonly as: 'node' | 'watch' | 'absolute' })
  /** The parent of the path came earlier, or is one of `known`. */
  | (RuleHead & { readonly must: 'have-parent'; readonly field: Place; readonly known: readonly string[] })
  /** A value is none of those elsewhere, as far as these are there. */
  | (RuleHead & { readonly must: 'differ'; readonly field: Place; readonly from: readonly Place[] })
  /** Octets, together, are at most so many. */
  | (RuleHead & { readonly must: 'be-short'; readonly fields: readonly Place[]; readonly bytesMax: number })
  /** Octets, behind as many as `after` says, are messages; only the last may be cut, if any may. */
  | (RuleHead & {
      readonly must: 'be-messages';
      readonly field: Place;
      readonly after?: Place;
      readonly mayEndEarly: boolean;
    })
  /** No NUL inside. */
  | (RuleHead & { readonly must: 'have-no-nul'; readonly field: Place });

/** Values that make a key known. */
export interface Source {
  readonly kind: string;
  readonly where?: Where;
  readonly key: readonly Place[];
}
