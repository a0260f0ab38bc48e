import {
  type Actor,
  type BackRing,
  DOMID_SELF,
  type Frame,
  GNTCOPY_dest_gref,
  GNTCOPY_source_gref,
  GNTMAP_host_map,
  GNTMAP_readonly,
  GNTST,
  type GrantStatus,
  PAGE_BYTES,
  PARK,
  type Port,
} from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import type { Bridge, BridgePort } from './bridge.ts';
import { finalCheck } from './final-check.ts';
import {
  decodeRxRequest,
  decodeTxRequest,
  encodeRxResponse,
  encodeTxResponse,
  NETIF_NR_SLOTS_MIN,
  NETIF_RSP_ERROR,
  NETIF_RSP_OKAY,
  NETRXF_more_data,
  NETTXF_extra_info,
  NETTXF_more_data,
  type NetTxRequest,
} from './netif.ts';
import { ETH_HLEN, packetOf } from './sums.ts';
import type { XenbusDevice } from './xenbus-device.ts';

/** So much of a packet's beginning is copied; the rest is mapped. Source: XEN_NETBACK_TX_COPY_LEN. */
const TX_COPY_LEN = 128;
/** Octets that may wait for a guest's buffers. Source: a ring of them, as xenvif_init_queue has it. */
const RX_QUEUE_BYTES_MAX = 256 * PAGE_BYTES;
const STORE_NS = 15;
const LOAD_NS = 20;
const SEND_NS = 250;
const SLOT_NS = 60;
const COPY_NS = 150;
const MAP_NS = 300;

/** What the queue is made of: mapped rings, bound ports (twice the same if they are not split). */
export interface QueueParts {
  readonly tx: BackRing;
  readonly rx: BackRing;
  readonly txPort: Port;
  readonly rxPort: Port;
  readonly bridge: Bridge;
  /** Whether the frontend takes packets in more than one buffer. */
  readonly hasSg: boolean;
}

/** The interface in the backend's domain, unless the administrator names it. Source: xenvif_alloc. */
export function interfaceName({ otherendId, id }: XenbusDevice): string {
  return `vif${otherendId}.${id}`;
}

/** The two threads of a vif: one takes packets from the guest, one gives it those of others.
 *  Source: linux drivers/net/xen-netback/netback.c, rx.c. */
export class NetQueue implements BridgePort {
  readonly #device: XenbusDevice;
  readonly #parts: QueueParts;
  readonly #tx: BackRing;
  readonly #rx: BackRing;
  /** A page of either thread that packets are copied through. */
  readonly #scratch: Frame;
  readonly #scratchRx: Frame;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #threads: readonly Thread[] = [];
  #isStopping = false;
  /** xenvif_fatal_tx_err: the frontend broke a rule, the vif does nothing any more (RNG-8). */
  #isDisabled = false;

  constructor(device: XenbusDevice, parts: QueueParts) {
    this.#device = device;
    this.#parts = parts;
    this.#tx = parts.tx;
    this.#rx = parts.rx;
    this.#scratch = device.kernel.os.allocPage();
    this.#scratchRx = device.kernel.os.allocPage();
  }

  get isStarted(): boolean {
    return this.#threads.length > 0;
  }

