import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  checkGrants,
  DOMID_SELF,
  endAccess,
  type Frame,
  GNTCOPY_dest_gref,
  GNTCOPY_source_gref,
  GNTMAP_device_map,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  Hypercalls,
  loadStatus,
  loneMachine,
  storeFlags,
} from '../../../sim/index.ts';
import { GrantModel } from './model.ts';

const DOMIDS = [1, 2, 3] as const;
/** Reserved, ordinary, gone with version 2, never there. */
const REFS = [1, 2, 8, 9, 300, 600] as const;
const GFNS = [0x100, 0x101, 0x102] as const;
/** Every type, with each of the bits that a check looks at. */
const FLAGS = [1, 1, 1, 1, 1, 1, 5, 5, 0, 2, 3, 3, 1 | 256, 1 | 8, 1 | 16, 1 | 8 | 16];

const domid = fc.constantFrom(...DOMIDS);
const ref = fc.constantFrom(...REFS);
const gfn = fc.constantFrom(...GFNS);
/** 0: as drawn. Otherwise which of those that would do. */
const aim = fc.nat(5);
const flags = fc.constantFrom(...FLAGS);
const op = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put'), by: domid, ref, flags, to: domid, gfn }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('storeFlags'), by: domid, ref, flags }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('endAccess'), by: domid, ref }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('map'),
      by: domid,
      dom: fc.constantFrom(...DOMIDS, 9),
      ref,
      host: fc.boolean(),
      device: fc.boolean(),
      readonly: fc.boolean(),
      aim,
      times: fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 1, 256),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('unmap'),
      by: domid,
      handle: fc.nat(12),
      host: fc.boolean(),
      device: fc.boolean(),
      aim,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('copy'), by: domid, dom: domid, ref, gfn, write: fc.boolean(), aim }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('version'), by: domid, version: fc.constantFrom(0, 1, 1, 1, 2, 2, 3) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('swap'), by: domid, ref, other: ref }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('free'), by: domid, gfn }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('populate'), by: domid, gfn }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('destroy'), by: domid }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('create'), by: domid }) },
) as fc.Arbitrary<Op>;

type Op =
  | { kind: 'put'; by: number; ref: number; flags: number; to: number; gfn: number }
  | { kind: 'storeFlags'; by: number; ref: number; flags: number }
  | { kind: 'endAccess'; by: number; ref: number }
  | {
      kind: 'map';
      by: number;
      dom: number;
      ref: number;
      host: boolean;
      device: boolean;
      readonly: boolean;
      times: number;
      aim: number;
    }
  | { kind: 'unmap'; by: number; handle: number; host: boolean; device: boolean; aim: number }
  | { kind: 'copy'; by: number; dom: number; ref: number; gfn: number; write: boolean; aim: number }
  | { kind: 'version'; by: number; version: number }
  | { kind: 'swap'; by: number; ref: number; other: number }
  | { kind: 'free'; by: number; gfn: number }
  | { kind: 'populate'; by: number; gfn: number }
  | { kind: 'destroy'; by: number }
  | { kind: 'create'; by: number };

/** The machine and the model side by side. */
class Pair {
  readonly m = loneMachine({ seed: '1' });
  readonly model = new GrantModel();
  readonly #names = new Map<Frame, string>();
  /** Number in the first word of each page. */
  readonly #content = new Map<string, number>();
  /** How often each kind of step did something, to show that the run is worth its time. */
  readonly did = new Map<string, number>();
  #pages = 0;

  constructor() {
    for (const domid of DOMIDS) this.#create(domid);
  }

