import type { History, HistoryRecord } from './history.ts';
import { RecordLog } from './record-log.ts';

/**
 * A history whose records are in columns. `records` makes objects of them all, once somebody asks; what goes over a whole
 * history asks `logOf`. A copy with something changed (`{ ...history, devices }`) is a history like any other.
 */
class RecordedHistory implements History {
  readonly epochs!: History['epochs'];
  readonly records!: History['records'];
  readonly transactionPolicy!: History['transactionPolicy'];
  readonly compat!: History['compat'];
  readonly #log: RecordLog;

  constructor(log: RecordLog, rest: Omit<History, 'records'>) {
    this.#log = log;
    Object.assign(this, rest);
    Object.defineProperty(this, 'records', { enumerable: true, get: (): readonly HistoryRecord[] => log.all() });
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
