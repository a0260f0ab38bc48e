import { expect } from 'vitest';
import {
  checkGrants,
  type Domain,
  type Frame,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  grantAccess,
  Hypercalls,
  loneMachine,
  type Machine,
  type MapResult,
} from '../../../sim/index.ts';

export const RW = GNTMAP_host_map;
export const RO = GNTMAP_host_map | GNTMAP_readonly;

/** dom0 that maps, two guests that grant, all running. */
export function host() {
  const m = loneMachine({ seed: '1' });
  const dom0 = m.createDomain(0, 'dom0');
  const d1 = m.createDomain(1, 'd1');
  const d2 = m.createDomain(2, 'd2');
  for (const d of [dom0, d1, d2]) m.unpause(d);
  const hyper = (d: Domain) => new Hypercalls(m, d);
  return { m, dom0, d1, d2, h0: hyper(dom0), h1: hyper(d1), h2: hyper(d2) };
}

/** A fresh page of `granter`, granted to `to` through `gref`. */
export function granted(granter: Domain, gref: number, to: number, readonly = false): Frame {
  const page = granter.memory.alloc();
  grantAccess(granter.grants, gref, { domid: to, gfn: page.gfn, readonly });
  return page;
}

export function map(h: Hypercalls, dom: number, ref: number, flags = RW): MapResult {
  return h.gnttab.mapGrantRef([{ dom, ref, flags }])[0]!;
}

/** Map that must succeed; its handle. */
export function mapped(h: Hypercalls, dom: number, ref: number, flags = RW): number {
  const result = map(h, dom, ref, flags);
  expect(result.status).toBe(GNTST.okay);
  return result.handle!;
}

/** Let the machine run on: long enough for any teardown here. */
export function runOn(m: Machine): void {
  m.scheduler.run(m.nowNs + 10_000_000);
}

export function sound(m: Machine): void {
  expect(checkGrants(m)).toEqual([]);
}
