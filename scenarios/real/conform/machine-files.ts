import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The layout that the stand-in (standin.c) knows: an entry for each domid, a word for each port, a page for each ring. */
const DOMIDS = 32768;
const DOMAIN_OCTETS = 16;
const UNIQUE_ID_AT = 8;
const STATUS_PORTS = 64;
const STATUS_VIRQ = 0;
const STATUS_SECONDS = 3;
const PORT_BASE = 100;
const PAGE_OCTETS = 4096;

export const SHUTDOWN_CODES = { poweroff: 0, reboot: 1, suspend: 2, crash: 3 } as const;

/** The file that is a domain's ring page. */
export function pageOf(dir: string, domid: number): string {
  return join(dir, `page-${domid}`);
}

/** The daemon's own port of a domain, dom0's included. */
export function portOf(domid: number): number {
  return PORT_BASE + domid;
}

/** A machine with dom0 alone. */
export async function makeMachine(dir: string): Promise<void> {
  await writeZeros(join(dir, 'domains'), DOMIDS * DOMAIN_OCTETS);
  await writeZeros(join(dir, 'status'), (STATUS_PORTS + DOMIDS) * 4);
  await writeZeros(pageOf(dir, 0), PAGE_OCTETS);
  await patch(join(dir, 'domains'), 0, [1]);
  await patch(join(dir, 'domains'), UNIQUE_ID_AT, [1]);
  await patch(join(dir, 'status'), 4 * STATUS_SECONDS, [0, 0, 0x10, 0]); // any time but zero will do
}

/** A domain is there, its ring page is empty, and the daemon has bound `port` of it already. */
export async function connectDomain(dir: string, domid: number, port: number): Promise<void> {
  await patch(join(dir, 'domains'), domid * DOMAIN_OCTETS, [1, 0, 0, 0]);
  await writeZeros(pageOf(dir, domid), PAGE_OCTETS);
  await patch(join(dir, 'status'), 4 * (STATUS_PORTS + domid), [port, 0, 0, 0]);
}

/** What a running daemon takes for its hypervisor: files that the stand-in maps and reads. */
export class MachineFiles {
  readonly #dir: string;
  readonly #fds: { readonly domains: number; readonly status: number; readonly evtchn: number };
  /** Of the youngest domain; dom0 has 1. */
  #uniqueId = 1;

  /** @param dir where `makeMachine` has made them, and the daemon has begun to use them. */
  constructor(dir: string) {
    this.#dir = dir;
    this.#fds = {
      domains: openSync(join(dir, 'domains'), 'r+'),
      status: openSync(join(dir, 'status'), 'r'),
      evtchn: openSync(join(dir, 'evtchn'), constants.O_RDWR | constants.O_NONBLOCK),
    };
  }

  exists(domid: number): boolean {
    return this.#entry(domid)[0] !== 0;
  }

  /** Let a domain exist, with an empty ring page. */
  async create(domid: number): Promise<void> {
    await writeFile(pageOf(this.#dir, domid), new Uint8Array(PAGE_OCTETS));
    this.#setDomain(domid, { exists: 1, uniqueId: ++this.#uniqueId });
  }

  shutdown(domid: number, reason: keyof typeof SHUTDOWN_CODES): void {
    this.#setDomain(domid, { exists: 1, shutdown: SHUTDOWN_CODES[reason] });
    this.#raiseVirq();
  }

  beginDeath(domid: number): void {
    this.#setDomain(domid, { exists: 1, dying: 1 });
    this.#raiseVirq();
  }

  async endDeath(domid: number): Promise<void> {
    this.#setDomain(domid, { exists: 0 });
    await rm(pageOf(this.#dir, domid), { force: true });
    this.#raiseVirq(); // the second one, when the last mapping is gone and the domid is free
  }

  /** The guest's event channel; without effect while the daemon has not bound its end. */
  kick(domid: number): void {
    if (this.#status(STATUS_PORTS + domid) !== 0) this.#makeReady(portOf(domid));
  }

  close(): void {
    for (const fd of Object.values(this.#fds)) closeSync(fd);
  }

  #entry(domid: number): Uint8Array {
    const entry = new Uint8Array(DOMAIN_OCTETS);
    readSync(this.#fds.domains, entry, 0, DOMAIN_OCTETS, domid * DOMAIN_OCTETS);
    return entry;
  }

  /** What the hypervisor tells of a domain changes; while the VIRQ is bound, it also remembers that it did. */
  #setDomain(domid: number, to: { exists: 0 | 1; shutdown?: number; dying?: 1; uniqueId?: number }): void {
    const entry = to.exists === 1 && to.uniqueId === undefined ? this.#entry(domid) : new Uint8Array(DOMAIN_OCTETS);
    entry[0] = to.exists;
    if (to.shutdown !== undefined) [entry[1], entry[2]] = [1, to.shutdown];
    if (to.dying !== undefined) entry[3] = to.dying;
    entry[4] = this.#status(STATUS_VIRQ) === 0 ? 0 : 1;
    if (to.uniqueId !== undefined) new DataView(entry.buffer).setUint32(UNIQUE_ID_AT, to.uniqueId, true);
    writeSync(this.#fds.domains, entry, 0, DOMAIN_OCTETS, domid * DOMAIN_OCTETS);
  }

  #raiseVirq(): void {
    const port = this.#status(STATUS_VIRQ);
    if (port !== 0) this.#makeReady(port);
  }

  #status(word: number): number {
    const octets = new Uint8Array(4);
    readSync(this.#fds.status, octets, 0, 4, 4 * word);
    return new DataView(octets.buffer).getUint32(0, true);
  }

  #makeReady(port: number): void {
    const octets = new Uint8Array(4);
    new DataView(octets.buffer).setUint32(0, port, true);
    writeSync(this.#fds.evtchn, octets);
  }
}

async function writeZeros(path: string, octets: number): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(octets);
  await file.close();
}

async function patch(path: string, at: number, octets: readonly number[]): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(new Uint8Array(octets), 0, octets.length, at);
  await file.close();
}
