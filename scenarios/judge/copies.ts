import type { Copy, MigrationHistory, MigrationRecord } from './migrations.ts';

/** What a copy of a guest is (3.2). `parked`: shut down, to be resumed. `ended`: shut down for another reason,
 *  whatever has become of it since. */
export type CopyState = 'none' | 'paused' | 'parked' | 'running' | 'ended';

interface Life {
  readonly copy: Copy;
  pauses: number;
  isMade: boolean;
  shutdown: string | undefined;
  isGone: boolean;
}

/** Every copy of every guest, as the records of lives leave it. */
export class Copies {
  readonly #lives = new Map<string, Life>();

  constructor(history: MigrationHistory) {
    for (const copy of history.copies)
      this.#lives.set(keyOf(copy), { copy, pauses: 1, isMade: false, shutdown: undefined, isGone: false });
  }

  /** Take in a record. @returns the copy whose state it may have changed. */
  note(record: MigrationRecord): Copy | undefined {
    if (record.kind !== 'life') return undefined;
    const life = this.#lives.get(keyOf(record));
    if (life === undefined) return undefined;
    switch (record.what) {
      case 'created':
        life.isMade = true;
        break;
      case 'paused':
        life.pauses++;
        break;
      case 'unpaused':
        life.pauses--;
        break;
      case 'shutdown':
        life.shutdown = record.reason ?? '';
        break;
      case 'resumed':
        life.shutdown = undefined;
        break;
      case 'dying':
      case 'dead':
      case 'gone':
        life.isGone = true;
        break;
    }
    return life.copy;
  }

  stateOf(copy: Pick<Copy, 'host' | 'uniqueId'>): CopyState {
    const life = this.#lives.get(keyOf(copy));
    if (life === undefined || !life.isMade) return 'none';
    if (life.shutdown !== undefined && life.shutdown !== 'suspend') return 'ended'; // also when it has been cleared away
    if (life.isGone) return 'none';
    if (life.shutdown !== undefined) return 'parked';
    return life.pauses > 0 ? 'paused' : 'running';
  }

  /** Those of one guest, in the order in which they were made. */
  of(uuid: string): readonly Copy[] {
    return [...this.#lives.values()].map(({ copy }) => copy).filter((copy) => copy.uuid === uuid);
  }

  /** Those of a guest that run now. */
  running(uuid: string): readonly Copy[] {
    return this.of(uuid).filter((copy) => this.stateOf(copy) === 'running');
  }
}

/** A copy among those of all hosts. */
export function keyOf({ host, uniqueId }: Pick<Copy, 'host' | 'uniqueId'>): string {
  return `${host} ${uniqueId}`;
}

/** By the unique id of a copy in which a guest went on: that of the copy which it left. */
export function predecessors({ asked, records }: MigrationHistory): ReadonlyMap<bigint, bigint> {
  const here = new Map<string, bigint>();
  const found = new Map<bigint, bigint>();
  for (const record of records) {
    if (record.kind === 'life') {
      if (record.what === 'created') here.set(`${record.host} ${record.domid}`, record.uniqueId);
      continue;
    }
    const { news } = record;
    if (news.what !== 'unpaused') continue;
    const heir = here.get(`${record.host} ${news.domid}`);
    const source = asked[record.migration - 1]?.uniqueId;
    if (heir !== undefined && source !== undefined) found.set(heir, source);
  }
  return found;
}
