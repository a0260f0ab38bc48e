/** Who does something in a migration: xl at the source and at the destination, and the helper of each. */
export type MigrationProcess = 'S' | 'V' | 'R' | 'W';

/** Steps in the order of tables 1.3 and 1.4 of the protocol: what is done next. */
export type MigrationStep =
  | 'SO1'
  | 'SO2'
  | 'SO3'
  | 'SO4'
  | 'SO5'
  | 'SO6'
  | 'SO7'
  | 'SO9'
  | 'SO12'
  | 'SO13'
  | 'SO14'
  | 'SO15'
  | 'SO16'
  | 'SO17'
  | 'SO18'
  | 'DE1'
  | 'DE3'
  | 'DE4'
  | 'DE6'
  | 'DE7'
  | 'DE10'
  | 'DE11'
  | 'DE12'
  | 'DE14'
  | 'DE15'
  | 'DE16'
  | 'DE17'
  | 'DE18'
  | 'DE19'
  | 'DE20';

/** What a migration's processes say of their work, each thing when it is done. */
export type MigrationNews =
  /** The process is about to do it. */
  | { readonly what: 'step'; readonly process: MigrationProcess; readonly step: MigrationStep; readonly domid?: number }
  /** A line on its standard error. */
  | { readonly what: 'says'; readonly process: MigrationProcess; readonly text: string }
  /** A fact on which others rely: the go was taken by the pipe, read, taken back; the status was read; the copy runs. */
  | {
      readonly what:
        | 'go written'
        | 'go read'
        | 'go taken back'
        | 'status read'
        | 'unpaused'
        | 'destroys'
        | 'resumes'
        | 'store not told'
        | 'received all';
      readonly process: MigrationProcess;
      readonly domid: number;
      readonly status?: number;
    }
  /** The source's helper has sent a pass, or all of it. */
  | {
      readonly what: 'pass';
      readonly n: number;
      readonly pages: number;
      readonly octets: number;
      readonly isFinal: boolean;
    }
  /** How it ended, for this process. */
  | { readonly what: 'end'; readonly process: MigrationProcess; readonly how: string }
  /** An administrator looks after what is left, with both hosts in view (FP-36). */
  | { readonly what: 'person acts'; readonly process: 'S'; readonly domid: number }
  | { readonly what: 'killed'; readonly process: MigrationProcess; readonly step: MigrationStep };

export interface MigrationObserver {
  note(news: MigrationNews): void;
}
