/**
 * A small model of grants, from the text of the specification alone: plain data, one domain at a time, no octets. It knows
 * what each operation answers and what an entry then shows. Pages have names of the caller's choosing.
 */
export type Page = string;

const READING = 8;
const WRITING = 16;
const MAX = 128;
export const STATUS = {
  ok: 0,
  general: -1,
  noDomain: -2,
  badRef: -3,
  badHandle: -4,
  badPage: -9,
  eagain: -12,
} as const;

interface Entry {
  flags: number;
  domid: number;
  gfn: number;
  /** Version 2 shows use here; version 1 in the flags. */
  status: number;
}

interface Pin {
  readonly by: number;
  readonly page: Page;
  /** Host and device, for writing and for reading. */
  readonly count: { hw: number; hr: number; dw: number; dr: number };
}

interface Held {
  readonly dom: number;
  readonly ref: number;
  readonly readonly: boolean;
  host: boolean;
  device: boolean;
}

interface ModelDomain {
  state: 'alive' | 'zombie';
  version: 1 | 2;
  readonly entries: Map<number, Entry>;
  readonly pins: Map<number, Pin>;
  readonly pages: Map<number, Page>;
  readonly held: Map<number, Held>;
}

export class GrantModel {
  readonly domains = new Map<number, ModelDomain>();

  create(domid: number): void {
    this.domains.set(domid, {
      state: 'alive',
      version: 1,
      entries: new Map(),
      pins: new Map(),
      pages: new Map(),
      held: new Map(),
    });
  }

  alive(domid: number): boolean {
    return this.domains.get(domid)?.state === 'alive';
  }

  entry(d: ModelDomain, ref: number): Entry {
    const found = d.entries.get(ref) ?? { flags: 0, domid: 0, gfn: 0, status: 0 };
    d.entries.set(ref, found);
    return found;
  }

  /** Whole entry, as a guest stores it. */
  put(domid: number, ref: number, entry: { flags: number; domid: number; gfn: number }): void {
    const d = this.domains.get(domid)!;
    if (ref < refs(d)) Object.assign(this.entry(d, ref), entry);
  }

  storeFlags(domid: number, ref: number, flags: number): void {
    const d = this.domains.get(domid)!;
    if (ref < refs(d)) this.entry(d, ref).flags = flags;
  }

  /** Section 2.6. */
  endAccess(domid: number, ref: number): boolean {
    const d = this.domains.get(domid)!;
    const e = this.entry(d, ref);
    const busy = (this.shown(domid, ref) & (READING | WRITING)) !== 0;
    if (d.version === 2 || !busy) e.flags = 0;
    return !busy;
  }

  /** What the entry shows of its use. */
  shown(domid: number, ref: number): number {
    const d = this.domains.get(domid)!;
    const e = this.entry(d, ref);
    return d.version === 1 ? e.flags : e.status;
  }

  /** Section 2.4. `page` with STATUS.ok. */
  map(
    mapper: number,
    op: { dom: number; ref: number; host: boolean; device: boolean; readonly: boolean },
  ): { status: number; page?: Page } {
    if (!op.host && !op.device) return { status: STATUS.badRef };
    const g = this.domains.get(op.dom);
    if (g === undefined) return { status: STATUS.noDomain };
    if (op.ref >= refs(g)) return { status: STATUS.badRef };
    const found = this.#claim(g, mapper, op, true);
    if (typeof found === 'number') return { status: found };
    if (g.state !== 'alive') {
      this.#reduce(g, op.ref, op.readonly);
      return { status: STATUS.general };
    }
    g.pins.set(op.ref, found);
    if (op.host) found.count[op.readonly ? 'hr' : 'hw']++;
    if (op.device) found.count[op.readonly ? 'dr' : 'dw']++;
    return { status: STATUS.ok, page: found.page };
  }

  /** The handle that the hypervisor chose for a map that succeeded. @returns false: it is in use already. */
  took(
    mapper: number,
    handle: number,
    op: { dom: number; ref: number; host: boolean; device: boolean; readonly: boolean },
  ): boolean {
    const { held } = this.domains.get(mapper)!;
    if (held.has(handle)) return false;
    held.set(handle, { ...op });
    return true;
  }

  /** Section 2.5: the halves that are asked for and there. */
  unmap(caller: number, handle: number, halves: { host: boolean; device: boolean }): number {
    const { held } = this.domains.get(caller)!;
    const h = held.get(handle);
    if (h === undefined) return STATUS.badHandle;
    const host = h.host && halves.host;
    const device = h.device && halves.device;
    h.host &&= !host;
    h.device &&= !device;
    if (!h.host && !h.device) held.delete(handle);
    if (host || device) this.#unpin(h, { host, device });
    return STATUS.ok;
  }

  /** GNT-22 to GNT-24; windows are empty, and what is behind a transitive entry does not exist. One side is a reference, the other a page of the caller. */
  copy(caller: number, op: { dom: number; ref: number; gfn: number; write: boolean }): { status: number; page?: Page } {
    const g = this.domains.get(op.dom);
    const mine = this.domains.get(caller)!.pages.has(op.gfn);
    if (op.write && !mine) return { status: g === undefined ? STATUS.noDomain : STATUS.badPage };
    if (g === undefined) return { status: STATUS.noDomain };
    if (op.ref >= refs(g)) return { status: STATUS.badRef };
    const isFresh = !g.pins.has(op.ref);
    const found = this.#claim(g, caller, { ref: op.ref, host: true, device: false, readonly: !op.write }, false);
    if (typeof found === 'number') return { status: found };
    this.#reduce(g, op.ref, !op.write);
    if (!mine) return { status: STATUS.badPage };
    const isEmptyWindow = isFresh && g.version === 2 && (this.entry(g, op.ref).flags & 256) !== 0;
    return isEmptyWindow ? { status: STATUS.general } : { status: STATUS.ok, page: found.page };
  }