  step(op: Op): void {
    const domain = this.m.domain(op.by);
    if (op.kind === 'create') {
      if (domain === undefined) this.#create(op.by);
      return;
    }
    if (domain === undefined || !this.model.alive(op.by)) return;
    const { gnttab } = new Hypercalls(this.m, domain);
    const { grants, memory } = domain;
    const { model } = this;
    switch (op.kind) {
      case 'put':
        if (op.ref < grants.size) grants.write(op.ref, { flags: op.flags, domid: op.to, gfn: op.gfn });
        model.put(op.by, op.ref, { flags: op.flags, domid: op.to, gfn: op.gfn });
        return;
      case 'storeFlags':
        if (op.ref < grants.size) storeFlags(grants, op.ref, op.flags);
        model.storeFlags(op.by, op.ref, op.flags);
        return;
      case 'endAccess':
        if (op.ref >= grants.size) return;
        expect(endAccess(grants, op.ref)).toBe(model.endAccess(op.by, op.ref));
        return;
      case 'map':
        for (let i = 0; i < op.times; i++) if (!this.#map(gnttab, this.#aim(op))) return;
        return;
      case 'unmap': {
        const live = [...model.domains.get(op.by)!.held.keys()];
        const handle = live.length === 0 || op.aim === 0 ? op.handle : live[op.handle % live.length]!;
        const expected = model.unmap(op.by, handle, op);
        const address = { ...(op.host ? {} : { hostAddr: 0 }), ...(op.device ? {} : { devBusAddr: 0 }) };
        this.#same('unmap', gnttab.unmapGrantRef([{ handle, ...address }])[0], expected);
        return;
      }
      case 'copy': {
        const aimed = this.#aim(op);
        const expected = model.copy(op.by, aimed);
        const theirs = { domid: aimed.dom, gfnOrRef: aimed.ref, offset: 0 };
        const mine = { domid: DOMID_SELF, gfnOrRef: op.gfn, offset: 0 };
        const copy = op.write
          ? { source: mine, dest: theirs, flags: GNTCOPY_dest_gref, len: 4096 }
          : { source: theirs, dest: mine, flags: GNTCOPY_source_gref, len: 4096 };
        this.#same('copy', gnttab.copy([copy])[0], expected.status);
        const own = model.domains.get(op.by)!.pages.get(op.gfn);
        if (expected.page === undefined || own === undefined) return;
        const [from, to] = op.write ? [own, expected.page] : [expected.page, own];
        this.#content.set(to, this.#content.get(from)!);
        return;
      }
      case 'version': {
        const expected = model.setVersion(op.by, op.version);
        const result = gnttab.setVersion(op.version);
        this.#same('version', result.ok ? 0 : result.errno, expected ?? 0);
        return;
      }
      case 'swap': {
        const expected = model.swap(op.by, op.ref, op.other);
        this.#same('swap', gnttab.swapGrantRef([{ refA: op.ref, refB: op.other }])[0], expected);
        return;
      }
      case 'free':
        memory.free(op.gfn);
        model.domains.get(op.by)!.pages.delete(op.gfn);
        return;
      case 'populate':
        this.#populate(op.by, op.gfn);
        return;
      case 'destroy':
        this.m.destroy(domain);
        this.m.scheduler.run(this.m.nowNs + 100_000_000);
        model.destroy(op.by);
        return;
    }
  }

  /** What can be seen of both is the same, and the machine finds nothing wrong with itself. */
  compare(): void {
    const { m, model } = this;
    expect(checkGrants(m)).toEqual([]);
    for (const [frame, name] of this.#names) expect(frame.load32(0), name).toBe(this.#content.get(name));
    expect(m.domains().map((d) => d.domid)).toEqual([...model.domains.keys()].sort((a, b) => a - b));
    for (const domain of m.domains()) {
      const { grants, domid } = domain;
      const expected = model.domains.get(domid)!;
      expect(grants.version).toBe(expected.version);
      expect(domain.maptrack.handles()).toEqual([...expected.held.keys()].sort((a, b) => a - b));
      for (const ref of REFS) {
        if (ref >= grants.size) continue;
        const entry = model.entry(expected, ref);
        const count = expected.pins.get(ref)?.count;
        const pin = count && (count.hw | (count.hr << 8) | (count.dw << 16) | (count.dr << 24)) >>> 0;
        const active = grants.active(ref);
        expect({ ref, ...grants.header(ref), shown: loadStatus(grants, ref), pin: active?.pin }).toEqual({
          ref,
          flags: entry.flags,
          domid: entry.domid,
          shown: model.shown(domid, ref),
          pin,
        });
        expect(active && this.#names.get(active.frame)).toBe(expected.pins.get(ref)?.page);
      }
    }
  }

  /** Mostly an entry that names the caller, if there is any; otherwise what was drawn. */
  #aim<T extends { by: number; dom: number; ref: number; aim: number }>(op: T): T {
    if (op.aim === 0) return op;
    const fit = [...this.model.domains].flatMap(([dom, d]) =>
      [...d.entries].flatMap(([ref, e]) => ((e.flags & 3) === 1 && e.domid === op.by ? [{ dom, ref }] : [])),
    );
    return fit.length === 0 ? op : { ...op, ...fit[op.aim % fit.length]! };
  }

  #map(gnttab: Hypercalls['gnttab'], op: Op & { kind: 'map' }): boolean {
    const bits =
      (op.host ? GNTMAP_host_map : 0) | (op.device ? GNTMAP_device_map : 0) | (op.readonly ? GNTMAP_readonly : 0);
    const expected = this.model.map(op.by, op);
    const result = gnttab.mapGrantRef([{ dom: op.dom, ref: op.ref, flags: bits }])[0]!;
    this.#same('map', result.status, expected.status);
    if (result.status !== GNTST.okay) return false;
    expect(this.#names.get(result.frame!)).toBe(expected.page);
    expect(this.model.took(op.by, result.handle!, op)).toBe(true);
    return true;
  }

  #same(what: string, status: unknown, expected: unknown): void {
    expect(status, what).toBe(expected);
    const key = `${what} ${status}`;
    this.did.set(key, (this.did.get(key) ?? 0) + 1);
  }

  #create(domid: number): void {
    const domain = this.m.createDomain(domid, `d${domid}`);
    this.m.unpause(domain);
    this.model.create(domid);
    for (const gfn of GFNS) this.#populate(domid, gfn);
  }

  #populate(domid: number, gfn: number): void {
    const frame = this.m.domain(domid)!.memory.populate(gfn);
    if (frame === undefined) return;
    const name = `page ${++this.#pages}`;
    this.#names.set(frame, name);
    this.#content.set(name, this.#pages);
    frame.store32(0, this.#pages, true);
    this.model.domains.get(domid)!.pages.set(gfn, name);
  }
}

it('random grant hypercalls, guest stores and deaths answer and show what the model says, and never more', () => {
  const did = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(op, { maxLength: 120, size: 'max' }), (ops) => {
      const pair = new Pair();
      for (const one of ops) {
        pair.step(one);
        pair.compare();
      }
      for (const [key, count] of pair.did) did.set(key, (did.get(key) ?? 0) + count);
    }),
    { numRuns: 150, seed: 11 },
  );
  // The run has been everywhere: each status of each operation was earned.
  for (const key of [
    'map 0',
    'map -1',
    'map -2',
    'map -3',
    'map -9',
    'unmap 0',
    'unmap -4',
    'copy 0',
    'copy -1',
    'copy -2',
    'copy -3',
    'copy -9',
    'version 0',
    'version EINVAL',
    'version EBUSY',
    'version ERANGE',
    'swap 0',
    'swap -3',
    'swap -12',
  ])
    expect(did.get(key) ?? 0, key).toBeGreaterThan(0);
});
