import type { DomainBase } from '../domain.ts';
import { fail } from '../errors.ts';
import type { Domid, Gfn, Port } from '../ids.ts';
import { Frame } from '../memory.ts';
import type { Abi, AbiOwner, EdgeOutcome } from './abi.ts';
import { type EdgeVerdict, type EventContext, NO_CONTEXT } from './context.ts';
import { Fifo, type FifoPort, fifoPort } from './fifo.ts';
import { Receiver, type Service } from './receive.ts';
import { TwoLevel } from './two-level.ts';
import { VcpuEvents } from './vcpu.ts';
import { CONTROL_BYTES, FIFO_WORDS_PER_PAGE, MASK_AT, PENDING_AT, PRIORITY_DEFAULT, VCPU_INFO_BYTES } from './words.ts';

/** libxl's default `event_channels`. */
export const MAX_PORT_DEFAULT = 1023;
/** Port numbers become valid in pieces of this size. Source: xen/include/xen/sched.h, EVTCHNS_PER_BUCKET. */
const BUCKET = 64;
/** shared_info is a page of Xen's own, mapped where the guest likes; outside of what `Memory` hands out. */
const SHARED_INFO_GFN: Gfn = 0xfff;
/** A handler that keeps raising its own port: so many upcalls in one go, then the rest a little later. */
const UPCALLS_IN_A_ROW = 16;
const UPCALL_AGAIN_NS = 1_000;

export type Channel =
  | { readonly state: 'unbound'; readonly remoteDomid: Domid }
  | { readonly state: 'interdomain'; readonly remote: EventChannels; readonly remotePort: Port }
  | { readonly state: 'virq'; readonly virq: number }
  | { readonly state: 'ipi' };

/** A consumer inside Xen: called instead of setting bits, on the port's vCPU. */
export type XenConsumer = (vcpu: number, port: Port) => void;

/** One domain's ports, its vCPUs as far as events go, and the ABI in use. A port that is not there is FREE. */
export class EventChannels implements AbiOwner {
  readonly domain: DomainBase;
  readonly #channels: (Channel | undefined)[] = [undefined];
  readonly #consumers = new Map<Port, XenConsumer>();
  /** Where a port's events are delivered; absent: vCPU 0. */
  readonly #notify: number[] = [];
  readonly #fifoPorts: FifoPort[] = [];
  readonly #vcpus: VcpuEvents[] = [];
  readonly sharedInfoFrame = new Frame(SHARED_INFO_GFN);
  readonly sharedInfo = this.sharedInfoFrame.bytes;
  readonly #twoLevel = new TwoLevel(this);
  #fifo: Fifo | undefined = undefined;
  #abi: Abi = this.#twoLevel;
  /** All ports below are in use. */
  #lowest: Port = 1;
  #valid = BUCKET;
  #active = 0;
  #polling = 0;
  /** The domain's kernel: which handler runs for which port. */
  readonly kernel = new Receiver(this);
  /** What runs on an upcall of a vCPU instead of `kernel`: a kernel of another kind. */
  onUpcall: ((vcpu: VcpuEvents) => void) | undefined = undefined;
  /** XEN_DOMCTL_createdomain's max_evtchn_port, inclusive. */
  maxPort: Port;
  /** Of the machine that has taken the domain in. */
  context: EventContext = NO_CONTEXT;
  /** Where a preempted EVTCHNOP_reset goes on; 0: none is running. */
  resetAt: Port = 0;

  constructor(domain: DomainBase, maxPort: Port = MAX_PORT_DEFAULT) {
    this.domain = domain;
    this.maxPort = maxPort;
  }

  // Ports ---------------------------------------------------------------------------------------------------------

  get(port: Port): Channel | undefined {
    return this.#channels[port];
  }

  /** Whether the number is below all ports that ever were needed: others are EINVAL where FREE ones would do. */
  isValid(port: Port): boolean {
    return port >= 0 && port < this.#valid;
  }

