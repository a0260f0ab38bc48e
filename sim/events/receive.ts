import type { Port } from '../ids.ts';
import type { Abi } from './abi.ts';
import type { ControlBlock, Fifo } from './fifo.ts';
import type { VcpuEvents } from './vcpu.ts';
import {
  FIFO_LINK,
  FIFO_LINKED,
  FIFO_MASKED,
  FIFO_PENDING,
  HEADS,
  load32,
  MASK_AT,
  PENDING_AT,
  READY,
  store32,
} from './words.ts';

/**
 * How a kernel serves a port.
 * `edge`: clear pending, run the handler (EVT-15). `fasteoi`: mask, clear, run, unmask. `lateeoi`: mask, clear, run; whoever
 * finishes the work unmasks. `later`: run and leave pending set; whoever does the work clears it first, and until then the
 * port is in service and its handler is not run again (Linux: is_active).
 */
export type Service = 'edge' | 'fasteoi' | 'lateeoi' | 'later';

interface Handler {
  readonly run: () => void;
  readonly service: Service;
}

/** What the receiver has of its domain's channels. */
export interface ReceiverPorts {
  readonly sharedInfo: Uint8Array;
  readonly abi: Abi;
  readonly fifo: Fifo | undefined;
  unmask(port: Port): void;
}

/**
 * A kernel's upcall handler: looks at nothing but the words in shared memory. Handlers run inside the upcall; they only
 * wake somebody, mask ports, or note what came.
 * Source: linux drivers/xen/events/events_2l.c, events_fifo.c, without the rotation of the first bit.
 */
export class Receiver {
  readonly #ports: ReceiverPorts;
  readonly #handlers: (Handler | undefined)[] = [];
  readonly #inService: boolean[] = [];

  constructor(ports: ReceiverPorts) {
    this.#ports = ports;
  }

  /** Install the handler of a port, or none. The port is not in service from now on. */
  install(port: Port, run: (() => void) | undefined, service: Service): void {
    this.#handlers[port] = run === undefined ? undefined : { run, service };
    this.#inService[port] = false;
  }

  /** The work of a port is done: its handler may run again. */
  finish(port: Port): void {
    this.#inService[port] = false;
  }

  /** The kernel goes on here, with the handlers that it had there; those of `from` are none of anybody's. */
  takeOver(from: Receiver): void {
    for (const [port, handler] of from.#handlers.splice(0).entries()) this.#handlers[port] = handler;
    for (const [port, is] of from.#inService.splice(0).entries()) this.#inService[port] = is;
  }

  /** Take one upcall: clear the flag, then drain what the words show (EVT-15, EVT-23). */
  upcall(vcpu: VcpuEvents): void {
    vcpu.upcallPending = false;
    const { fifo } = this.#ports;
    if (fifo === undefined) this.#scanBits(vcpu);
    else {
      const block = fifo.block(vcpu.id);
      if (block !== undefined) this.#drainQueues(fifo, block);
    }
  }

  /** Serve one port that shows pending and not masked. */
  serve(port: Port): void {
    const handler = this.#handlers[port];
    if (handler === undefined || this.#inService[port] === true) return;
    const { abi } = this.#ports;
    switch (handler.service) {
      case 'later':
        this.#inService[port] = true;
        handler.run();
        return;
      case 'edge':
        abi.clearPending(port);
        handler.run();
        return;
      case 'lateeoi':
        abi.mask(port);
        abi.clearPending(port);
        handler.run();
        return;
      case 'fasteoi':
        abi.mask(port);
        abi.clearPending(port);
        handler.run();
        this.#ports.unmask(port);
    }
  }

  #scanBits(vcpu: VcpuEvents): void {
    const words = this.#ports.sharedInfo;
    const { info, selectorAt } = vcpu;
    for (let i = 0; i < 8; i++) {
      let selected = info[selectorAt + i] as number;
      if (selected === 0) continue;
      info[selectorAt + i] = 0;
      for (; selected !== 0; selected &= selected - 1) {
        const word = 8 * i + lowest(selected);
        for (let octet = 8 * word; octet < 8 * word + 8; octet++) {
          let ready = (words[PENDING_AT + octet] as number) & ~(words[MASK_AT + octet] as number);
          for (; ready !== 0; ready &= ready - 1) this.serve(8 * octet + lowest(ready));
        }
      }
    }
  }

  /** Drain the highest priority that is ready, look for newly ready ones, and so on: strict across priorities (EVT-26). */
  #drainQueues(fifo: Fifo, block: ControlBlock): void {
    const heads: Port[] = []; // its own copy, by priority; 0: the control block has it
    let ready = this.#takeReady(block);
    while (ready !== 0) {
      const priority = lowest(ready);
      const head = (heads[priority] ?? 0) || load32(block.bytes, block.at + HEADS + 4 * priority);
      const next = head === 0 ? 0 : this.#consume(fifo, head);
      heads[priority] = next;
      if (next === 0) ready &= ~(1 << priority);
      ready |= this.#takeReady(block);
    }
  }

  #takeReady(block: ControlBlock): number {
    const ready = load32(block.bytes, block.at + READY) & 0xffff;
    store32(block.bytes, block.at + READY, 0);
    return ready;
  }

  /** Take the head off its queue; the next head, or 0 if it was the last. */
  #consume(fifo: Fifo, port: Port): Port {
    const word = fifo.word(port);
    fifo.store(port, word & ~(FIFO_LINKED | FIFO_LINK));
    if ((word & FIFO_PENDING) !== 0 && (word & FIFO_MASKED) === 0) this.serve(port);
    return word & FIFO_LINK;
  }
}

/** Number of the lowest set bit. */
function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
