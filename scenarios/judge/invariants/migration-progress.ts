import type { Copy, MigrationAsked, MigrationHistory } from '../migrations.ts';

/** How far a migration has come, by what its processes said. */
export interface Progress {
  readonly asked: MigrationAsked;
  /** The copies between which the guest goes; the target's once it is known. */
  readonly source: Copy | undefined;
  target: Copy | undefined;
  /** Its guest was parked when S gave it up. */
  wasParked: boolean;
  /** It has given it up. */
  hasGivenUp: boolean;
  /** An earlier migration of the same copy has resumed it, and told no store. */
  isUntold: boolean;
  hasReceivedAll: boolean;
  goWritten: boolean;
  goRead: boolean;
  goTakenBack: boolean;
  status: number | undefined;
  destroys: boolean;
  unpaused: boolean;
  sourceEnd: string | undefined;
  targetEnd: string | undefined;
  /** Processes that were killed, and before which step. */
  readonly killed: Map<string, string>;
  isBadly: boolean;
  /** Something was said of it. */
  isBegun: boolean;
}

/** Nothing has been said of it yet. */
export function begin(asked: MigrationAsked, { copies }: MigrationHistory): Progress {
  const source = copies.find((copy) => copy.host === asked.from && copy.uniqueId === asked.uniqueId);
  return {
    asked,
    source,
    target: undefined,
    wasParked: false,
    hasGivenUp: false,
    isUntold: false,
    hasReceivedAll: false,
    goWritten: false,
    goRead: false,
    goTakenBack: false,
    status: undefined,
    destroys: false,
    unpaused: false,
    sourceEnd: undefined,
    targetEnd: undefined,
    killed: new Map(),
    isBadly: false,
    isBegun: false,
  };
}
