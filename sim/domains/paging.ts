import { attempt } from '../attempt.ts';
import type { StartInfo, TscInfo } from '../domain.ts';
import { fail, type Result } from '../errors.ts';
import type { Domid, Gfn } from '../ids.ts';
import type { Machine } from '../machine.ts';
import { type Frame, PAGE_BYTES } from '../memory.ts';
import { decodeContext, encodeContext, parkName } from './context-octets.ts';
import { type CpuPolicy, defaultCpuPolicy } from './cpu-policy.ts';
import type { Domain } from './domain.ts';
import { ForeignPages } from './foreign-pages.ts';
import { decodeHvmContext, encodeHvmContext } from './hvm-context.ts';
import { hvmParam, setHvmParam } from './hvm-params.ts';
import { pageTypeOf } from './page-types.ts';
import { permit, type RestrictedCall } from './permissions.ts';

/** XEN_DOMCTL_SHADOW_OP_*. */
export type LogDirtyOp = 'enable' | 'off' | 'clean' | 'peek';

/** What a look at log-dirty tells. */
export interface DirtyPages {
  /** Ascending; gfns beyond what was asked for are not among them, and are clean all the same. */
  readonly gfns: readonly Gfn[];
  readonly count: number;
}

/** Pages in one call of getpageframeinfo3. */
const TYPES_MAX = 1024;

/**
 * What a saver and a restorer of another domain ask Xen for: its pages, which of them were written, what its vCPUs hold. Each
 * call by anyone but the control domain is EPERM. Errnos come back as data.
 */
export class PagingHypercalls {
  readonly #machine: Machine;
  readonly #caller: Domain;

  constructor(machine: Machine, caller: Domain) {
    this.#machine = machine;
    this.#caller = caller;
  }

