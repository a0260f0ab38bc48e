/** Where and why a piece of an image cannot be read or written. `offset` is absolute, from the image's first octet. */
export interface FormatFailure {
  readonly offset: number;
  /** Number of the record, from 0; -1 for the image header. */
  readonly record: number;
  /** Name of the record's type, `header` for the image header, `''` where there is no record yet. */
  readonly name: string;
  /** The field, e.g. `perms[2].domid`; `''` for the record as a whole. */
  readonly path: string;
  readonly reason: string;
}

/** What every fallible function of this folder returns instead of throwing. */
export type FormatResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: FormatFailure };

/** A failure as one line of text. */
export function formatFailure(failure: FormatFailure): string {
  const where = failure.record < 0 ? failure.name : `record ${failure.record}${failure.name && ` ${failure.name}`}`;
  const path = failure.path === '' ? '' : `, ${failure.path}`;
  return `offset ${failure.offset} (0x${failure.offset.toString(16)}), ${where}${path}: ${failure.reason}`;
}

/** A failure as a cursor sees it, before the record's number and name are known. */
export interface CursorFailure {
  readonly offset: number;
  readonly path: string;
  readonly reason: string;
}

/** Integers of the formats; the byte order comes from the cursor. */
export const INT_TYPES = ['u8', 'u16', 'u32', 'u64', 'i32'] as const;
export type IntType = (typeof INT_TYPES)[number];
export const INT_BYTES: Readonly<Record<IntType, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, i32: 4 };

/** One field of a run of fixed-size fields: name, offset from the start of the run, size. */
export type RunPart = readonly [path: string, at: number, size: number];

/** Reads inside the window `pos`..`end` of `bytes`. The first failure is kept; whoever gets `undefined` gives up. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  littleEndian = true;
  pos = 0;
  /** First offset that must not be read. */
  end: number;
  /** Start of the body: what padding inside a record is aligned to. */
  base = 0;
  failure: CursorFailure | undefined = undefined;

  constructor(bytes: Uint8Array) {
    // A subclass would hand its own kind out of subarray(); images hold plain octets only.
    this.bytes =
      bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.length;
  }

  fail(offset: number, path: string, reason: string): undefined {
    this.failure ??= { offset, path, reason };
    return undefined;
  }

  /** Fails for the first part of a fixed run at `pos` that does not fit. */
  short(pos: number, prefix: string, run: readonly RunPart[]): undefined {
    for (const [path, at, size] of run)
      if (pos + at + size > this.end) return this.beyond(pos + at, prefix + path, size);
    return this.fail(pos, prefix, 'does not fit');
  }

  /** Fails because `wanted` octets at `pos` reach beyond the end. */
  beyond(pos: number, path: string, wanted: number): undefined {
    return this.fail(pos, path, `wants ${wanted} octets, ${Math.max(0, this.end - pos)} left`);
  }

  /** One integer; `undefined` = failure. */
  int(type: IntType, path: string): number | bigint | undefined {
    const at = this.pos;
    if (at + INT_BYTES[type] > this.end) return this.beyond(at, path, INT_BYTES[type]);
    this.pos = at + INT_BYTES[type];
    switch (type) {
      case 'u8':
        return this.view.getUint8(at);
      case 'u16':
        return this.view.getUint16(at, this.littleEndian);
      case 'u32':
        return this.view.getUint32(at, this.littleEndian);
      case 'i32':
        return this.view.getInt32(at, this.littleEndian);
      case 'u64':
        return this.view.getBigUint64(at, this.littleEndian);
    }
  }

  /** A window of `length` octets; `undefined` = failure. */
  window(length: number, path: string): Uint8Array | undefined {
    if (length > this.end - this.pos) return this.beyond(this.pos, path, length);
    this.pos += length;
    return this.bytes.subarray(this.pos - length, this.pos);
  }
}

/** The octets `from`..`to` when they are worth keeping, i.e. not all zero. */
export function keptOctets(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return bytes.subarray(from, to);
  return undefined;
}

const FIRST_CAPACITY = 4096;
/** A typed array's limit is the engine's; staying below it turns an impossible image into a failure. */
const CAPACITY_MAX = 2 ** 32 - 1;

/** Writes into a buffer that doubles when it is full. Octets from `pos` on are undefined until written. */
export class Writer {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView;
  littleEndian = true;
  pos = 0;
  base = 0;
  failure: CursorFailure | undefined = undefined;

  constructor(capacity = FIRST_CAPACITY) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  fail(offset: number, path: string, reason: string): undefined {
    this.failure ??= { offset, path, reason };
    return undefined;
  }

  /** Makes room for `more` octets at `pos`; false = failure. Replaces `bytes` and `view`. */
  room(pos: number, more: number): boolean {
    const needed = pos + more;
    if (needed <= this.bytes.length) return true;
    if (needed > CAPACITY_MAX) {
      this.fail(pos, '', `an image of ${needed} octets cannot be held`);
      return false;
    }
    let grown: Uint8Array<ArrayBuffer>;
    try {
      grown = new Uint8Array(Math.min(CAPACITY_MAX, Math.max(needed, this.bytes.length * 2, FIRST_CAPACITY)));
    } catch {
      this.fail(pos, '', `no memory for an image of ${needed} octets`); // a RangeError; nothing else can happen here
      return false;
    }
    grown.set(this.bytes.subarray(0, pos));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
    return true;
  }

  /** Appends octets; false = failure. */
  octets(octets: Uint8Array): boolean {
    if (!this.room(this.pos, octets.length)) return false;
    this.bytes.set(octets, this.pos);
    this.pos += octets.length;
    return true;
  }

  /** Appends `count` zeroes; false = failure. */
  zeroes(count: number): boolean {
    if (!this.room(this.pos, count)) return false;
    // Mostly padding, and too little of it to be worth a call of fill().
    for (let i = 0; i < count; i++) this.bytes[this.pos++] = 0;
    return true;
  }

  /** Appends a u32 that the caller knows to fit; false = failure. */
  u32(value: number): boolean {
    if (!this.room(this.pos, 4)) return false;
    this.view.setUint32(this.pos, value, this.littleEndian);
    this.pos += 4;
    return true;
  }
}
