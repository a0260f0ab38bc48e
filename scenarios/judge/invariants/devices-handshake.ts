import type { DeviceRecord, History } from '../history.ts';
import { textOf } from '../oracles/octets.ts';
import type { RecordLog } from '../record-log.ts';
import type { DeviceEvidence } from './devices-evidence.ts';
import type { Findings } from './finding.ts';

/** Which states may follow a state of an end, by kind and side. Source: guests.md 2.4, 2.5; drivers in Linux. */
const NEXT: Readonly<Record<string, Readonly<Record<number, readonly number[]>>>> = {
  // An end that is torn down in an early state goes to 5 or 6 at once.
  'vbd front': { 1: [3, 5, 6], 3: [4, 5, 6], 4: [5, 6], 5: [6], 6: [1] },
  // 4 again: the disk has another size.
  'vbd back': { 1: [2, 5, 6], 2: [4, 5, 6], 4: [4, 5, 6], 5: [6], 6: [2, 5] },
  'vif front': { 1: [4, 5, 6], 4: [5, 6], 5: [6], 6: [1] },
  // From 2 past 4: it was connected and closed again while the hotplug script was waited for.
  'vif back': { 1: [2, 5, 6], 2: [4, 5, 6], 4: [5], 5: [6], 6: [2, 5] },
};

const INITIALISING = 1;

/** Ring keys as the frontend published them last; `undefined`: none, or taken back. */
type Published = Extract<DeviceRecord, { what: 'published' }> | undefined;

/** By device. */
export type PublishedKeys = Map<string, Published>;

/** The states of both ends, and which rings the backend maps. */
export class Handshake {
  readonly #evidence: DeviceEvidence;
  readonly #states = new Map<string, number>();
  readonly #published: PublishedKeys;
  readonly #isMoved: boolean;
  /** Ports that a frontend published as two, in keys that nobody has removed since. */
  readonly #split = new Map<string, readonly number[]>();

  /** @param moved what frontends have published, shared by hosts between which they go with rings in use; left out: they do not. */
  constructor(evidence: DeviceEvidence, moved?: PublishedKeys) {
    this.#evidence = evidence;
    this.#published = moved ?? new Map();
    this.#isMoved = moved !== undefined;
  }

  note(record: DeviceRecord): void {
    const { dev } = record;
    switch (record.what) {
      case 'probed':
        this.#states.set(`${dev} ${record.side}`, INITIALISING);
        if (record.side === 'front') {
          this.#published.set(dev, undefined);
          this.#split.delete(dev);
        }
        return;
      case 'state':
        this.#state(record);
        return;
      case 'published':
        this.#published.set(dev, record);
        if (record.ports.length > 1) this.#split.set(dev, record.ports);
        return;
      case 'withdrawn':
        this.#published.set(dev, undefined);
        return;
      case 'attached':
        this.#attached(record);
        return;
      case 'refused':
        // INV-H2: the keys are there whenever the state says so; a frontend that is dying takes them along.
        if (this.#evidence.mayBeRefused(record.status)) this.#evidence.findings.count('rings refused for want of room');
        else if (this.#mayBeFormer(dev, record.port)) this.#evidence.findings.count('ports of a former connection');
        else if (this.#evidence.isAlive(dev) && this.#published.get(dev) !== undefined)
          this.#evidence.broken(record, '', `INV-H2: the backend could not attach: ${record.why}`);
        return;
      default:
    }
  }

  /**
   * 1. A frontend has published two ports, and connects anew. 2. The store has no memory for its reading of
   * feature-split-event-channels (INJ-T10), which counts as 0. 3. It publishes one port as `event-channel`, and leaves
   * `event-channel-tx` and `-rx` as they are. 4. The backend looks for those first. Source: linux drivers/net/xen-netfront.c,
   * write_queue_xenstore_keys; drivers/net/xen-netback/xenbus.c, connect_data_rings.
   */
  #mayBeFormer(dev: string, port: number | undefined): boolean {
    const isUnsplit = this.#published.get(dev)?.ports.length === 1;
    return (
      port !== undefined && isUnsplit && this.#split.get(dev)?.includes(port) === true && this.#evidence.isRefused(dev)
    );
  }

  /** INV-H1: only the steps of the drivers' state machines. */
  #state(record: Extract<DeviceRecord, { what: 'state' }>): void {
    const { dev, side, state } = record;
    const from = this.#states.get(`${dev} ${side}`) ?? INITIALISING;
    this.#states.set(`${dev} ${side}`, state);
    this.#evidence.findings.count('state changes');
    if (NEXT[`${dev.split('/')[0]} ${side}`]?.[from]?.includes(state) !== true)
      this.#evidence.broken(record, '', `INV-H1: the ${side}end went from state ${from} to ${state}`);
  }

  /** INV-H3: what the backend maps is what the frontend published last, and did not take back. */
  #attached(record: Extract<DeviceRecord, { what: 'attached' }>): void {
    const published = this.#published.get(record.dev);
    this.#evidence.findings.count('connections');
    // A dying frontend may have taken its keys back. One that is to move does not know that it stands still.
    if (!this.#isMoved && !this.#evidence.isAlive(record.dev)) return;
    const isSame =
      published !== undefined &&
      String(published.refs) === String(record.refs) &&
      (String(published.ports) === String(record.ports) ||
        record.ports.every((port) => this.#mayBeFormer(record.dev, port)));
    if (isSame) return;
    const due = published === undefined ? 'none' : `${published.refs} and ports ${published.ports}`;
    this.#evidence.broken(
      record,
      '',
      `INV-H3: the backend mapped ${record.refs} and ports ${record.ports}, published were ${due}`,
    );
  }
}

const WRITE = 11;
const FRONT = /^\/local\/domain\/(\d+)\/device\/[^/]+\/\d+\/state$/;
const BACK = /^\/local\/domain\/(\d+)\/backend\/[^/]+\/\d+\/\d+\/state$/;

/** INV-H1, in what was asked of the store: a state node is written by its own side, or by the toolstack's domain. */
export function ownership(history: History, log: RecordLog, findings: Findings): void {
  /** State writes without an answer, by connection and req_id. */
  const waiting = new Map<string, { readonly seq: number; readonly path: string }>();
  for (let seq = 0; seq < log.length; seq++) {
    const kind = log.messageAt(seq);
    if (kind === undefined) continue;
    const conn = log.conns[seq] as number;
    if (kind === 'sent' && log.typeOf(seq) === WRITE) {
      const domid = history.epochs[conn]?.domid;
      const payload = log.payloadOf(seq);
      const asked = textOf(payload.subarray(0, payload.indexOf(0)));
      if (!asked.endsWith('/state')) continue;
      const path = asked.startsWith('/') ? asked : `/local/domain/${domid}/${asked}`;
      const owner = FRONT.exec(path)?.[1] ?? BACK.exec(path)?.[1];
      if (owner === undefined) continue;
      findings.count('state writes');
      if (domid !== 0 && Number(owner) !== domid) waiting.set(`${conn} ${log.reqIdOf(seq)}`, { seq, path });
    } else if (kind === 'got' && waiting.size > 0) {
      const key = `${conn} ${log.reqIdOf(seq)}`;
      const asked = waiting.get(key);
      const type = log.typeOf(seq);
      if (asked === undefined || type === 15) continue;
      waiting.delete(key);
      if (type !== WRITE) continue; // refused
      const at = { seq: asked.seq, timeNs: log.times[asked.seq] as number };
      findings.add(
        at,
        log.actorOf(asked.seq),
        `WRITE ${asked.path}`,
        'INV-H1: the state of another domain was written',
      );
    }
  }
}