  /** XENMEM_maximum_gpfn; -1 of a domain that never had a page. Errors: EPERM, ESRCH. */
  maximumGfn(domid: Domid): Result<Gfn> {
    return attempt(() => this.#domain('XENMEM_maximum_gpfn', domid).memory.maxGfn);
  }

  /**
   * XEN_DOMCTL_shadow_op (10), its log-dirty part. A look at a domain that is not in log-dirty mode finds nothing; to end it
   * where it is not is no error. `isFinal` also finds the pages of an HVM guest that Xen keeps mapped to write to
   * (Memory.xenMaps). What it writes as events, into FIFO pages and vcpu_info, no look finds.
   * Errors: EPERM, ESRCH; EINVAL oneself, a dying domain, one without vCPUs, `enable` where it is on.
   * Source: paging_domctl, paging_log_dirty_op in xen/arch/x86/mm/paging.c.
   */
  logDirty(domid: Domid, op: LogDirtyOp, isFinal = false): Result<DirtyPages> {
    return attempt(() => {
      const domain = this.#other('XEN_DOMCTL_shadow_op', domid);
      if (domain.dying !== 'alive' || domain.vcpus === 0) fail('EINVAL', `domain ${domid} cannot be looked at`);
      const { memory } = domain;
      if (op === 'enable') {
        if (memory.dirty !== undefined) fail('EINVAL', 'log-dirty is on');
        memory.logDirty(true);
      }
      if (op === 'off') memory.logDirty(false);
      if (isFinal && memory.translated) for (const frame of memory.xenMaps) memory.markDirty(frame);
      const gfns = op === 'clean' || op === 'peek' ? (memory.dirty?.gfns() ?? []) : [];
      if (op === 'clean') memory.dirty?.clean();
      return { gfns, count: gfns.length };
    });
  }

  /** XEN_DOMCTL_getpageframeinfo3: PAGE_TYPE of each. Errors: EPERM, ESRCH, E2BIG. */
  pageTypes(domid: Domid, gfns: readonly Gfn[]): Result<number[]> {
    return attempt(() => {
      const { memory } = this.#domain('XEN_DOMCTL_getpageframeinfo3', domid);
      if (gfns.length > TYPES_MAX) fail('E2BIG', `${gfns.length} pages`);
      return gfns.map((gfn) => pageTypeOf(memory, gfn));
    });
  }

  /** XENMEM_populate_physmap: pages of zeros, in order, until one is not to be had. @returns how many. Errors: EPERM, ESRCH. */
  populate(domid: Domid, gfns: readonly Gfn[]): Result<number> {
    return attempt(() => {
      const { memory } = this.#domain('XENMEM_populate_physmap', domid);
      let done = 0;
      for (const gfn of gfns) {
        if (memory.size >= memory.maxPages || memory.populate(gfn) === undefined) break;
        done++;
      }
      return done;
    });
  }

  /** Map pages of another domain; each that is not to be had is `undefined` there. Errors: EPERM, ESRCH. */
  map(domid: Domid, gfns: readonly Gfn[], isWritable: boolean): Result<ForeignPages> {
    return attempt(() => {
      const domain = this.#domain('XENMEM_foreign_map', domid);
      const released = (of: Parameters<Machine['lives']['freeIfUnreferenced']>[0]) =>
        this.#machine.lives.freeIfUnreferenced(of);
      return new ForeignPages(
        domain,
        gfns.map((gfn) => mappable(domain, gfn)),
        isWritable,
        released,
      );
    });
  }

  /** HVMOP_get_param. Errors: EPERM, ESRCH, EINVAL. */
  hvmParam(domid: Domid, index: number): Result<bigint> {
    return attempt(() => hvmParam(this.#domain('HVMOP_get_param', domid), index));
  }

  /** HVMOP_set_param. Errors: EPERM, ESRCH, EINVAL. */
  setHvmParam(domid: Domid, index: number, value: bigint): Result<void> {
    return attempt(() => setHvmParam(this.#domain('HVMOP_set_param', domid), index, value));
  }

  /** XEN_DOMCTL_gettscinfo (59). Errors: EPERM, ESRCH, EINVAL. */
  tscInfo(domid: Domid): Result<TscInfo> {
    return attempt(() => {
      const { tsc } = this.#other('XEN_DOMCTL_gettscinfo', domid);
      return { ...tsc, nsec: BigInt(this.#machine.nowNs) };
    });
  }

  /** XEN_DOMCTL_settscinfo (58). Errors: EPERM, ESRCH, EINVAL. */
  setTscInfo(domid: Domid, tsc: TscInfo): Result<void> {
    return attempt(() => {
      this.#other('XEN_DOMCTL_settscinfo', domid).tsc = { ...tsc, incarnation: tsc.incarnation + 1 };
    });
  }

  /** XEN_DOMCTL_get_cpu_policy (82). Errors: EPERM, ESRCH. */
  cpuPolicy(domid: Domid): Result<CpuPolicy> {
    return attempt(() => {
      this.#domain('XEN_DOMCTL_get_cpu_policy', domid);
      return defaultCpuPolicy();
    });
  }

  /** The shared_info of a PV guest, through a mapping of its frame: a copy. Errors: EPERM, ESRCH, EINVAL. */
  sharedInfo(domid: Domid): Result<Uint8Array> {
    return attempt(() => {
      const domain = this.#domain('XENMEM_foreign_map', domid);
      if (domain.memory.translated) fail('EINVAL', 'its shared_info is in its own memory');
      const page = new Uint8Array(PAGE_BYTES);
      page.set(domain.ports.sharedInfo.subarray(0, PAGE_BYTES));
      return page;
    });
  }

  /** What a restorer leaves in it, whatever was saved: nothing pending, all masked, nothing selected (SUS-6). Errors: EPERM, ESRCH. */
  clearSharedInfo(domid: Domid): Result<void> {
    return attempt(() => this.#domain('XENMEM_foreign_map', domid).ports.resetWords());
  }

  /** A PV guest's start_info, where the restorer writes the rings' places. Errors: EPERM, ESRCH. */
  setStartInfo(domid: Domid, info: StartInfo): Result<void> {
    return attempt(() => {
      this.#domain('XENMEM_foreign_map', domid).startInfo = info;
    });
  }

  /** The generation count of a PV guest's list of its pages, through its shared_info. Errors: EPERM, ESRCH. */
  p2mGeneration(domid: Domid): Result<number> {
    return attempt(() => this.#domain('XENMEM_foreign_map', domid).p2mGeneration);
  }

  /** XEN_DOMCTL_getvcpucontext (13), of PV. Errors: EPERM, ESRCH, EINVAL. */
  vcpuContext(domid: Domid, vcpu: number): Result<Uint8Array> {
    return attempt(() => {
      const domain = this.#other('XEN_DOMCTL_getvcpucontext', domid);
      if (!(vcpu >= 0 && vcpu < domain.vcpus)) fail('EINVAL', `vcpu ${vcpu}`);
      this.#machine.lives.nameContext(domain);
      return contextOf(domain, vcpu);
    });
  }

  /** XEN_DOMCTL_gethvmcontext (33): all vCPUs in Xen's own save records. Errors: EPERM, ESRCH, EINVAL. */
  hvmContext(domid: Domid): Result<Uint8Array> {
    return attempt(() => {
      const domain = this.#other('XEN_DOMCTL_gethvmcontext', domid);
      if (!domain.memory.translated) fail('EINVAL', `domain ${domid} is pv`);
      this.#machine.lives.nameContext(domain);
      const vcpus = Array.from({ length: domain.vcpus }, (_, vcpu) => contextOf(domain, vcpu));
      return encodeHvmContext(vcpus, domain.tsc.khz);
    });
  }

  /**
   * XEN_DOMCTL_setvcpucontext (12) of vCPU 0, in a new domain: the threads that it names go on there.
   * @returns whether they were to be had; if not, the domain has its memory and nobody who runs in it.
   * Errors: EPERM, ESRCH, EINVAL.
   */
  setVcpuContext(domid: Domid, octets: Uint8Array): Result<boolean> {
    return attempt(() => {
      const domain = this.#other('XEN_DOMCTL_setvcpucontext', domid);
      const context = decodeContext(octets);
      domain.program = context.program;
      return this.#machine.lives.loadNamedContext(domain, parkName(context));
    });
  }

  /** XEN_DOMCTL_sethvmcontext (34): setVcpuContext() of all that is in it. Errors: EPERM, ESRCH, EINVAL. */
  setHvmContext(domid: Domid, octets: Uint8Array): Result<boolean> {
    const first = attempt(() => {
      this.#other('XEN_DOMCTL_sethvmcontext', domid);
      return decodeHvmContext(octets).get(0) ?? fail('EINVAL', 'no vcpu 0');
    });
    return first.ok ? this.setVcpuContext(domid, first.value) : first;
  }

  #domain(call: RestrictedCall, domid: Domid): Domain {
    const domain = this.#machine.domain(domid);
    if (domain === undefined) fail(this.#caller.capabilities.control ? 'ESRCH' : 'EPERM', `domain ${domid}`);
    permit(call, this.#caller, domain);
    return domain;
  }

  #other(call: RestrictedCall, domid: Domid): Domain {
    const domain = this.#domain(call, domid);
    if (domain === this.#caller) fail('EINVAL', 'a domain cannot do this to itself');
    return domain;
  }
}

function mappable(domain: Domain, gfn: Gfn): Frame | undefined {
  const kind = domain.memory.kind(gfn);
  const frame = domain.memory.frame(gfn);
  return kind === 'ram' || kind === 'shared' || kind === 'page_table' ? frame : undefined;
}

function contextOf(domain: Domain, vcpu: number): Uint8Array {
  const { uniqueId, parks, parkedNs, startInfo, program } = domain;
  const { storeGfn = 0, console } = startInfo ?? {};
  return encodeContext({ uniqueId, parks, parkedNs, vcpu, storeGfn, consoleGfn: console?.gfn ?? 0, program });
}
