import type { DeviceRecord, History } from '../history.ts';
import { Findings } from './finding.ts';

/** What the checks of one device kind do with its records, in their order. */
export interface DeviceCheck {
  note(record: DeviceRecord): void;
  /** The run came to rest: nothing may be left undone by those who live. */
  finish(): void;
}

/** What checks of devices share: whose domain runs at the moment of the last record, and what was found so far. */
export class DeviceEvidence {
  readonly findings = new Findings('devices');
  readonly #records: History['records'];
  readonly #stopped = new Set<number>();
  #at = 0;

  constructor({ records }: History) {
    this.#records = records;
  }

  /** Go on to what happened up to `seq`. */
  advance(seq: number): void {
    for (; this.#at < seq && this.#at < this.#records.length; this.#at++) {
      const record = this.#records[this.#at];
      if (record?.kind !== 'life') continue;
      const { what, domid } = record;
      if (what === 'created' || what === 'resumed') this.#stopped.delete(domid);
      else if (what === 'shutdown' || what === 'dying') this.#stopped.add(domid);
    }
  }

  /** Whether the frontend's domain runs: not from its shutdown or the beginning of its death on. */
  isAlive(dev: string): boolean {
    return !this.#stopped.has(Number(dev.split('/')[1]));
  }

  broken(record: DeviceRecord, request: string, detail: string): void {
    this.findings.add(record, record.dev, request, detail);
  }
}
