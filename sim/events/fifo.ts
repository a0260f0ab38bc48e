import { fail } from '../errors.ts';
import type { Gfn, Port } from '../ids.ts';
import type { Abi, AbiOwner, EdgeOutcome } from './abi.ts';
import type { EventContext } from './context.ts';
import type { VcpuEvents } from './vcpu.ts';
import {
  CONTROL_BYTES,
  FIFO_BUSY,
  FIFO_LINK,
  FIFO_LINKED,
  FIFO_MASKED,
  FIFO_PAGES,
  FIFO_PENDING,
  FIFO_PORTS,
  FIFO_QUEUES,
  FIFO_WORDS_PER_PAGE,
  HEADS,
  load32,
  PRIORITY_DEFAULT,
  READY,
  store32,
  testAndSetBit,
} from './words.ts';

/** A vCPU's control block in guest memory, and Xen's own idea of the tail of each of its queues. */
export interface ControlBlock extends GuestPage {
  readonly at: number;
}

/** A page that the guest gave for event words, or for control blocks. */
export interface GuestPage {
  readonly bytes: Uint8Array;
  readonly gfn: Gfn;
}

/** What Xen keeps of a port for the FIFO ABI. It outlives a close: only a later event or set_priority changes it. */
export interface FifoPort {
  /** Set while there was no array page; raised when the page comes, and never taken back (EVT-20). */
  wasPending: boolean;
  priority: number;
  /** Where the port was last linked: vCPU and priority. */
  lastVcpu: number;
  lastPriority: number;
}

export function fifoPort(): FifoPort {
  return { wasPending: false, priority: PRIORITY_DEFAULT, lastVcpu: 0, lastPriority: 0 };
}

/** Event words in array pages, queues by vCPU and priority. Source: xen/common/event_fifo.c. */
export class Fifo implements Abi {
  readonly kind = 'fifo';
  readonly ports = FIFO_PORTS;
  readonly #owner: AbiOwner;
  readonly #port: (port: Port) => FifoPort;
  readonly #context: () => EventContext;
  readonly #pages: GuestPage[] = [];
  readonly #blocks: (ControlBlock | undefined)[] = [];
  /** Tail of queue (vCPU, priority); 0: empty. */
  readonly #tails: Port[] = [];

  constructor(owner: AbiOwner, port: (port: Port) => FifoPort, context: () => EventContext) {
    this.#owner = owner;
    this.#port = port;
    this.#context = context;
  }

  /** Ports that have a word. */
  get words(): number {
    return this.#pages.length * FIFO_WORDS_PER_PAGE;
  }

  block(vcpu: number): ControlBlock | undefined {
    return this.#blocks[vcpu];
  }

  setBlock(vcpu: number, block: ControlBlock): void {
    this.#blocks[vcpu] = block;
  }

