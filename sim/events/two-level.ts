import type { Port } from '../ids.ts';
import type { Abi, AbiOwner, EdgeOutcome } from './abi.ts';
import type { VcpuEvents } from './vcpu.ts';
import { MASK_AT, PENDING_AT, TWO_LEVEL_PORTS, testAndClearBit, testAndSetBit, testBit } from './words.ts';

/** The bit arrays of shared_info. Order of the bit operations: EVT-14. Source: xen/common/event_2l.c. */
export class TwoLevel implements Abi {
  readonly kind = 'two-level';
  readonly ports = TWO_LEVEL_PORTS;
  readonly #owner: AbiOwner;
  readonly #words: Uint8Array;

  constructor(owner: AbiOwner) {
    this.#owner = owner;
    this.#words = owner.sharedInfo;
  }

  setPending(port: Port, vcpu: VcpuEvents): EdgeOutcome {
    if (testAndSetBit(this.#words, PENDING_AT, port)) return 'coalesced';
    if (!testBit(this.#words, MASK_AT, port)) this.#select(port, vcpu);
    this.#owner.checkPollers(port);
    return 'set';
  }

  clearPending(port: Port): void {
    testAndClearBit(this.#words, PENDING_AT, port);
  }

  unmask(port: Port, vcpu: VcpuEvents): void {
    if (testAndClearBit(this.#words, MASK_AT, port) && testBit(this.#words, PENDING_AT, port)) this.#select(port, vcpu);
  }

  mask(port: Port): void {
    testAndSetBit(this.#words, MASK_AT, port);
  }

  isPending(port: Port): boolean {
    return testBit(this.#words, PENDING_AT, port);
  }

  isMasked(port: Port): boolean {
    return testBit(this.#words, MASK_AT, port);
  }

  isBusy(): boolean {
    return false;
  }

  #select(port: Port, vcpu: VcpuEvents): void {
    if (!testAndSetBit(vcpu.info, vcpu.selectorAt, port >> 6)) this.#owner.markPending(vcpu);
  }
}
