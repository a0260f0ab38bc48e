import type { DomainBase } from '../domain.ts';
import type { Domain } from '../domains/domain.ts';
import { fail } from '../errors.ts';
import type { Domid, Gref, Handle } from '../ids.ts';
import { type Frame, PAGE_BYTES } from '../memory.ts';
import type { Trace } from '../trace.ts';
import {
  type CopyOp,
  GNTST,
  type GrantStatus,
  GTF_permit_access,
  MAPTRACK_PER_FRAME,
  type MapOp,
  type MapResult,
  type ReplaceOp,
  type TransferOp,
  UNMAP_BATCH,
  type UnmapOp,
} from './abi.ts';
import type { GrantContext } from './context.ts';
import { Copy } from './copy.ts';
import { mapRef } from './map.ts';
import type { Race } from './pin.ts';
import type { GrantLimits } from './table.ts';
import { transferOne } from './transfer.ts';
import { beginUnmap, completeUnmap, releaseHandle, type UnmapRequest } from './unmap.ts';

/** What the grant operations need of the machine: lookups, the end of a domain, its record. */
export interface GrantNeeds {
  readonly trace: Trace;
  domain(domid: Domid): Domain | undefined;
  /** domain_crash(). */
  crash(domain: Domain): void;
  /** The last mapping of a domain's memory may have gone: a zombie may be freed (GNT-30). */
  released(granter: DomainBase): void;
}

/** Statuses that a scenario can plan for a map: paged out, maptrack full, unstable entry, domain just gone (INJ-G3 to G7). */
export type PlannedRefusal =
  | typeof GNTST.eagain
  | typeof GNTST.no_space
  | typeof GNTST.general_error
  | typeof GNTST.bad_domain;

/** Which maps a refusal is meant for. */
export interface RefusalKey {
  readonly mapper: Domid;
  readonly granter: Domid;
  readonly gref: Gref;
}

/** The machine's grant operations. They answer with statuses and never throw for what a guest says. */
export class Grants {
  readonly #context: GrantContext;
  readonly #trace: Trace;
  readonly #planned = new Map<string, PlannedRefusal[]>();
  readonly #frameNumbers = new WeakMap<Frame, number>();
  #nextFrameNumber = 0x10_0000;
  /** What the granter's other virtual CPU does between Xen's accesses to a shared entry; see pin.ts. */
  race: Race | undefined = undefined;

