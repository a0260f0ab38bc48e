import type { KnownDefect, Verdict, Violation } from '../history.ts';
import { show } from '../oracles/octets.ts';
import { type Moment, opName } from '../oracles/wire.ts';

/** The families; each is one verdict. */
export const FAMILIES = ['ring-octets', 'replies', 'watch-events', 'transactions', 'final-tree'] as const;
export type Family = (typeof FAMILIES)[number];

/** Enough of a request to name it. */
export interface Named {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
}

export function describe(r: Named): string {
  return `${opName(r.type)} req_id ${r.reqId} tx ${r.txId}`;
}

/** As `describe`, with what it carries. */
export function describeWhole(r: Named & { readonly payload: string }): string {
  return `${describe(r)} ${show(r.payload)}`;
}

/** Most violations kept of one family: the first ones tell the story, the rest are its consequences. */
const KEPT_MAX = 50;

/** A defect of the real daemon that a policy models on purpose. */
export type Defect = Omit<KnownDefect, 'seen'>;

/** Collects what a check finds and counts, to the verdict. Of violations the first 50 are kept. */
export class Findings {
  readonly #family: string;
  readonly #violations: Violation[] = [];
  readonly #known = new Map<Defect, Violation[]>();
  readonly #counts = new Map<string, number>();
  /** All violations, also those not kept. */
  total = 0;

  /** @param family its name in the report. */
  constructor(family: string) {
    this.#family = family;
  }

  /** So much more was checked; the report shows it. */
  count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }

  /** A violation: the record at which it became certain, by whom, of which request ('' where none), and what is wrong. */
  add(at: Moment, actor: string, request: string, detail: string): void {
    if (this.total++ >= KEPT_MAX) return;
    this.#violations.push({ invariant: this.#family, seq: at.seq, timeNs: at.timeNs, actor, request, detail });
  }

  /** The same of what is nothing but a known defect. */
  addKnown(defect: Defect, at: Moment, actor: string, request: string, detail: string): void {
    const seen = this.#known.get(defect) ?? [];
    this.#known.set(defect, seen);
    seen.push({ invariant: this.#family, seq: at.seq, timeNs: at.timeNs, actor, request, detail });
  }

  /** `claim`: what holds, in one sentence; `source`: where that is written. */
  verdict(claim: string, source: string): Verdict {
    const checked = [...this.#counts];
    const violations = this.#violations.toSorted((a, b) => a.seq - b.seq);
    const known = [...this.#known].map(([defect, seen]) => ({ ...defect, seen }));
    return { invariant: this.#family, claim, source, checked, violations, ...(known.length === 0 ? {} : { known }) };
  }
}

/** One collector per family. */
export type Evidence = { readonly [F in Family]: Findings };

export function newEvidence(): Evidence {
  return {
    'ring-octets': new Findings('ring-octets'),
    replies: new Findings('replies'),
    'watch-events': new Findings('watch-events'),
    transactions: new Findings('transactions'),
    'final-tree': new Findings('final-tree'),
  };
}
