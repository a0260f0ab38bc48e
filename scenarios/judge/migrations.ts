import type { MigrationNews } from '../../guests/index.ts';

/** Something of a migration, or in the life of a domain on any host, in one order over all of them. */
export type MigrationRecord = {
  readonly seq: number;
  /** Virtual time. */
  readonly timeNs: number;
} & (
  | {
      readonly kind: 'news';
      /** Number of the migration in the run. */
      readonly migration: number;
      /** Of the host where it is said. */
      readonly host: number;
      readonly news: MigrationNews;
    }
  | {
      readonly kind: 'life';
      readonly host: number;
      readonly domid: number;
      readonly uniqueId: bigint;
      readonly what: 'created' | 'paused' | 'unpaused' | 'shutdown' | 'resumed' | 'dying' | 'dead' | 'gone';
      /** Of a shutdown. */
      readonly reason?: string;
    }
);

/** A domain that a toolstack made: whose copy it is, its name under /vm says. */
export interface Copy {
  readonly host: number;
  readonly domid: number;
  readonly uniqueId: bigint;
  readonly uuid: string;
}

/** One migration that was asked for. */
export interface MigrationAsked {
  readonly n: number;
  /** Its name and its uuid. */
  readonly guest: string;
  readonly uuid: string;
  readonly from: number;
  readonly to: number;
  readonly domid: number;
  /** Of the copy that is to go. */
  readonly uniqueId: bigint;
  readonly mode: string;
}

/** What checks of ownership see: every copy of every guest, on every host, and what the processes said. */
export interface MigrationHistory {
  readonly hosts: readonly string[];
  readonly asked: readonly MigrationAsked[];
  readonly copies: readonly Copy[];
  readonly records: readonly MigrationRecord[];
}

/** One pass of a transfer. */
export interface PassReport {
  readonly pages: number;
  readonly octets: number;
  readonly isFinal: boolean;
}

/** What was under way between a guest and the store that it left. */
export interface CutReport {
  /** Requests without an answer at the park. */
  readonly requests: number;
  /** Octets of replies and events that the guest had not taken. */
  readonly octetsUnread: number;
  /** Transactions that were open. */
  readonly transactions: number;
  readonly watches: number;
}

/** A migration as a report tells it. */
export interface MigrationReport {
  readonly n: number;
  readonly guest: string;
  readonly from: string;
  readonly to: string;
  readonly mode: string;
  readonly atNs: number;
  readonly tookNs: number;
  readonly passes: readonly PassReport[];
  /** Octets that crossed the link: to the destination, and back. */
  readonly octets: readonly [forth: number, back: number];
  /** From the park until somebody runs again; `undefined`: it never parked, or nobody does. */
  readonly downtimeNs: number | undefined;
  readonly cut: CutReport | undefined;
  /** Where it ran, from when on: the source first. `''`: nowhere. */
  readonly owners: readonly (readonly [host: string, fromNs: number])[];
  /** The last line that each side printed before it was over; '' where it printed none. */
  readonly said: { readonly source: string; readonly target: string };
  readonly outcome: { readonly source: string; readonly target: string; readonly fact: string };
}
