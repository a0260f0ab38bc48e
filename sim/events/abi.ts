import type { Port } from '../ids.ts';
import type { VcpuEvents } from './vcpu.ts';

/** `set`: PENDING was clear before; `coalesced`: it was set; `dropped`: nowhere to put it. */
export type EdgeOutcome = 'set' | 'coalesced' | 'dropped';

/** Where and how pending events are noted: the low-level port operations of one event channel ABI. */
export interface Abi {
  readonly kind: 'two-level' | 'fifo';
  /** Exclusive bound of port numbers. */
  readonly ports: number;
  setPending(port: Port, vcpu: VcpuEvents): EdgeOutcome;
  clearPending(port: Port): void;
  /** EVTCHNOP_unmask. */
  unmask(port: Port, vcpu: VcpuEvents): void;
  /** A plain store of the guest to its own mask bit. */
  mask(port: Port): void;
  isPending(port: Port): boolean;
  isMasked(port: Port): boolean;
  /** A port that was closed while its word is still on a queue cannot be handed out yet (EVT-1). */
  isBusy(port: Port): boolean;
}

/** What an ABI asks of the domain whose words it keeps. */
export interface AbiOwner {
  readonly sharedInfo: Uint8Array;
  /** Set the vCPU's upcall flag and kick it. */
  markPending(vcpu: VcpuEvents): void;
  checkPollers(port: Port): void;
}