  start(): void {
    const { os } = this.#device.kernel;
    const { txPort, rxPort, bridge } = this.#parts;
    const name = interfaceName(this.#device);
    const tx = os.start(`${name}-tx`, () => this.#runTx());
    const rx = os.start(`${name}-rx`, () => this.#runRx());
    this.#threads = [tx, rx];
    if (this.#sharesPort) os.handle(txPort, tx, rx);
    else {
      os.handle(txPort, tx);
      os.handle(rxPort, rx);
    }
    bridge.attach(name, this);
  }

  /** Whether both threads wait for the same port: its upcall acknowledges it and wakes both. */
  get #sharesPort(): boolean {
    return this.#parts.txPort === this.#parts.rxPort;
  }

  *stop(me: Thread): Actor {
    this.#parts.bridge.detach(interfaceName(this.#device));
    this.#isStopping = true;
    for (const thread of this.#threads)
      while (thread.task !== undefined && thread.task.state !== 'done') {
        thread.wake();
        yield 1_000 + me.draws.below(500);
      }
    this.#waiting.length = 0;
    const { memory } = this.#device.kernel.os.domain;
    for (const page of [this.#scratch, this.#scratchRx]) memory.free(page.gfn);
  }

  /** What waits for the guest's buffers, and is in none, is lost: its guest goes on where nobody has it (NC-34). */
  giveUpWaiting(): void {
    for (const packet of this.#waiting.splice(0)) this.#device.note({ what: 'lost', ...packetOf(packet) });
    this.#waitingBytes = 0;
  }

  linked(isUp: boolean): void {
    this.#device.note({ what: isUp ? 'plugged' : 'unplugged' });
  }

  /** From the bridge: a packet for the guest. */
  deliver(packet: Uint8Array): void {
    if (this.#isDisabled || (packet.length > PAGE_BYTES && !this.#parts.hasSg)) this.#drop(packet, 'no carrier');
    else if (this.#waitingBytes + packet.length > RX_QUEUE_BYTES_MAX) this.#drop(packet, 'rx queue full');
    else {
      this.#waiting.push(packet);
      this.#waitingBytes += packet.length;
      this.#device.note({ what: 'queued', ...packetOf(packet) });
      this.#threads[1]?.wake();
    }
  }

  #drop(packet: Uint8Array, why: 'rx queue full' | 'no carrier'): void {
    this.#device.note({ what: 'dropped', why, ...packetOf(packet) });
  }

  #disable(why: string): void {
    this.#isDisabled = true;
    this.#device.note({ what: 'stopped', side: 'back', why });
  }

  // From the guest ------------------------------------------------------------------------------------------------

  /** xenvif_tx_action: what one look has shown is sent, and then the ring is looked at once more. */
  *#runTx(): Actor {
    const { os } = this.#device.kernel;
    const { txPort } = this.#parts;
    const ring = this.#tx;
    for (;;) {
      if (!this.#sharesPort) os.acknowledge(txPort);
      let shown = this.#isDisabled ? 0 : ring.pending();
      if (shown < 0) this.#disable('impossible producer index');
      while (shown > 0 && !this.#isStopping) {
        const packet = this.#takePacket(shown);
        if (packet === undefined) break;
        shown -= packet.length;
        yield* this.#send(packet);
      }
      if (this.#isStopping) return;
      if (!this.#isDisabled && (yield* finalCheck(ring))) continue;
      yield PARK;
    }
  }

  /** Hand a packet of the guest to the bridge, and answer its slots. */
  *#send(packet: readonly NetTxRequest[]): Actor {
    const ring = this.#tx;
    yield SLOT_NS * packet.length;
    const octets = yield* this.#fetch(packet);
    if (octets !== undefined) {
      this.#device.note({ what: 'carried', ...packetOf(octets) });
      this.#parts.bridge.input(this, octets);
    }
    for (const { id } of packet)
      encodeTxResponse({ id, status: octets === undefined ? NETIF_RSP_ERROR : NETIF_RSP_OKAY }, ring.fill());
    yield STORE_NS;
    yield* this.#push(ring, this.#parts.txPort);
  }

  /** The slots of the next packet, copied, out of `shown` slots; `undefined`: what the frontend does is not allowed. All slots
   *  of a packet are published with the first. */
  #takePacket(shown: number): readonly NetTxRequest[] | undefined {
    const ring = this.#tx;
    const slots: NetTxRequest[] = [];
    let left = 0;
    do {
      if (slots.length === shown) return this.#fatal('a packet without its last slot');
      if (slots.length === NETIF_NR_SLOTS_MIN) return this.#fatal('a packet of too many slots');
      const slot = decodeTxRequest(ring.take().slice());
      if (slot.offset + slot.size > PAGE_BYTES && slots.length > 0) return this.#fatal('a slot that crosses its page');
      if (slots.length === 0) left = slot.size;
      else if (slot.size > left) return this.#fatal('a slot larger than what is left of its packet');
      else left -= slot.size;
      if ((slot.flags & NETTXF_extra_info) !== 0) return this.#fatal('extra info that was not offered');
      slots.push(slot);
    } while (((slots[slots.length - 1] as NetTxRequest).flags & NETTXF_more_data) !== 0);
    const [first] = slots;
    if (first === undefined || first.offset + left > PAGE_BYTES) return this.#fatal('a slot that crosses its page');
    return [{ ...first, size: left }, ...slots.slice(1)];
  }

  #fatal(why: string): undefined {
    this.#disable(why);
    return undefined;
  }

  /** The octets of a packet: the first by GNTTABOP_copy, the others through a mapping; `undefined`: a page cannot be had. */
  *#fetch(slots: readonly NetTxRequest[]): Actor<Uint8Array | undefined> {
    const { otherendId, kernel } = this.#device;
    const { hyper } = kernel.os;
    const octets = new Uint8Array(slots.reduce((sum, { size }) => sum + size, 0));
    if (octets.length < ETH_HLEN) return undefined;
    let at = 0;
    for (const [i, { gref, offset, size }] of slots.entries()) {
      const copied = i === 0 ? Math.min(size, TX_COPY_LEN) : 0;
      if (copied > 0) {
        const [status = GNTST.general_error] = hyper.gnttab.copy([
          {
            source: { domid: otherendId, gfnOrRef: gref, offset },
            dest: { domid: DOMID_SELF, gfnOrRef: this.#scratch.gfn, offset: 0 },
            len: copied,
            flags: GNTCOPY_source_gref,
          },
        ]);
        if (status !== GNTST.okay) return this.#unreachable(status);
        octets.set(this.#scratch.bytes.subarray(0, copied), at);
        yield COPY_NS;
      }
      if (copied < size) {
        const { status, handle, page } = hyper.mapGrant(otherendId, gref, GNTMAP_host_map | GNTMAP_readonly);
        if (status !== GNTST.okay || handle === undefined || page === undefined) return this.#unreachable(status);
        yield MAP_NS;
        octets.set(page.bytes.subarray(offset + copied, offset + size), at + copied);
        hyper.unmapGrant(handle);
        yield MAP_NS;
      }
      at += size;
    }
    return octets;
  }

  #unreachable(status: GrantStatus): undefined {
    this.#device.note({ what: 'unreachable', status });
    return undefined;
  }

  // To the guest --------------------------------------------------------------------------------------------------

  *#runRx(): Actor {
    const { os } = this.#device.kernel;
    const { rxPort } = this.#parts;
    const ring = this.#rx;
    for (;;) {
      if (!this.#sharesPort) os.acknowledge(rxPort);
      if (this.#isStopping) return;
      const [packet] = this.#waiting;
      if (packet !== undefined && !this.#isDisabled) {
        const needed = Math.ceil(packet.length / PAGE_BYTES);
        const buffers = ring.pending();
        if (buffers < 0) {
          this.#disable('impossible producer index');
          continue;
        }
        if (buffers >= needed) {
          this.#waiting.shift();
          this.#waitingBytes -= packet.length;
          yield* this.#give(packet, needed);
          yield* this.#push(ring, rxPort);
          continue;
        }
        if (yield* finalCheck(ring, buffers)) continue; // some may be left that do not suffice
      }
      yield PARK;
    }
  }

  /** Copy a packet into the guest's buffers and answer them. */
  *#give(packet: Uint8Array, buffers: number): Actor {
    const { otherendId, kernel } = this.#device;
    const ring = this.#rx;
    for (let i = 0; i < buffers; i++) {
      const part = packet.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
      const { id, gref } = decodeRxRequest(ring.take().slice());
      this.#scratchRx.bytes.set(part);
      const [status] = kernel.os.hyper.gnttab.copy([
        {
          source: { domid: DOMID_SELF, gfnOrRef: this.#scratchRx.gfn, offset: 0 },
          dest: { domid: otherendId, gfnOrRef: gref, offset: 0 },
          len: part.length,
          flags: GNTCOPY_dest_gref,
        },
      ]);
      const flags = i < buffers - 1 ? NETRXF_more_data : 0;
      const ok = status === GNTST.okay;
      encodeRxResponse({ id, offset: 0, flags, status: ok ? part.length : NETIF_RSP_ERROR }, ring.fill());
      yield COPY_NS + STORE_NS;
    }
  }

  /** Publish answers, and send if the frontend asked for it. */
  *#push(ring: BackRing, port: Port): Actor {
    const before = ring.publish();
    yield LOAD_NS;
    if (ring.shouldNotify(before)) {
      this.#device.kernel.os.hyper.send(port);
      yield SEND_NS;
    }
  }
}
