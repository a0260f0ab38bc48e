import type { DeviceRecord } from '../history.ts';
import type { DeviceCheck, DeviceEvidence } from './devices-evidence.ts';

/** GNTST_general_error. Source: xen/include/public/grant_table.h. */
const GENERAL_ERROR = -1;

type Of<W extends DeviceRecord['what']> = Extract<DeviceRecord, { what: W }>;

/** One request of the frontend's. */
interface Request {
  submitted: Of<'submitted'>;
  /** On a ring from which an answer can come. */
  isOnRing: boolean;
  /** Off that ring, by the backend. */
  isTaken: boolean;
  /** For that ring. */
  executed: Of<'executed'> | undefined;
  completed: Of<'completed'> | undefined;
  /** Position of the submission among the device's records. */
  readonly at: number;
}

/** What a sector shows: its sum; `blank`: zeros, whose sum the first read of them tells. */
type Content = number | 'blank';

/** All disks, each judged alone. */
export class BlockDevices implements DeviceCheck {
  readonly #evidence: DeviceEvidence;
  readonly #all = new Map<string, BlockDevice>();

  constructor(evidence: DeviceEvidence) {
    this.#evidence = evidence;
  }

  get size(): number {
    return this.#all.size;
  }

  note(record: DeviceRecord): void {
    let block = this.#all.get(record.dev);
    if (block === undefined) {
      block = new BlockDevice(this.#evidence, record.dev);
      this.#all.set(record.dev, block);
    }
    block.note(record);
  }

  finish(): void {
    for (const block of this.#all.values()) block.finish();
  }
}

/** One disk of one guest, through all its connections. */
class BlockDevice implements DeviceCheck {
  readonly #evidence: DeviceEvidence;
  readonly #dev: string;
  #requests = new Map<number, Request>();
  /** Requests on the ring that the backend has not taken, in order. */
  #ring: number[] = [];
  /** Next of `#ring`. */
  #next = 0;
  /** The disk as the executions leave it. */
  readonly #disk = new Map<number, Content>();
  /** The disk as the frontend may expect it from its answers alone. */
  readonly #expected = new Map<number, Content>();
  /** Position of the last record that a write of the sector was begun or answered with. */
  readonly #changed = new Map<number, number>();
  /** Sectors of writes and discards that are not answered. */
  readonly #open = new Map<number, number>();
  #blank: number | undefined;
  #position = 0;
  #last: DeviceRecord | undefined;
  #isRemoved = false;
  /** Requests of which the backend could not have a page, and rightly so. */
  #unreachable = 0;

  constructor(evidence: DeviceEvidence, dev: string) {
    this.#evidence = evidence;
    this.#dev = dev;
  }

  note(record: DeviceRecord): void {
    this.#position++;
    this.#last = record;
    switch (record.what) {
      case 'probed':
        if (record.side === 'front') this.#begin();
        return;
      case 'removed':
        if (record.side === 'front') this.#isRemoved = true;
        return;
      case 'withdrawn':
        for (const id of this.#ring) leaveRing(this.#requests.get(id));
        this.#ring = [];
        this.#next = 0;
        return;
      case 'stopped':
        if (this.#evidence.isAlive(this.#dev) && !(record.side === 'front' && this.#evidence.isRefused(this.#dev)))
          this.#broken(record, undefined, `the ${record.side}end stopped: ${record.why}`);
        return;
      case 'unreachable':
        if (this.#evidence.mayBeRefused(record.status) || this.#mayBeReadonly(record)) this.#unreachable++;
        else if (this.#evidence.isAlive(this.#dev))
          this.#broken(record, undefined, `the backend could not have a page: status ${record.status}`);
        return;
      case 'submitted':
        this.#submitted(record);
        return;
      case 'taken':
        this.#taken(record);
        return;
      case 'executed':
        this.#executed(record);
        return;
      case 'completed':
        this.#completed(record);
        return;
      case 'disk':
        this.#final(record);
        return;
      default:
    }
  }

  /**
   * Whether a page may be out of reach by the frontend's grant. 1. It reads `feature-persistent` of its backend, and the store has no
   * memory for that. 2. It takes that for a key that is not there, and grants what is to be written to the disk for reading alone.
   * 3. The backend, which maps for good, and so to write: GNTST_general_error. Source: linux drivers/block/xen-blkfront.c,
   * blkif_queue_rw_req; xen-blkback/blkback.c, xen_blkbk_map.
   */
  #mayBeReadonly({ status }: Of<'unreachable'>): boolean {
    return status === GENERAL_ERROR && this.#evidence.isRefused(this.#dev);
  }

  finish(): void {
    const last = this.#last;
    if (last === undefined || this.#isRemoved || !this.#evidence.isAlive(this.#dev)) return;
    if (this.#evidence.isRefused(this.#dev)) return;
    for (const request of this.#requests.values())
      if (request.completed === undefined) this.#broken(last, request, 'was never answered');
  }

  /** A new frontend: nothing of an older one counts, but what is on the disk. */
  #begin(): void {
    this.#requests = new Map();
    this.#ring = [];
    this.#next = 0;
    this.#isRemoved = false;
    this.#open.clear();
    this.#expected.clear();
  }

  #submitted(record: Of<'submitted'>): void {
    const before = this.#requests.get(record.id);
    this.#ring.push(record.id);
    if (before === undefined) {
      this.#evidence.findings.count('block requests');
      this.#requests.set(record.id, {
        submitted: record,
        isOnRing: true,
        isTaken: false,
        executed: undefined,
        completed: undefined,
        at: this.#position,
      });
      if (isChange(record.op)) this.#touch(record, 1);
      return;
    }
    // After a reconnection what was not answered is asked for again (INV-H7): the same, and it may be done again.
    this.#evidence.findings.count('block requests asked again');
    if (before.completed !== undefined) this.#broken(record, before, 'was submitted again after its answer');
    if (!isSame(before.submitted, record) || !areEqual(before.submitted.sums, record.sums))
      this.#broken(record, before, 'was submitted again as another request');
    before.submitted = record;
    before.isOnRing = true;
  }

  #taken(record: Of<'taken'>): void {
    const due = this.#ring[this.#next];
    const request = this.#requests.get(record.id);
    if (due === record.id) this.#next++;
    else {
      this.#broken(record, request, `was taken off the ring where request ${due ?? 'none'} was next`);
      const at = this.#ring.indexOf(record.id, this.#next);
      if (at >= 0) this.#next = at + 1;
    }
    if (request !== undefined) request.isTaken = true;
  }

  #executed(record: Of<'executed'>): void {
    const { findings } = this.#evidence;
    const request = this.#requests.get(record.id);
    if (request === undefined || !isSame(request.submitted, record)) {
      this.#broken(record, request, `the backend did what nobody asked for: ${describe(record)}`);
      return;
    }
    if (!request.isTaken) this.#broken(record, request, 'was done before it was taken off the ring');
    if (request.executed !== undefined) this.#broken(record, request, 'was done twice');
    request.executed = record;
    if (!record.ok) {
      if (this.#unreachable > 0) this.#unreachable--;
      else if (this.#evidence.isAlive(this.#dev)) this.#broken(record, request, 'could not be done');
      return;
    }
    findings.count('sectors moved', record.sectors);
    if (record.op === 'discard') this.#fill(record.sector, record.sectors, 'blank');
    else if (record.op === 'read') {
      const bad = record.sums.findIndex((sum, i) => !this.#shows(this.#disk, record.sector + i, sum));
      if (bad >= 0) this.#broken(record, request, `sector ${record.sector + bad} was read as nobody wrote it`);
    } else if (isChange(record.op)) {
      if (!areEqual(record.sums, request.submitted.sums))
        this.#broken(record, request, 'other octets were written than the guest submitted');
      for (const [i, sum] of record.sums.entries()) this.#disk.set(record.sector + i, sum);
    }
  }

  #completed(record: Of<'completed'>): void {
    const request = this.#requests.get(record.id);
    if (request === undefined) {
      this.#broken(record, undefined, `an answer to request ${record.id}, which nobody made`);
      return;
    }
    if (request.completed !== undefined) {
      this.#broken(record, request, 'was answered twice');
      return;
    }
    request.completed = record;
    const { submitted, executed } = request;
    if (isChange(submitted.op)) this.#touch(submitted, -1);
    if (!record.ok) {
      this.#evidence.findings.count('block requests refused');
      if (isChange(submitted.op)) this.#forget(submitted);
      if (!request.isOnRing) this.#failedByFrontend(record, request);
      else if (executed?.ok === true) this.#broken(record, request, 'was done, and answered with an error');
      else if (executed === undefined && this.#evidence.isAlive(this.#dev))
        this.#broken(record, request, 'was answered with an error, and not tried');
      return;
    }
    if (executed?.ok !== true) {
      this.#broken(record, request, 'was acknowledged and not done');
      return;
    }
    this.#evidence.findings.count('block requests acknowledged');
    if (submitted.op === 'discard') this.#expect(submitted, () => 'blank');
    else if (isChange(submitted.op)) this.#expect(submitted, (i) => submitted.sums[i] ?? 'blank');
    else if (submitted.op === 'read') this.#readBack(record, request, executed);
  }

  /**
   * An error that no backend has given. 1. A request is done. 2. The frontend takes its ring back for a new connection, and never
   * sees the answer; it keeps the request for the new ring. 3. The backend closes before there is one, since the disk is taken
   * away, or refuses the ring. 4. The frontend's user gets an error: of a request that was done, and of which it knows nothing.
   */
  #failedByFrontend(record: Of<'completed'>, request: Request): void {
    if (this.#evidence.isBackendGone(this.#dev) || this.#evidence.isRefused(this.#dev)) return;
    if (this.#evidence.isAlive(this.#dev))
      this.#broken(record, request, 'was given up while a backend was there to be asked again');
  }

  /** What was read is what the backend read, and what the frontend's own earlier writes say. */
  #readBack(record: Of<'completed'>, request: Request, executed: Of<'executed'>): void {
    if (!areEqual(record.sums, executed.sums)) {
      this.#broken(record, request, 'other octets arrived than the backend read');
      return;
    }
    const { sector } = request.submitted;
    record.sums.forEach((sum, i) => {
      const at = sector + i;
      // A write that was under way at the same time may or may not be seen.
      if (this.#open.has(at) || (this.#changed.get(at) ?? 0) > request.at) return;
      if (!this.#expected.has(at)) return;
      this.#evidence.findings.count('sectors read back');
      if (!this.#shows(this.#expected, at, sum))
        this.#broken(record, request, `sector ${at} is not as it was acknowledged`);
    });
  }

  /** The disk when all is over: every acknowledged write that no later one replaced is there (INV-H7). */
  #final(record: Of<'disk'>): void {
    record.sums.forEach((sum, sector) => {
      if (!this.#shows(this.#disk, sector, sum))
        this.#broken(record, undefined, `sector ${sector} of the disk is not as it was written`);
      if (this.#open.has(sector) || !this.#expected.has(sector)) return;
      this.#evidence.findings.count('sectors durable');
      if (!this.#shows(this.#expected, sector, sum))
        this.#broken(record, undefined, `sector ${sector}: an acknowledged write is not on the disk`);
    });
  }

  #shows(disk: ReadonlyMap<number, Content>, sector: number, sum: number): boolean {
    const content = disk.get(sector) ?? 'blank';
    if (content !== 'blank') return content === sum;
    this.#blank ??= sum;
    return this.#blank === sum;
  }

  #fill(sector: number, sectors: number, content: Content): void {
    for (let i = 0; i < sectors; i++) this.#disk.set(sector + i, content);
  }

  #expect({ sector, sectors }: Of<'submitted'>, content: (i: number) => Content): void {
    for (let i = 0; i < sectors; i++) this.#expected.set(sector + i, content(i));
  }

  /** A change that failed may be on the disk, or not. */
  #forget({ sector, sectors }: Of<'submitted'>): void {
    for (let i = 0; i < sectors; i++) this.#expected.delete(sector + i);
  }

  #touch({ sector, sectors }: Of<'submitted'>, by: 1 | -1): void {
    for (let at = sector; at < sector + sectors; at++) {
      this.#changed.set(at, this.#position);
      const open = (this.#open.get(at) ?? 0) + by;
      if (open > 0) this.#open.set(at, open);
      else this.#open.delete(at);
    }
  }

  #broken(record: DeviceRecord, request: Request | undefined, detail: string): void {
    this.#evidence.broken(record, request === undefined ? '' : describe(request.submitted), detail);
  }
}

/** What was not answered there is as it was asked for, wherever it goes next. */
function leaveRing(request: Request | undefined): void {
  if (request === undefined || request.completed !== undefined) return;
  request.isOnRing = false;
  request.isTaken = false;
  request.executed = undefined;
}

function isChange(op: string): boolean {
  return op === 'write' || op === 'barrier' || op === 'discard';
}

function describe({ id, op, sector, sectors }: Of<'submitted' | 'executed'>): string {
  return `${op} ${id} of ${sectors} sectors at ${sector}`;
}

function isSame(a: Of<'submitted'>, b: Of<'submitted' | 'executed'>): boolean {
  return a.op === b.op && a.sector === b.sector && a.sectors === b.sectors;
}

function areEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
