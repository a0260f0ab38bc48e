import type { Domid, Gfn, Port } from './ids.ts';
import { type Frame, Memory } from './memory.ts';

/** SCHEDOP_shutdown reasons, by code. Source: xen/include/public/sched.h. */
export const SHUTDOWN_REASONS = ['poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset'] as const;
export type ShutdownReason = (typeof SHUTDOWN_REASONS)[number];

/** Which parts a domain plays on its host (DOM-34). Source: xen/include/public/domctl.h, XEN_DOMCTL_GETDOMSTATE_CAP_*. */
export interface Capabilities {
  readonly control: boolean;
  readonly hardware: boolean;
  readonly xenstore: boolean;
}

/** A host's, which nothing here depends on. */
const TSC_KHZ = 2_400_000;

/** Where a guest finds the rings that it shares with the daemons. */
export interface StartInfo {
  readonly storeGfn: Gfn;
  readonly storePort: Port;
  readonly console?: { readonly gfn: Gfn; readonly port: Port };
}

/** Source: struct xen_domctl_tsc_info in xen/include/public/domctl.h. */
export interface TscInfo {
  readonly mode: number;
  readonly khz: number;
  /** Guest time, ns. */
  readonly nsec: bigint;
  readonly incarnation: number;
}

const NO_CAPABILITIES: Capabilities = { control: false, hardware: false, xenstore: false };

/** Who a domain is, its memory and its life: what its parts know of it. Life-cycle transitions are in domains/, in one place. */
export class DomainBase {
  readonly domid: Domid;
  readonly uniqueId: bigint;
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly memory = new Memory();
  /** Its event channels were put back by number: whose vCPUs are loaded is not to notice, and has all of its pages (NC-1). */
  keepsPlatform = false;
  /** Progress of XEN_DOMCTL_destroydomain. */
  dying: 'alive' | 'dying' | 'dead' = 'alive';
  /** A shutdown has begun: no vCPU runs the guest from here on. */
  isShuttingDown = false;
  /** Every vCPU is parked. */
  isShutDown = false;
  /** The first reason given, which stays until the domain is resumed (DOM-15); any octet, though only 0 to 5 have names. */
  shutdownCode: number | undefined = undefined;
  /** What a suspend hypercall returns when its vCPU goes on: 0, unless the toolstack has put a 1 there before it resumed it
   *  (DOM-23). The one register that matters here. */
  returnRegister: 0 | 1 = 0;
  /**
   * Where the guest is told that its xenstore ring is, by who builds or restores it: store_mfn and store_evtchn of start_info,
   * HVM_PARAM_STORE_PFN and HVM_PARAM_STORE_EVTCHN; and its console ring, where it has one. Absent: its kernel was handed both when
   * it was loaded.
   */
  startInfo: StartInfo | undefined = undefined;
  /** Those that are not told by `startInfo`. */
  readonly hvmParams = new Map<number, bigint>();
  /** What its time stamp counter tells: XEN_DOMCTL_gettscinfo. */
  tsc: TscInfo = { mode: 0, khz: TSC_KHZ, nsec: 0n, incarnation: 0 };
  /** PV: how often the guest's own list of its pages was rebuilt; a saver that mapped it before gives up. */
  p2mGeneration = 0;
  /** How often it has parked; a saved context is of one of them. */
  parks = 0;
  /** When it did so the last time. */
  parkedNs = 0;
  /** What a kernel in a new domain begins with when the threads of this one are not to be had; '': nothing. */
  program = '';
  /** Port of this domain that XEN_DOMCTL_subscribe named; 0: none. It may have been closed since. */
  suspendPort: Port = 0;
  /** vCPUs whose device model owes them an answer: they park only when they have it (DOM-16). */
  readonly deferring = new Set<number>();
  /** When each SCHEDOP_watchdog timer fires, in ns; `undefined`: not in use. */
  readonly watchdogsNs: (number | undefined)[] = [undefined, undefined];
  controllerPauses = 0;
  /** It has run: the controller's count was 0 once. */
  isCreationFinished = false;
  /** vCPUs that exist. */
  vcpus = 1;
  /** vCPUs that XEN_DOMCTL_max_vcpus is to make. */
  maxVcpus = 1;
  /** The one domain whose device model this domain is. */
  target: DomainBase | undefined = undefined;
  /** Domains whose device model's target this is: each holds it as a mapping does. */
  stubdoms = 0;
  /** Mappings that others hold of this domain's pages: while there are any, a dead domain is a zombie (DOM-8). */
  foreignMaps = 0;
  /** Those among them that a toolstack's programs made without a grant: each holds a reference to each page. */
  readonly toolMaps = new Set<{ readonly pages: readonly (Frame | undefined)[] }>();

  constructor(domid: Domid, uniqueId: bigint, name: string, capabilities = NO_CAPABILITIES) {
    this.domid = domid;
    this.uniqueId = uniqueId;
    this.name = name;
    this.capabilities = capabilities;
  }

  /** Whether the domain's tasks may take a step now (CHK-7). */
  get isRunning(): boolean {
    return this.controllerPauses === 0 && this.dying === 'alive' && !this.isShuttingDown;
  }

  /** Why the domain is shut down; `undefined`: it is not, or not yet. */
  get shutdown(): ShutdownReason | 'unknown' | undefined {
    if (!this.isShutDown) return undefined;
    return SHUTDOWN_REASONS[this.shutdownCode ?? -1] ?? 'unknown';
  }
}
