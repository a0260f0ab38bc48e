/** Somebody who waits, in a run that does not come to its end. */
export interface Wait {
  readonly who: string;
  /** For what, as far as it can be known, and whose turn it is; '' where nobody says. */
  readonly what: string;
  /** Virtual time; `undefined`: nobody can tell. */
  readonly sinceNs: number | undefined;
}