  /** The next page of the event array; the caller raises again what was pending without it. Errors: ENOSPC. */
  addPage(page: () => GuestPage): void {
    if (this.#pages.length >= FIFO_PAGES) fail('ENOSPC', `${FIFO_PAGES} array pages`);
    this.#pages.push(page());
  }

  /** Where the guest has put it all: array pages in order, and a control block for each vCPU that has one. */
  get places(): { readonly pages: readonly GuestPage[]; readonly blocks: readonly (ControlBlock | undefined)[] } {
    return { pages: this.#pages, blocks: this.#blocks };
  }

  /** The same pages are found elsewhere: `page` tells the octets at a gfn. */
  moved(page: (gfn: Gfn) => Uint8Array): void {
    for (const [i, { gfn }] of this.#pages.entries()) this.#pages[i] = { bytes: page(gfn), gfn };
    for (const [vcpu, block] of this.#blocks.entries())
      if (block !== undefined) this.#blocks[vcpu] = { ...block, bytes: page(block.gfn) };
  }

  /**
   * All queues empty: no head, nothing ready, no word linked. What is pending then has to be queued anew; the links of a guest
   * that came from elsewhere are of no use, since where each queue ends is known to Xen alone.
   */
  unlinkAll(): void {
    this.#tails.length = 0;
    for (const block of this.#blocks) {
      if (block === undefined) continue;
      block.bytes.fill(0, block.at, block.at + CONTROL_BYTES);
    }
    for (let port = 1; port < this.words; port++) {
      const word = this.word(port);
      if ((word & (FIFO_LINKED | FIFO_BUSY | FIFO_LINK)) !== 0)
        this.store(port, word & ~(FIFO_LINKED | FIFO_BUSY | FIFO_LINK));
    }
  }

  setPending(port: Port, vcpu: VcpuEvents): EdgeOutcome {
    const bytes = this.#page(port);
    const own = this.#port(port);
    if (bytes === undefined) {
      const outcome = own.wasPending ? 'coalesced' : 'set';
      own.wasPending = true;
      return outcome;
    }
    if (this.#context().queueContended(port)) return 'dropped';
    const block = this.#blocks[vcpu.id];
    if (block === undefined) return 'dropped';
    const at = wordAt(port);
    const before = load32(bytes, at);
    store32(bytes, at, before | FIFO_PENDING);
    const isNew = (before & FIFO_PENDING) === 0;
    let isChained = true;
    if ((before & (FIFO_MASKED | FIFO_LINKED)) === 0) {
      store32(bytes, at, before | FIFO_PENDING | FIFO_LINKED);
      isChained = this.#append(port, own, vcpu.id, block);
    }
    if (!isChained && !testAndSetBit(block.bytes, block.at + READY, own.lastPriority)) this.#owner.markPending(vcpu);
    if (isNew) this.#owner.checkPollers(port);
    return isNew ? 'set' : 'coalesced';
  }

  clearPending(port: Port): void {
    const bytes = this.#page(port);
    if (bytes !== undefined) store32(bytes, wordAt(port), load32(bytes, wordAt(port)) & ~FIFO_PENDING);
  }

  unmask(port: Port, vcpu: VcpuEvents): void {
    const bytes = this.#page(port);
    if (bytes === undefined) return;
    const word = load32(bytes, wordAt(port)) & ~FIFO_MASKED;
    store32(bytes, wordAt(port), word);
    if ((word & FIFO_PENDING) !== 0) this.setPending(port, vcpu);
  }

  mask(port: Port): void {
    const bytes = this.#page(port);
    if (bytes !== undefined) store32(bytes, wordAt(port), load32(bytes, wordAt(port)) | FIFO_MASKED);
  }

  isPending(port: Port): boolean {
    return (this.word(port) & FIFO_PENDING) !== 0;
  }

  isMasked(port: Port): boolean {
    return this.#page(port) === undefined || (this.word(port) & FIFO_MASKED) !== 0;
  }

  isBusy(port: Port): boolean {
    return (this.word(port) & FIFO_LINKED) !== 0;
  }

  /** The port's event word; 0 without an array page. */
  word(port: Port): number {
    const bytes = this.#page(port);
    return bytes === undefined ? 0 : load32(bytes, wordAt(port));
  }

  /** The guest's store to an event word, and nothing without an array page. */
  store(port: Port, word: number): void {
    const bytes = this.#page(port);
    if (bytes !== undefined) store32(bytes, wordAt(port), word);
  }

  /** Put a port whose LINKED bit was just set at the end of its queue; whether the tail's link leads to it. */
  #append(port: Port, own: FifoPort, vcpu: number, block: ControlBlock): boolean {
    const old = own.lastVcpu * FIFO_QUEUES + own.lastPriority;
    if (this.#tails[old] === port) this.#tails[old] = 0; // it was the last one there: that queue is empty now
    own.lastVcpu = vcpu;
    own.lastPriority = own.priority;
    const queue = vcpu * FIFO_QUEUES + own.priority;
    const tail = this.#tails[queue] ?? 0;
    const isChained = tail !== 0 && this.#link(tail, port);
    if (!isChained) store32(block.bytes, block.at + HEADS + 4 * own.priority, port);
    this.#tails[queue] = port;
    return isChained;
  }

  /**
   * Set the LINK of the tail's word if it is still LINKED. A guest that changes the word under each of the five tries gets
   * success without a link: the events behind are lost to it alone (EVT-22).
   */
  #link(tail: Port, port: Port): boolean {
    const context = this.#context();
    for (let tries = 0; tries < 5; tries++) {
      const seen = this.word(tail);
      if ((seen & FIFO_LINKED) === 0) {
        if (tries > 0) this.store(tail, seen & ~FIFO_BUSY);
        return false;
      }
      context.linking(tail);
      if (this.word(tail) === seen) {
        this.store(tail, (seen & ~(FIFO_BUSY | FIFO_LINK)) | port);
        return true;
      }
      if (tries === 0) this.store(tail, this.word(tail) | FIFO_BUSY); // keeps an honest guest from unmasking meanwhile
    }
    this.store(tail, this.word(tail) & ~FIFO_BUSY);
    return true;
  }

  #page(port: Port): Uint8Array | undefined {
    return this.#pages[port >>> 10]?.bytes;
  }
}

function wordAt(port: Port): number {
  return (port & (FIFO_WORDS_PER_PAGE - 1)) * 4;
}
