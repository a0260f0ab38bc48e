import { type Actor, PAGE_BYTES } from '../../sim/index.ts';
import type { Thread } from '../kernel/index.ts';
import type { GrantedPage, NetRings } from './netfront-rings.ts';
import { decodeTxResponse, encodeTxRequest, NETIF_NR_SLOTS_MIN, NETIF_RSP_OKAY, NETTXF_more_data } from './netif.ts';
import { packetOf } from './sums.ts';
import type { XenbusDevice } from './xenbus-device.ts';

const STORE_NS = 15;
const LOAD_NS = 20;
const COPY_NS_PER_64 = 4;

/** A packet on the tx ring: it is acknowledged with its last slot. */
interface Sent {
  readonly n: number;
  left: number;
  ok: boolean;
}

/** A piece of a packet, from octet `at`, at `offset` of a page of its own. */
interface Piece {
  readonly at: number;
  readonly size: number;
  readonly offset: number;
}

/** Packets on their way out: queued, then on the tx ring until they are acknowledged. The queue outlives the rings. */
export class NetTransmit {
  readonly #device: XenbusDevice;
  readonly #cutsPackets: boolean;
  readonly #broken: (why: string) => void;
  readonly #queue: Uint8Array[] = [];
  readonly #buffers = new Map<number, GrantedPage & { readonly packet: Sent }>();
  #ids = 0;
  #packets = 0;

  /** @param broken called when the backend has done what cannot be. */
  constructor(device: XenbusDevice, cutsPackets: boolean, broken: (why: string) => void) {
    this.#device = device;
    this.#cutsPackets = cutsPackets;
    this.#broken = broken;
  }

  /** Packets and slots that are not acknowledged yet. */
  get inFlight(): number {
    return this.#queue.length + this.#buffers.size;
  }

  queue(packet: Uint8Array): void {
    if (packet.length > (NETIF_NR_SLOTS_MIN - 2) * PAGE_BYTES) throw new Error(`assertion: packet of ${packet.length}`);
    this.#queue.push(packet);
  }

  /** A frontend of a new domain: its packets are counted from 0. */
  restart(): void {
    this.#packets = 0;
  }

  /** Before all that waits. */
  queueFirst(packet: Uint8Array): void {
    this.#queue.unshift(packet);
  }

  /** Whether there is a packet, and room for the largest. */
  hasWork({ tx }: NetRings): boolean {
    return this.#queue.length > 0 && tx.free >= NETIF_NR_SLOTS_MIN;
  }

  /** Let go of the pages on the ring: their packets are lost, as on any wire. */
  abandon(): GrantedPage[] {
    const buffers = [...this.#buffers.values()];
    this.#buffers.clear();
    return buffers;
  }

  /** xennet_tx_buf_gc: what the backend has sent, or could not send. */
  *takeAnswers({ tx, spare }: NetRings): Actor {
    const answers = tx.pending();
    if (answers < 0) this.#broken('impossible tx response index');
    for (let i = 0; i < answers; i++) {
      const { id, status } = decodeTxResponse(tx.take().slice());
      const buffer = this.#buffers.get(id);
      if (buffer === undefined) {
        this.#broken(`response to unknown tx id ${id}`);
        break;
      }
      this.#buffers.delete(id);
      if (!this.#device.kernel.grants.end(buffer.gref)) this.#broken('backend still has a granted page');
      else spare.push(buffer.frame);
      const { packet } = buffer;
      packet.ok &&= status === NETIF_RSP_OKAY;
      if (--packet.left === 0) this.#device.note({ what: 'acked', n: packet.n, ok: packet.ok });
    }
    if (answers > 0) yield LOAD_NS * answers;
  }

  /** Put packets on the tx ring as long as there is room for the largest, all slots of one at once. */
  *transmit(me: Thread, rings: NetRings): Actor {
    const { tx } = rings;
    let bytes = 0;
    let packets = 0;
    while (this.hasWork(rings)) {
      const packet = this.#queue[0] as Uint8Array;
      const pieces = this.#cut(me, packet);
      const buffers = this.#grantPieces(rings, packet, pieces);
      if (buffers === undefined) break; // no reference is free now
      this.#queue.shift();
      const sent: Sent = { n: this.#packets++, left: pieces.length, ok: true };
      buffers.forEach((buffer, i) => {
        const id = this.#freshId();
        this.#buffers.set(id, { ...buffer, packet: sent });
        const { offset, size } = pieces[i] as Piece;
        const flags = i < pieces.length - 1 ? NETTXF_more_data : 0;
        encodeTxRequest({ gref: buffer.gref, offset, flags, id, size: i === 0 ? packet.length : size }, tx.fill());
      });
      this.#device.note({ what: 'sent', ...packetOf(packet) });
      bytes += packet.length;
      packets++;
    }
    if (packets === 0) return;
    yield STORE_NS * packets + COPY_NS_PER_64 * (bytes >> 6);
    if (!rings.isWithdrawn) yield* rings.push(tx, rings.txPort);
  }

  /** Where in how many pages a packet lies. */
  #cut(me: Thread, packet: Uint8Array): Piece[] {
    const pieces: Piece[] = [];
    const isCut = this.#cutsPackets && packet.length < PAGE_BYTES && packet.length > 200 && me.draws.oneIn(4);
    for (let at = 0; at < packet.length; ) {
      const rest = packet.length - at;
      const most = isCut && pieces.length < 3 ? 1 + me.draws.below(rest) : PAGE_BYTES;
      const size = Math.min(rest, most);
      pieces.push({ at, size, offset: isCut ? me.draws.below(PAGE_BYTES - size + 1) : 0 });
      at += size;
    }
    return pieces;
  }

  #grantPieces({ spare }: NetRings, packet: Uint8Array, pieces: readonly Piece[]): GrantedPage[] | undefined {
    const { grants, os } = this.#device.kernel;
    const buffers: GrantedPage[] = [];
    for (const { at, size, offset } of pieces) {
      const frame = spare.pop() ?? os.allocPage();
      const gref = grants.grant(this.#device.otherendId, frame, true);
      if (gref === undefined) {
        spare.push(frame);
        for (const buffer of buffers) if (grants.end(buffer.gref)) spare.push(buffer.frame);
        return undefined;
      }
      frame.bytes.set(packet.subarray(at, at + size), offset);
      frame.wrote();
      buffers.push({ frame, gref });
    }
    return buffers;
  }

  #freshId(): number {
    do this.#ids = (this.#ids + 1) & 0xffff;
    while (this.#buffers.has(this.#ids));
    return this.#ids;
  }
}
