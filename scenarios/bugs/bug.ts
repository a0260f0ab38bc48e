/** In what a fault shows: the fourteen families of the list of Xen's faults, in its order. */
export const FAMILIES = [
  'ring',
  'request parsing',
  'watch',
  'transaction',
  'permission',
  'quota',
  'dump',
  'restore',
  'migration',
  'domain life',
  'grant',
  'event channel',
  'driver handshake',
  'toolstack',
] as const;
export type Family = (typeof FAMILIES)[number];

/** One piece of a module, and what stands there in its place. */
export interface Change {
  /** A source file of this package, from its root. */
  readonly file: string;
  /** JavaScript as the module has it when it is loaded, without types; white space does not count. It is there once. */
  readonly from: string;
  readonly to: string;
}

/** A mistake that can be switched on: a real one of Xen's history, or one of a common kind. */
export interface Bug {
  /** `B` and a number: of history; `S` and a number: made up. */
  readonly id: string;
  readonly family: Family;
  /** What is wrong with a program that has it. */
  readonly title: string;
  /** Whose mistake it was: component, repository and commit of the fix, year; of a made-up one the kind. */
  readonly source: string;
  /** Whether a client, guest or monitor can tell in any case, or only where a model has the detail that the note names. */
  readonly observable: 'full' | 'part';
  readonly changes: readonly Change[];
  /** How what is changed here stands for what was wrong there, where that is not plain. */
  readonly note?: string;
}

/** Bugs of one family, as its file lists them. */
export type FamilyBug = Omit<Bug, 'family'>;

/** Put all of them into their family. */
export function ofFamily(family: Family, bugs: readonly FamilyBug[]): Bug[] {
  return bugs.map((bug) => ({ ...bug, family }));
}