  /** GNT-20. `undefined`: success. */
  setVersion(domid: number, version: number): string | undefined {
    const d = this.domains.get(domid)!;
    if (version !== 1 && version !== 2) return 'EINVAL';
    if (version === d.version) return undefined;
    if ([...d.pins.keys()].some((ref) => ref >= 8)) return 'EBUSY';
    if (version === 1) for (let ref = 0; ref < 8; ref++) if ((this.entry(d, ref).flags & 3) === 3) return 'ERANGE';
    for (const [ref, e] of d.entries) {
      if (ref >= 8) d.entries.delete(ref);
      else if (version === 2) {
        e.status = e.flags & (READING | WRITING);
        e.flags &= ~(READING | WRITING);
      } else {
        if ((e.flags & 3) === 1) e.flags |= e.status;
        else Object.assign(e, { flags: 0, domid: 0, gfn: 0 });
        e.status = 0;
      }
    }
    d.version = version;
    return undefined;
  }

  swap(domid: number, a: number, b: number): number {
    const d = this.domains.get(domid)!;
    if (a >= refs(d) || b >= refs(d)) return STATUS.badRef;
    if (a === b) return STATUS.ok;
    if (d.pins.has(a) || d.pins.has(b)) return STATUS.eagain;
    const [ea, eb] = [{ ...this.entry(d, a) }, { ...this.entry(d, b) }];
    d.entries.set(a, eb);
    d.entries.set(b, ea);
    return STATUS.ok;
  }

  /** Section 2.11: what it maps goes; what is mapped of it stays, and keeps it. */
  destroy(domid: number): void {
    const d = this.domains.get(domid)!;
    if (d.state !== 'alive') return;
    for (const [handle, h] of [...d.held]) {
      d.held.delete(handle);
      this.#unpin(h, h);
    }
    d.state = 'zombie';
    d.pages.clear();
    this.#bury();
  }

  /** Steps 7 to 9. A pin is new unless it is that of the entry. */
  #claim(
    g: ModelDomain,
    caller: number,
    op: { ref: number; host: boolean; device: boolean; readonly: boolean },
    forMap: boolean,
  ): Pin | number {
    const pin = g.pins.get(op.ref);
    const e = this.entry(g, op.ref);
    if (pin !== undefined) {
      const { hw, hr, dw, dr } = pin.count;
      const host = op.readonly ? hr : hw;
      const device = op.readonly ? dr : dw;
      if (pin.by !== caller || (op.host && host >= MAX) || (op.device && device >= MAX)) return STATUS.general;
      if (op.readonly || hw + dw > 0) {
        if (!forMap && g.version === 2 && (e.flags & 3) === 3) return STATUS.general;
        if (!forMap && g.state !== 'alive') return STATUS.noDomain;
        return pin; // GNT-7
      }
      if ((e.flags & 4) !== 0) return STATUS.general;
    } else {
      const isType = (e.flags & 3) === 1 || (!forMap && g.version === 2 && (e.flags & 3) === 3);
      if (!isType || e.domid !== caller) return STATUS.general;
      if (forMap && (e.flags & 256) !== 0) return STATUS.general;
      if (!op.readonly && (e.flags & 4) !== 0) return STATUS.general;
    }
    const isTransitive = !forMap && g.version === 2 && (e.flags & 3) === 3;
    const shows = READING | (op.readonly ? 0 : WRITING);
    if (g.version === 1) e.flags |= shows;
    else e.status |= shows;
    if (pin !== undefined && forMap) return pin; // GNT-6
    if (isTransitive) {
      this.#reduce(g, op.ref, op.readonly);
      return STATUS.general;
    }
    const page = g.pages.get(e.gfn);
    if (page === undefined || (pin !== undefined && pin.page !== page)) {
      this.#reduce(g, op.ref, op.readonly);
      return page === undefined ? STATUS.badPage : STATUS.general;
    }
    return pin ?? { by: caller, page, count: { hw: 0, hr: 0, dw: 0, dr: 0 } };
  }

  #unpin(h: Pick<Held, 'dom' | 'ref' | 'readonly'>, halves: { host: boolean; device: boolean }): void {
    const g = this.domains.get(h.dom)!;
    const { count } = g.pins.get(h.ref)!;
    if (halves.host) count[h.readonly ? 'hr' : 'hw']--;
    if (halves.device) count[h.readonly ? 'dr' : 'dw']--;
    if (count.hw + count.hr + count.dw + count.dr === 0) g.pins.delete(h.ref);
    this.#reduce(g, h.ref, h.readonly);
    this.#bury();
  }

  /** GNT-12. */
  #reduce(g: ModelDomain, ref: number, readonly: boolean): void {
    const count = g.pins.get(ref)?.count;
    let clear = count === undefined ? READING : 0;
    if (!readonly && (count === undefined || count.hw + count.dw === 0)) clear |= WRITING;
    const e = this.entry(g, ref);
    if (g.version === 1) e.flags &= ~clear;
    else e.status &= ~clear;
  }

  #bury(): void {
    for (const [domid, d] of this.domains) if (d.state === 'zombie' && d.pins.size === 0) this.domains.delete(domid);
  }
}

function refs(d: ModelDomain): number {
  return d.version === 1 ? 512 : 256;
}
