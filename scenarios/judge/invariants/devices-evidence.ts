import type { DeviceRecord, History, HistoryRecord } from '../history.ts';
import { textOf } from '../oracles/octets.ts';
import { Op } from '../oracles/wire.ts';
import type { RecordLog } from '../record-log.ts';
import { Findings } from './finding.ts';

/** GNTST_no_space. Source: xen/include/public/grant_table.h. */
const NO_SPACE = -13;

/** What the checks of one device kind do with its records, in their order. */
export interface DeviceCheck {
  note(record: DeviceRecord): void;
  /** The run came to rest: nothing may be left undone by those who live. */
  finish(): void;
}

/** XenbusStateClosing; Closed is more. Source: xen/include/public/io/xenbus.h. */
const CLOSING = 5;

/** The thread of a bus of frontends, on behalf of all its devices. */
const BUS = '/xenwatch-front';

/** A device, by its name, or all devices of a domain: `*` and its id. */
export type Refused = string;

function domidOf(dev: Refused): number {
  return Number(dev.split('/')[1]);
}

/** Which device of a domain is concerned where a request of its bus is refused, and which cannot be told from others. */
export function refusedDevice(domid: number, payload: Uint8Array): Refused {
  const path = pathOf(payload);
  const own = /^(?:error\/)?device\/([^/]+)\/(\d+)/.exec(path) ?? /\/backend\/([^/]+)\/\d+\/(\d+)/.exec(path);
  return own === null ? `*/${domid}` : `${own[1]}/${domid}/${own[2]}`;
}

function pathOf(payload: Uint8Array): string {
  const end = payload.indexOf(0);
  return textOf(end < 0 ? payload : payload.subarray(0, end));
}

/** What checks of devices share: whose domain runs at the moment of the last record, and what was found so far. */
export class DeviceEvidence {
  readonly findings: Findings;
  readonly #log: RecordLog;
  readonly #epochs: History['epochs'];
  readonly #stopped = new Set<number>();
  /** Faults that last, and are not over. */
  readonly #faults = new Set<string>();
  /** Devices whose frontend was refused a request for want of memory, and domains of which any may be. */
  readonly #refused = new Set<string>();
  /** Devices whose frontend saw its backend closing, closed or gone when it looked last. */
  readonly #abandoned = new Set<string>();
  /** Requests of buses without an answer, by connection and req_id. */
  readonly #asked = new Map<string, number>();
  #at = 0;

  /** @param family under what name it is reported. */
  constructor({ epochs }: History, log: RecordLog, family = 'devices') {
    this.findings = new Findings(family);
    this.#log = log;
    this.#epochs = epochs;
  }

  /** Go on to what happened up to `seq`. */
  advance(seq: number): void {
    for (; this.#at < seq && this.#at < this.#log.length; this.#at++) {
      const kind = this.#log.messageAt(this.#at);
      if (kind === 'sent') this.#sent(this.#at);
      else if (kind === 'got') this.#got(this.#at);
      else this.#fact(this.#log.keptAt(this.#at));
    }
  }

  #fact(record: HistoryRecord | undefined): void {
    if (record?.kind === 'fault') {
      if (record.isOver) this.#faults.delete(record.id);
      else this.#faults.add(record.id);
    }
    if (record?.kind !== 'life') return;
    const { what, domid } = record;
    if (what === 'created')
      for (const devices of [this.#refused, this.#abandoned])
        for (const dev of devices) if (domidOf(dev) === domid) devices.delete(dev);
    if (what === 'created' || what === 'resumed') this.#stopped.delete(domid);
    else if (what === 'shutdown' || what === 'dying') this.#stopped.add(domid);
  }

  #sent(seq: number): void {
    if (this.#log.actorOf(seq).endsWith(BUS)) this.#asked.set(`${this.#log.conns[seq]} ${this.#log.reqIdOf(seq)}`, seq);
  }

  #got(seq: number): void {
    const log = this.#log;
    const type = log.typeOf(seq);
    if (this.#asked.size === 0 || type === Op.WATCH_EVENT) return;
    const conn = log.conns[seq] as number;
    const key = `${conn} ${log.reqIdOf(seq)}`;
    const asked = this.#asked.get(key);
    if (asked === undefined) return;
    this.#asked.delete(key);
    const domid = this.#epochs[conn]?.domid ?? 0;
    const payload = log.payloadOf(seq);
    const backend = /\/backend\/([^/]+)\/(\d+)\/(\d+)\/state$/.exec(pathOf(log.payloadOf(asked)));
    if (log.typeOf(asked) === Op.READ && backend !== null) {
      const dev = `${backend[1]}/${backend[2]}/${backend[3]}`;
      if (type === Op.ERROR || Number(textOf(payload)) >= CLOSING) this.#abandoned.add(dev);
      else this.#abandoned.delete(dev);
    }
    if (type === Op.ERROR && textOf(payload) === 'ENOMEM\0')
      this.#refused.add(refusedDevice(domid, log.payloadOf(asked)));
  }

  /**
   * Whether a device's frontend may have given up by right. 1. It reads a key, registers a watch, or publishes its rings. 2. The
   * store has no memory for that, and says ENOMEM. 3. The driver closes; or cannot tell the refusal from a key that is not there
   * (xenbus_read_unsigned): no persistent grants, no backend any more, no device. No driver asks again.
   */
  isRefused(dev: string): boolean {
    return this.#refused.has(dev) || this.#refused.has(`*/${domidOf(dev)}`);
  }

  /** Whether the frontend, when it looked last, saw its backend closing, closed or gone. */
  isBackendGone(dev: string): boolean {
    return this.#abandoned.has(dev);
  }

  /** Whether the frontend's domain runs: not from its shutdown or the beginning of its death on. */
  isAlive(dev: string): boolean {
    return !this.#stopped.has(domidOf(dev));
  }

  /**
   * Whether the backend may be refused a map, whatever it was asked to map.
   * 1. The frontend grants a page and says so. 2. The map track of the backend's domain is full (INJ-G5). 3. The backend maps:
   * GNTST_no_space, before anybody looks at the grant (GNT-21). It is no word about the frontend, which keeps all its rights.
   */
  mayBeRefused(status: number | undefined): boolean {
    return status === NO_SPACE && this.#faults.has('INJ-G5');
  }

  broken(record: DeviceRecord, request: string, detail: string): void {
    this.findings.add(record, record.dev, request, detail);
  }
}
