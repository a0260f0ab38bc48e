import type { DeviceRecord, History, HistoryRecord, JoinedDevices } from './history.ts';
import type { Copy, MigrationHistory } from './migrations.ts';
import { logOf } from './recorded-history.ts';

/** What was on a guest's disk in the end, from the storage that all hosts share. */
export interface FinalDisk {
  readonly uuid: string;
  readonly devid: number;
  readonly sums: readonly number[];
}

/** Something of one host, in the order of that host. */
type Item =
  | { readonly timeNs: number; readonly host: number; readonly record: HistoryRecord }
  | { readonly timeNs: number; readonly host: number; readonly device: DeviceRecord };

/**
 * The disks of guests over all hosts, as one history: a guest has one number wherever it is, its copies one life, and a disk one name.
 * The order between hosts is that of time; where two of them do something in the same ns, that of their numbers, and neither can
 * know of the other's.
 */
export function joinDisks(
  histories: readonly History[],
  migrations: MigrationHistory,
  disks: readonly FinalDisk[],
): History {
  return join(histories, migrations, disks, ({ dev }) => dev.startsWith('vbd/')).history;
}

/** As joinDisks(), with interfaces; those of a host's own have its number behind their names. */
export function joinDevices(
  histories: readonly History[],
  migrations: MigrationHistory,
  disks: readonly FinalDisk[],
): JoinedDevices {
  return join(histories, migrations, disks, () => true);
}

function join(
  histories: readonly History[],
  migrations: MigrationHistory,
  disks: readonly FinalDisk[],
  isWanted: (record: DeviceRecord) => boolean,
): JoinedDevices {
  const joiner = new Joiner(migrations);
  const items = histories
    .flatMap((history, host) => itemsOf(history, host, isWanted))
    .toSorted((a, b) => a.timeNs - b.timeNs || a.host - b.host);
  for (const item of items) joiner.take(item);
  for (const { uuid, devid, sums } of disks) joiner.final(uuid, devid, sums);
  const [first] = histories;
  const history: History = {
    epochs: [],
    records: joiner.records,
    devices: joiner.devices,
    transactionPolicy: first?.transactionPolicy ?? 'carry',
    compat: first?.compat ?? '4.22',
  };
  return { history, hosts: joiner.hosts };
}

/** Lives, faults and the end, and what was said of devices between them; stable in the order of the host. */
function itemsOf(history: History, host: number, isWanted: (record: DeviceRecord) => boolean): Item[] {
  const items: Item[] = [];
  const devices = (history.devices ?? []).filter(isWanted);
  let next = 0;
  const until = (seq: number) => {
    for (let device = devices[next]; device !== undefined && device.seq <= seq; device = devices[++next])
      items.push({ timeNs: device.timeNs, host, device });
  };
  for (const record of logOf(history).kept) {
    if (record.kind !== 'life' && record.kind !== 'fault' && record.kind !== 'snapshot') continue;
    until(record.seq);
    items.push({ timeNs: record.timeNs, host, record });
  }
  until(Number.POSITIVE_INFINITY);
  return items;
}

class Joiner {
  readonly records: HistoryRecord[] = [];
  readonly devices: DeviceRecord[] = [];
  readonly hosts: number[] = [];
  /** By host and unique id. */
  readonly #copies = new Map<string, Copy>();
  /** Guests by their uuid, each with a number. */
  readonly #numbers = new Map<string, number>();
  /** The copy that has each host's domain id now. */
  readonly #here = new Map<string, Copy>();
  /** The copy in which each guest lives. */
  readonly #current = new Map<string, Copy>();
  readonly #pauses = new Map<Copy, number>();
  readonly #probed = new Set<string>();
  #timeNs = 0;

  constructor({ copies }: MigrationHistory) {
    for (const copy of copies) {
      this.#copies.set(`${copy.host} ${copy.uniqueId}`, copy);
      if (!this.#numbers.has(copy.uuid)) this.#numbers.set(copy.uuid, this.#numbers.size + 1);
    }
  }

  take(item: Item): void {
    this.#timeNs = item.timeNs;
    if ('device' in item) this.#device(item.host, item.device);
    else if (item.record.kind === 'life') this.#life(item.host, item.record);
    else this.#add(item.record);
  }

  final(uuid: string, devid: number, sums: readonly number[]): void {
    const number = this.#numbers.get(uuid);
    if (number === undefined) return;
    const dev = `vbd/${number}/${devid}`;
    this.devices.push({ seq: this.records.length, timeNs: this.#timeNs, dev, what: 'disk', sums });
    this.hosts.push(0);
  }

  #add(record: HistoryRecord): void {
    this.records.push({ ...record, seq: this.records.length });
  }

  /** Of a guest's copies only the one in which it lives has a life; another one that begins to run takes it over. */
  #life(host: number, record: Extract<HistoryRecord, { kind: 'life' }>): void {
    const copy = this.#copies.get(`${host} ${record.uniqueId}`);
    if (copy === undefined) return;
    const domid = this.#numbers.get(copy.uuid) as number;
    if (record.what === 'created') {
      this.#here.set(`${host} ${record.domid}`, copy);
      this.#pauses.set(copy, 1);
      if (this.#current.has(copy.uuid)) return;
      this.#current.set(copy.uuid, copy);
    }
    if (record.what === 'paused') this.#pauses.set(copy, (this.#pauses.get(copy) ?? 0) + 1);
    if (record.what === 'unpaused') this.#pauses.set(copy, (this.#pauses.get(copy) ?? 1) - 1);
    if (this.#current.get(copy.uuid) === copy) this.#add({ ...record, domid });
    else if (record.what === 'unpaused' && this.#pauses.get(copy) === 0) {
      this.#current.set(copy.uuid, copy);
      this.#add({ ...record, domid, what: 'resumed' });
    }
  }

  #device(host: number, record: DeviceRecord): void {
    const [kind, domid, devid] = record.dev.split('/');
    if (domid === '0') {
      this.devices.push({ ...record, dev: `${record.dev}@${host}`, seq: this.records.length });
      this.hosts.push(host);
      return;
    }
    const copy = this.#here.get(`${host} ${domid}`);
    if (copy === undefined || record.what === 'disk') return;
    const dev = `${kind}/${this.#numbers.get(copy.uuid)}/${devid}`;
    if (record.what === 'probed' && record.side === 'front') {
      if (this.#probed.has(dev)) return; // it is the one that was there before, with all that it has asked for
      this.#probed.add(dev);
    }
    this.devices.push({ ...record, dev, seq: this.records.length });
    this.hosts.push(host);
  }
}
