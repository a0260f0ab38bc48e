import type { Gfn, Port } from '../ids.ts';
import { NR_VIRQS } from './virq.ts';
import { LEGACY_MAX_VCPUS, PENDING_SEL, UPCALL_MASK, UPCALL_PENDING, VCPU_INFO_BYTES } from './words.ts';

/** One vCPU as event channels see it: its vcpu_info, its VIRQ ports, and whether it sleeps for an event. */
export class VcpuEvents {
  readonly id: number;
  /** The page that holds this vCPU's vcpu_info, and the offset in it. */
  info: Uint8Array;
  at: number;
  /** VCPUOP_register_vcpu_info was done: the page; `undefined`: it was not. */
  gfn: Gfn | undefined = undefined;
  /** The guest's upcall handler of this vCPU is running. */
  inUpcall = false;
  /** The flag is set and the kick was lost. */
  missedKick = false;
  /** Upcalls wait until edges have had time to coalesce; only a fault rule does this. */
  isHeld = false;
  /** Port of each VIRQ bound here; 0: none. */
  readonly virqPorts: Port[] = new Array<Port>(NR_VIRQS).fill(0);
  /** Wakes the task that sleeps in SCHEDOP_block or SCHEDOP_poll. */
  sleeper: (() => void) | undefined = undefined;
  /** The one port polled for; -1: any port wakes it; 0: it does not poll. */
  polled: Port = 0;
  /** When a SCHEDOP_poll ends by itself, in ns; 0: never. */
  pollUntilNs = 0;

  constructor(id: number, sharedInfo: Uint8Array) {
    this.id = id;
    this.info = sharedInfo;
    this.at = 0;
    this.unregister(sharedInfo);
  }

  /** Where vcpu_info is before the guest registers a place of its own. */
  unregister(sharedInfo: Uint8Array): void {
    const isLegacy = this.id < LEGACY_MAX_VCPUS;
    this.info = isLegacy ? sharedInfo : new Uint8Array(VCPU_INFO_BYTES); // nobody sees it before it is registered
    this.at = isLegacy ? this.id * VCPU_INFO_BYTES : 0;
    this.gfn = undefined;
  }

  /** A place of its own in the guest's memory. */
  register(bytes: Uint8Array, gfn: Gfn, at: number): void {
    this.info = bytes;
    this.gfn = gfn;
    this.at = at;
  }

  get upcallPending(): boolean {
    return this.info[this.at + UPCALL_PENDING] !== 0;
  }

  set upcallPending(value: boolean) {
    this.info[this.at + UPCALL_PENDING] = value ? 1 : 0;
  }

  /** A PV guest that holds its upcalls off. */
  get upcallMasked(): boolean {
    return this.info[this.at + UPCALL_MASK] !== 0;
  }

  set upcallMasked(value: boolean) {
    this.info[this.at + UPCALL_MASK] = value ? 1 : 0;
  }

  /** Offset of the selector word in `info`. */
  get selectorAt(): number {
    return this.at + PENDING_SEL;
  }

  /** Wake whoever sleeps on this vCPU. */
  unblock(): void {
    const { sleeper } = this;
    this.polled = 0;
    if (sleeper === undefined) return;
    this.sleeper = undefined;
    sleeper();
  }
}
