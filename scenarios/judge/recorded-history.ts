import type { History } from './history.ts';
import { RecordLog } from './record-log.ts';

/**
 * A history whose records are in columns. `records` makes objects of them all, once somebody asks; what goes over a whole
 * history asks `logOf`. A copy with something changed (`{ ...history, devices }`) is a history like any other.
 */
class RecordedHistory implements History {
  declare readonly epochs: History['epochs'];
  declare readonly records: History['records'];
  declare readonly transactionPolicy: History['transactionPolicy'];
  declare readonly compat: History['compat'];
  readonly #log: RecordLog;

  constructor(log: RecordLog, { epochs, ...rest }: Omit<History, 'records'>) {
    this.#log = log;
    Object.assign(this, { epochs });
    Object.defineProperty(this, 'records', { enumerable: true, get: () => log.all() });
    Object.assign(this, rest);
  }

  static logOf(history: History): RecordLog | undefined {
    return #log in history ? history.#log : undefined;
  }
}

export function recordedHistory(log: RecordLog, rest: Omit<History, 'records'>): History {
  return new RecordedHistory(log, rest);
}

/** The records of a history in columns: as they were recorded, or made from its objects. */
export function logOf(history: History): RecordLog {
  return RecordedHistory.logOf(history) ?? RecordLog.of(history.records);
}
