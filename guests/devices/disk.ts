import { SECTOR_BYTES, sectorSums } from './sums.ts';

/** How long a disk takes, ns: to find the place, and for each sector. */
export interface DiskSpeed {
  readonly seekNsMax: number;
  readonly sectorNs: number;
}

/** A disk: octets that stay. What was written is there at once and for good; there is no volatile cache. */
export class Disk {
  readonly speed: DiskSpeed;
  #bytes: Uint8Array;
  readonly #resized: (() => void)[] = [];
  /** The device that opened it last. */
  openedBy = '';
  /** FLUSH_DISKCACHE and barriers so far. */
  flushes = 0;

  constructor(sectors: number, speed: DiskSpeed = { seekNsMax: 8_000, sectorNs: 40 }) {
    this.speed = speed;
    this.#bytes = new Uint8Array(sectors * SECTOR_BYTES);
  }

  get sectors(): number {
    return this.#bytes.length / SECTOR_BYTES;
  }

  /** The octets of sectors `sector` .. `sector + sectors - 1`: a window; `undefined`: not all of them are there. */
  window(sector: number, sectors: number): Uint8Array | undefined {
    if (sector + sectors > this.sectors) return undefined;
    return this.#bytes.subarray(sector * SECTOR_BYTES, (sector + sectors) * SECTOR_BYTES);
  }

  /** One sum for each sector. */
  sums(): number[] {
    return sectorSums(this.#bytes);
  }

  /** Grow or shrink; who has it open is told. */
  resize(sectors: number): void {
    const bytes = new Uint8Array(sectors * SECTOR_BYTES);
    bytes.set(this.#bytes.subarray(0, bytes.length));
    this.#bytes = bytes;
    for (const tell of this.#resized) tell();
  }

  onResize(tell: () => void): void {
    this.#resized.push(tell);
  }
}

/** A kernel's block devices, by number as the key `physical-device` has it: `<major>:<minor>` in hex. */
export class BlockDevices {
  readonly #disks = new Map<string, Disk>();
  readonly #make: (number: string) => Disk | undefined;

  /** @param make what is found behind a number that is opened for the first time; `undefined`: no such device. */
  constructor(make: (number: string) => Disk | undefined) {
    this.#make = make;
  }

  open(number: string): Disk | undefined {
    const disk = this.#disks.get(number) ?? this.#make(number);
    if (disk !== undefined) this.#disks.set(number, disk);
    return disk;
  }

  /** Every disk that was opened, by number. */
  get all(): readonly (readonly [number: string, disk: Disk])[] {
    return [...this.#disks].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }
}