  /** Lowest free port; port 0 is never handed out (EVT-1). Errors: EINVAL dying; ENOSPC. */
  firstFree(): Port {
    if (this.domain.dying !== 'alive') fail('EINVAL', `domain ${this.domain.domid} is dying`);
    while (this.#channels[this.#lowest] !== undefined) this.#lowest++;
    for (let port = this.#lowest; ; port++) {
      if (port > this.maxPort || port >= this.#abi.ports) fail('ENOSPC', `all ${port - 1} ports in use`);
      if (this.#channels[port] === undefined && !(port < this.#valid && this.#abi.isBusy(port))) return port;
    }
  }

  /** Open a port in this state, or free it: pending cleared, delivery back to vCPU 0, and the mask bit as it was (EVT-6). */
  set(port: Port, channel: Channel | undefined): void {
    const isNew = this.#channels[port] === undefined;
    if (channel === undefined) {
      if (isNew) return;
      if (this.isUsable(port)) this.#abi.clearPending(port);
      this.#channels[port] = undefined;
      this.#consumers.delete(port);
      this.#notify[port] = 0;
      this.#active--;
      this.kernel.install(port, undefined, 'later');
      if (port < this.#lowest) this.#lowest = port;
      return;
    }
    while (port >= this.#valid) this.#valid += BUCKET;
    if (isNew) {
      this.#active++;
      const fifo = this.#fifoPorts[port];
      if (fifo !== undefined && this.#fifo !== undefined) fifo.priority = PRIORITY_DEFAULT;
    }
    this.#channels[port] = channel;
  }

  /** Ports in use, ascending. */
  ports(): Port[] {
    return this.#channels.flatMap((c, p) => (c === undefined ? [] : [p]));
  }

  /** Ports in use that the guest can close. */
  get activePorts(): number {
    return this.#active - this.#consumers.size;
  }

  /** A port whose consumer is Xen itself: no guest may touch it (EVT-12). */
  attachXen(port: Port, consumer: XenConsumer): void {
    this.#consumers.set(port, consumer);
  }

  consumer(port: Port): XenConsumer | undefined {
    return this.#consumers.size === 0 ? undefined : this.#consumers.get(port);
  }

  /** Open, and not attached to Xen. */
  isUsable(port: Port): boolean {
    return this.#channels[port] !== undefined && !(this.#consumers.size > 0 && this.#consumers.has(port));
  }

  notifyVcpu(port: Port): number {
    return this.#notify[port] ?? 0;
  }

  setNotifyVcpu(port: Port, vcpu: number): void {
    this.#notify[port] = vcpu;
  }

  // Xen's side of delivery ----------------------------------------------------------------------------------------

  get abi(): Abi {
    return this.#abi;
  }

  get fifo(): Fifo | undefined {
    return this.#fifo;
  }

  isPending(port: Port): boolean {
    return this.isUsable(port) && this.#abi.isPending(port);
  }

  isMasked(port: Port): boolean {
    return this.#abi.isMasked(port);
  }

  /** Set pending on the port's own vCPU, whatever the domain's state: a paused one finds it when it runs again (EVT-10). */
  raise(port: Port): EdgeOutcome {
    return this.raiseOn(port, this.#notify[port] ?? 0);
  }

  /** Set pending with delivery on `vcpu`, as VIRQs of a vCPU do. */
  raiseOn(port: Port, vcpu: number): EdgeOutcome {
    if (!this.isUsable(port)) return 'dropped';
    const verdict = this.context.edge(port);
    if (verdict === undefined || verdict.kind === 'pass') return this.#abi.setPending(port, this.vcpu(vcpu));
    return this.#raiseFaulty(port, vcpu, verdict);
  }

  #raiseFaulty(port: Port, vcpu: number, verdict: EdgeVerdict): EdgeOutcome {
    switch (verdict.kind) {
      case 'drop':
        return 'dropped';
      case 'delay':
        this.context.after(verdict.delayNs, () => {
          if (this.isUsable(port)) this.#abi.setPending(port, this.vcpu(vcpu));
        });
        return this.isPending(port) ? 'coalesced' : 'set';
      case 'coalesce': {
        const target = this.vcpu(vcpu);
        const wasHeld = target.isHeld;
        target.isHeld = true;
        const outcome = this.#abi.setPending(port, target);
        if (wasHeld) return outcome;
        this.context.after(verdict.delayNs, () => {
          target.isHeld = false;
          this.deliver(target);
        });
        return outcome;
      }
      case 'pass':
        return this.#abi.setPending(port, this.vcpu(vcpu));
    }
  }

  /** vCPUs that have had anything to do with events, ascending. */
  get vcpus(): readonly VcpuEvents[] {
    return this.#vcpus.filter((vcpu) => vcpu !== undefined);
  }

  /** Pages of the guest are found elsewhere now: those that hold event words, control blocks, and places of vcpu_info. */
  pagesMoved(): void {
    const page = (gfn: Gfn) => this.#page(gfn);
    this.#fifo?.moved(page);
    for (const vcpu of this.vcpus) if (vcpu.gfn !== undefined) vcpu.register(page(vcpu.gfn), vcpu.gfn, vcpu.at);
  }

  vcpu(id: number): VcpuEvents {
    let vcpu = this.#vcpus[id];
    if (vcpu === undefined) {
      vcpu = new VcpuEvents(id, this.sharedInfo);
      this.#vcpus[id] = vcpu;
    }
    return vcpu;
  }

  /** Whether the domain has a vCPU of that number. */
  hasVcpu(id: number): boolean {
    return Number.isInteger(id) && id >= 0 && id < this.domain.vcpus;
  }

  markPending(vcpu: VcpuEvents): void {
    if (vcpu.upcallPending) {
      if (vcpu.missedKick) this.deliver(vcpu);
      return;
    }
    vcpu.upcallPending = true;
    const verdict = this.domain.isRunning ? this.context.kick(vcpu.id) : undefined;
    if (verdict !== undefined && verdict.kind !== 'pass') {
      vcpu.missedKick = true;
      if (verdict.kind === 'delay') this.context.after(verdict.delayNs, () => this.deliver(vcpu));
      return;
    }
    if (vcpu.sleeper !== undefined) this.#unblock(vcpu);
    this.deliver(vcpu);
  }

  /** Let the vCPU take its upcall if it may run, if its flag is set, and if it does not hold upcalls off. */
  deliver(vcpu: VcpuEvents): void {
    if (vcpu.inUpcall || vcpu.isHeld || !vcpu.upcallPending || vcpu.upcallMasked || !this.domain.isRunning) return;
    vcpu.missedKick = false;
    if (vcpu.sleeper !== undefined) this.#unblock(vcpu);
    vcpu.inUpcall = true;
    const { onUpcall } = this;
    for (let n = 0; vcpu.upcallPending && n < UPCALLS_IN_A_ROW; n++)
      if (onUpcall === undefined) this.kernel.upcall(vcpu);
      else onUpcall(vcpu);
    vcpu.inUpcall = false;
    if (vcpu.upcallPending) this.context.after(UPCALL_AGAIN_NS, () => this.deliver(vcpu));
  }

  /** The domain runs again, or one of its vCPUs enters the guest: upcalls that could not be taken are taken now. */
  enter(): void {
    for (const vcpu of this.#vcpus) if (vcpu?.upcallPending === true) this.deliver(vcpu);
  }

  // Sleeping vCPUs ------------------------------------------------------------------------------------------------

  /** Remember who sleeps on `vcpu`. `polled`: 0 in SCHEDOP_block; the one port, or -1 for any, in SCHEDOP_poll, until then or,
   *  with 0, for ever. */
  sleep(vcpu: VcpuEvents, wake: () => void, polled: Port, untilNs: number): void {
    if (vcpu.polled !== 0) this.#polling--;
    vcpu.sleeper = wake;
    vcpu.polled = polled;
    vcpu.pollUntilNs = untilNs;
    if (polled !== 0) this.#polling++;
    if (untilNs > 0) this.context.at(untilNs, () => this.endSleep(vcpu, wake));
  }

  /** Nobody sleeps there any more, and nobody is woken. */
  #forgetSleep(vcpu: VcpuEvents): void {
    if (vcpu.polled !== 0) this.#polling--;
    vcpu.sleeper = undefined;
    vcpu.polled = 0;
  }

  /** End the sleep of `vcpu`, if it is still the one that `wake` began. */
  endSleep(vcpu: VcpuEvents, wake: () => void): void {
    if (vcpu.sleeper === wake) this.#unblock(vcpu);
  }

  checkPollers(port: Port): void {
    if (this.#polling === 0) return;
    for (const vcpu of this.#vcpus)
      if (vcpu !== undefined && (vcpu.polled === -1 || vcpu.polled === port)) this.#unblock(vcpu);
  }

  #unblock(vcpu: VcpuEvents): void {
    if (vcpu.polled !== 0) this.#polling--;
    vcpu.unblock();
  }

  /**
   * What runs on the vCPUs of `from` runs on these from now on: upcall handlers, and whoever sleeps in the hypervisor. Ports, words
   * and pages have come before.
   */
  takeKernel(from: EventChannels): void {
    this.kernel.takeOver(from.kernel);
    if (from.onUpcall !== undefined) this.onUpcall = from.onUpcall;
    for (const vcpu of from.vcpus) {
      const { sleeper, polled, pollUntilNs } = vcpu;
      if (sleeper === undefined) continue;
      from.#forgetSleep(vcpu);
      const heir = this.vcpu(vcpu.id);
      this.sleep(heir, sleeper, polled, pollUntilNs);
    }
  }

  // Switching ABIs, pages of the guest ------------------------------------------------------------------------------

  /** What Xen keeps of a port for the FIFO ABI. */
  fifoPort(port: Port): FifoPort {
    let own = this.#fifoPorts[port];
    if (own === undefined) {
      own = fifoPort();
      this.#fifoPorts[port] = own;
    }
    return own;
  }

  /**
   * EVTCHNOP_init_control; the first one switches from 2-level, and pending bits become private flags (EVT-25).
   * Errors: ENOENT vCPU; EINVAL offset crosses the page, is unaligned, vCPU has a block, no such page.
   */
  initControl(vcpu: number, gfn: Gfn, offset: number): void {
    if (!this.hasVcpu(vcpu)) fail('ENOENT', `vcpu ${vcpu}`);
    if (offset > 4096 - CONTROL_BYTES) fail('EINVAL', `offset ${offset} crosses the page`);
    if ((offset & 7) !== 0) fail('EINVAL', `offset ${offset} is unaligned`);
    if (this.#fifo?.block(vcpu) !== undefined) fail('EINVAL', `vcpu ${vcpu} has a control block`);
    const bytes = this.#page(gfn);
    if (this.#fifo === undefined) {
      this.#fifo = new Fifo(
        this,
        (port) => this.fifoPort(port),
        () => this.context,
      );
      for (let port = 1; port < Math.min(this.#valid, this.#twoLevel.ports); port++) {
        const own = this.fifoPort(port);
        if (this.#twoLevel.isPending(port)) own.wasPending = true;
        own.priority = PRIORITY_DEFAULT;
      }
      this.#abi = this.#fifo;
    }
    this.#fifo.setBlock(vcpu, { bytes, gfn, at: offset });
  }

  /** EVTCHNOP_expand_array: raises what was pending without a page. Errors: EOPNOTSUPP 2-level; ENOSPC; EINVAL no such page. */
  expandArray(gfn: Gfn): void {
    const fifo = this.#fifo ?? fail('EOPNOTSUPP', '2-level ABI');
    const from = fifo.words;
    fifo.addPage(() => ({ bytes: this.#page(gfn), gfn }));
    for (let port = from; port < from + FIFO_WORDS_PER_PAGE && port < this.#valid; port++)
      if (this.#fifoPorts[port]?.wasPending === true) fifo.setPending(port, this.vcpu(this.notifyVcpu(port)));
  }

  /** Back to the 2-level ABI, with whatever its bits say (EVT-12). */
  leaveFifo(): void {
    this.#fifo = undefined;
    this.#abi = this.#twoLevel;
  }

  /** VCPUOP_register_vcpu_info: contents move, all selector bits set, one spurious upcall (DOM-43).
   *  Errors: ENOENT vCPU; EINVAL offset beyond the page or no such page; EBUSY second time; ENXIO crosses the page, unaligned. */
  registerVcpuInfo(id: number, gfn: Gfn, offset: number): void {
    if (!this.hasVcpu(id)) fail('ENOENT', `vcpu ${id}`);
    const vcpu = this.vcpu(id);
    if (offset < 0 || offset >= 4096) fail('EINVAL', `offset ${offset}`);
    if (vcpu.gfn !== undefined) fail('EBUSY', `vcpu ${id}`);
    if (offset + VCPU_INFO_BYTES > 4096 || (offset & 7) !== 0) fail('ENXIO', `offset ${offset}`);
    const bytes = this.#page(gfn);
    bytes.set(vcpu.info.subarray(vcpu.at, vcpu.at + VCPU_INFO_BYTES), offset);
    vcpu.register(bytes, gfn, offset);
    bytes.fill(0xff, vcpu.selectorAt, vcpu.selectorAt + 8);
    this.markPending(vcpu);
  }

  /** What a soft reset leaves: vcpu_info where it was at first, and shared_info a page of zeros (DOM-40). */
  replaceSharedInfo(): void {
    this.sharedInfo.fill(0);
    for (const vcpu of this.#vcpus) vcpu?.unregister(this.sharedInfo);
  }

  /** What the restorer leaves in shared_info: nothing pending, everything masked, nothing selected (EVT-33). */
  resetWords(): void {
    this.sharedInfo.fill(0, PENDING_AT, MASK_AT);
    this.sharedInfo.fill(0xff, MASK_AT, MASK_AT + (MASK_AT - PENDING_AT));
    for (const vcpu of this.#vcpus) vcpu?.info.fill(0, vcpu.selectorAt, vcpu.selectorAt + 8);
  }

  #page(gfn: Gfn): Uint8Array {
    return (this.domain.memory.frame(gfn) ?? fail('EINVAL', `no page at gfn ${gfn}`)).bytes;
  }

  // The guest's side ------------------------------------------------------------------------------------------------

  /** The guest's handler clears the bit before it looks at its rings (EVT-19); whether it was set. */
  clear(port: Port): boolean {
    const was = this.#abi.isPending(port);
    if (was) this.#abi.clearPending(port);
    this.kernel.finish(port);
    return was;
  }

  /** The guest's own store to its mask bit. */
  mask(port: Port): void {
    this.#abi.mask(port);
  }

  /** The kernel is done with a port: EVTCHNOP_unmask, which takes the upcall now if an edge came meanwhile (EVT-17). */
  unmask(port: Port): void {
    this.kernel.finish(port);
    this.unmaskHypercall(port);
  }

  /** EVTCHNOP_unmask, of a port in any state; a FREE one is left as it is. */
  unmaskHypercall(port: Port): void {
    if (this.isUsable(port)) this.#abi.unmask(port, this.vcpu(this.notifyVcpu(port)));
  }

  /** Install the kernel's handler of one port; an edge that is already pending runs it at once, if the domain may run. */
  handle(port: Port, handler: (() => void) | undefined, service: Service = 'later'): void {
    this.kernel.install(port, handler, service);
    if (handler === undefined || !this.isPending(port) || this.isMasked(port)) return;
    if (this.domain.isRunning) this.kernel.serve(port);
    else {
      this.#abi.mask(port); // its upcall may have been taken when nobody cared: have it again
      this.unmaskHypercall(port);
    }
  }
}