  constructor(needs: GrantNeeds) {
    this.#trace = needs.trace;
    const grants = this;
    this.#context = {
      domain: (domid) => needs.domain(domid),
      crash: (domain) => needs.crash(domain),
      released: (granter) => needs.released(granter),
      touched: (mapper, granter, gref) => this.#trace.grant('stale', mapper, granter, gref, GNTST.okay),
      refusal: (mapper, granter, gref) => this.#refusal(mapper, granter, gref),
      busAddr: (frame) => this.busAddr(frame),
      get race() {
        return grants.race;
      },
    };
  }

  /** Let the next `times` maps of this entry by this mapper fail with `status`, whatever the entry says. */
  refuse(key: RefusalKey, status: PlannedRefusal, times = 1): void {
    const name = `${key.mapper}/${key.granter}/${key.gref}`;
    const list = this.#planned.get(name) ?? [];
    for (let i = 0; i < times; i++) list.push(status);
    this.#planned.set(name, list);
  }

  /**
   * Limits of a new domain, before its table has grown. Errors: EINVAL not even one frame, or no such version.
   * Source: grant_table_init in xen/common/grant_table.c.
   */
  limit(domain: Domain, limits: GrantLimits): void {
    if (limits.grantFrames < 1) fail('EINVAL', `${limits.grantFrames} grant frames`);
    if (limits.version !== 1 && limits.version !== 2) fail('EINVAL', `grant table version ${limits.version}`);
    domain.grants.limits = limits;
    domain.maptrack.limit = limits.maptrackFrames * MAPTRACK_PER_FRAME;
  }

  /** Machine address of a page: what a device is told. Numbers are given out when they are first asked for. */
  busAddr(frame: Frame): number {
    let number = this.#frameNumbers.get(frame);
    if (number === undefined) {
      number = this.#nextFrameNumber++;
      this.#frameNumbers.set(frame, number);
    }
    return number * PAGE_BYTES;
  }

  map(mapper: Domain, op: MapOp): MapResult {
    const result = mapRef(this.#context, mapper, op);
    const what = result.status === GNTST.okay ? 'map' : 'refused';
    this.#trace.grant(what, mapper.domid, op.dom, op.ref, result.status);
    return result;
  }

  /** GNTTABOP_unmap_grant_ref: groups of 32; all of a group are taken down, then the pins of the group fall. */
  unmap(caller: Domain, ops: readonly UnmapOp[]): GrantStatus[] {
    return this.#unmap(
      caller,
      ops.map((op) => ({ ...op, newAddr: 0 })),
    );
  }

  /** GNTTABOP_unmap_and_replace. */
  unmapAndReplace(caller: Domain, ops: readonly ReplaceOp[]): GrantStatus[] {
    return this.#unmap(
      caller,
      ops.map((op) => ({ ...op, devBusAddr: 0 })),
    );
  }

  /** A handle of a dying mapper; false: not in use. */
  release(mapper: Domain, handle: Handle): boolean {
    const mapping = mapper.maptrack.get(handle);
    if (mapping === undefined) return false;
    this.#trace.grant('unmap', mapper.domid, mapping.granter.domid, mapping.gref, GNTST.okay);
    releaseHandle(this.#context, mapper, handle, mapping);
    return true;
  }

  /** GNTTABOP_copy: a status for each element; goes on after a failed one (GNT-23). */
  copy(caller: Domain, ops: readonly CopyOp[]): GrantStatus[] {
    const copy = new Copy(this.#context, caller);
    const statuses = ops.map((op) => {
      const status = copy.one(op);
      this.#trace.grant('copy', caller.domid, op.source.domid, op.source.gfnOrRef, status);
      return status;
    });
    copy.close();
    return statuses;
  }

  /** GNTTABOP_transfer of a caller that is not translated. */
  transfer(caller: Domain, ops: readonly TransferOp[]): GrantStatus[] {
    return ops.map((op) => {
      const status = transferOne(this.#context, caller, op);
      this.#trace.grant('transfer', caller.domid, op.domid, op.ref, status);
      return status;
    });
  }

  /** What the domain builder does for a reserved entry (GNT-26). */
  seed(domain: Domain, gref: Gref, forDomid: Domid, frame: Frame): void {
    domain.grants.write(gref, { flags: GTF_permit_access, domid: forDomid, gfn: frame.gfn });
  }

  #unmap(caller: Domain, requests: readonly UnmapRequest[]): GrantStatus[] {
    const statuses: GrantStatus[] = [];
    for (let first = 0; first < requests.length; first += UNMAP_BATCH) {
      const group = requests.slice(first, first + UNMAP_BATCH).map((op) => beginUnmap(this.#context, caller, op));
      for (const unmapped of group) {
        statuses.push(unmapped.status);
        const { mapping } = unmapped;
        if (unmapped.isGone && mapping !== undefined)
          this.#trace.grant('unmap', caller.domid, mapping.granter.domid, mapping.gref, unmapped.status);
        completeUnmap(this.#context, unmapped);
      }
    }
    return statuses;
  }

  #refusal(mapper: Domid, granter: Domid, gref: Gref): GrantStatus | undefined {
    if (this.#planned.size === 0) return undefined;
    const name = `${mapper}/${granter}/${gref}`;
    const list = this.#planned.get(name);
    const status = list?.shift();
    if (list?.length === 0) this.#planned.delete(name);
    return status;
  }
}
