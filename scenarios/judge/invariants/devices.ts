import type { DeviceRecord, History, Verdict } from '../history.ts';
import { BlockDevice } from './devices-block.ts';
import { Handshake, ownership } from './devices-handshake.ts';
import { Network } from './devices-net.ts';
import { Findings } from './finding.ts';

export const CLAIM =
  'No payload of a device is lost, doubled, reordered or changed; each acknowledged write is on the disk, each request answered once';
export const SOURCE = 'guests.md 2.3 to 2.5, 6.11 INV-H1, INV-H2, INV-H3, INV-H7; RNG-7';

/** What the checks of one device kind do with its records, in their order. */
export interface DeviceCheck {
  note(record: DeviceRecord): void;
  /** The run came to rest: nothing may be left undone by those who live. */
  finish(): void;
}

/** What checks of devices share. */
export interface DeviceJudge {
  readonly findings: Findings;
  /** Whether the frontend's domain runs, at the moment of the last record. */
  isAlive(dev: string): boolean;
  broken(record: DeviceRecord, request: string, detail: string): void;
}

/**
 * Judge what the ends of devices told of their work, each from its own knowledge. Needs `history.devices`. Linear. A frontend
 * whose domain died, or that closed its device, is owed nothing any more; the others keep all their rights.
 */
export function devices(history: History): Verdict {
  const findings = new Findings('devices');
  const lives = new Lives(history);
  const judge: DeviceJudge = {
    findings,
    isAlive: (dev) => lives.isRunning(domidOf(dev)),
    broken: (record, request, detail) => findings.add(record, record.dev, request, detail),
  };
  const blocks = new Map<string, BlockDevice>();
  const network = new Network(judge);
  const handshake = new Handshake(judge);
  for (const record of history.devices ?? []) {
    lives.advance(record.seq);
    findings.count('records');
    handshake.note(record);
    if (record.dev.startsWith('vif/')) network.note(record);
    else {
      let block = blocks.get(record.dev);
      if (block === undefined) {
        block = new BlockDevice(judge, record.dev);
        blocks.set(record.dev, block);
      }
      block.note(record);
    }
  }
  lives.advance(history.records.length);
  ownership(history, findings);
  // A run that did not come to rest is judged by what it did, not by what it left undone.
  if (history.records.some((r) => r.kind === 'snapshot')) {
    for (const check of [...blocks.values(), network]) check.finish();
  }
  return findings.verdict(CLAIM, SOURCE);
}

export function domidOf(dev: string): number {
  return Number(dev.split('/')[1]);
}

/** Which domains run, while the history is gone through. */
class Lives {
  readonly #records: History['records'];
  readonly #stopped = new Set<number>();
  #at = 0;

  constructor({ records }: History) {
    this.#records = records;
  }

  advance(seq: number): void {
    for (; this.#at < seq && this.#at < this.#records.length; this.#at++) {
      const record = this.#records[this.#at];
      if (record?.kind !== 'life') continue;
      const { what, domid } = record;
      if (what === 'created' || what === 'resumed') this.#stopped.delete(domid);
      else if (what === 'shutdown' || what === 'dying') this.#stopped.add(domid);
    }
  }

  /** False from its shutdown or the beginning of its death on. */
  isRunning(domid: number): boolean {
    return !this.#stopped.has(domid);
  }
}
