import { BlockDevices, Disk } from '../../../guests/devices/index.ts';

/** Sectors of each disk. */
const SECTORS = 512;
/** Major number of a disk that is not local: sd. */
const MAJOR = 8;
/** Minor numbers that each disk has for its partitions. */
const MINORS = 16;

const LUN = /^\/dev\/san\/lun-(\d+)$/;

/** Disks that every host reaches, under the same names: storage behind a network. */
export class San {
  readonly disks = new BlockDevices((number) => (this.#luns.has(number) ? new Disk(SECTORS) : undefined));
  readonly #luns = new Map<string, number>();

  /** A disk's name on every host. */
  static path(lun: number): string {
    return `/dev/san/lun-${lun}`;
  }

  /** What `stat` says of it on every host. */
  numberOf(path: string): string | undefined {
    const lun = LUN.exec(path)?.[1];
    if (lun === undefined) return undefined;
    const number = `${MAJOR}:${(Number(lun) * MINORS).toString(16)}`;
    this.#luns.set(number, Number(lun));
    return number;
  }

  /** Sums of all sectors of each disk that was used, by its number. */
  sums(): readonly (readonly [lun: number, sums: readonly number[]])[] {
    return this.disks.all.map(([number, disk]) => [this.#luns.get(number) ?? -1, disk.sums()] as const);
  }
}
