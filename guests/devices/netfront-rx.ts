import { type Actor, PAGE_BYTES } from '../../sim/index.ts';
import type { GrantedPage, NetRings } from './netfront-rings.ts';
import { decodeRxResponse, encodeRxRequest, NETRXF_more_data } from './netif.ts';
import { packetOf } from './sums.ts';
import type { XenbusDevice } from './xenbus-device.ts';

const STORE_NS = 15;
const LOAD_NS = 20;
const COPY_NS_PER_64 = 4;

/** What a receive path tells its interface. */
export interface NetReceiver {
  /** A packet came. */
  received(packet: Uint8Array): void;
  /** The backend has done what cannot be. */
  broken(why: string): void;
}

/** Buffers kept with the backend, and the packets that come in them. */
export class NetReceive {
  readonly #device: XenbusDevice;
  readonly #wanted: number;
  readonly #receiver: NetReceiver;
  readonly #buffers = new Map<number, GrantedPage>();
  readonly #assembling: Uint8Array[] = [];

  constructor(device: XenbusDevice, buffersWanted: number, receiver: NetReceiver) {
    this.#device = device;
    this.#wanted = buffersWanted;
    this.#receiver = receiver;
  }

  /** Let go of the buffers; of a packet that has come in part the rest never comes. */
  abandon(): GrantedPage[] {
    const buffers = [...this.#buffers.values()];
    this.#buffers.clear();
    this.#assembling.length = 0;
    return buffers;
  }

  /** xennet_poll: whole packets, in the order in which they came. */
  *takePackets(rings: NetRings): Actor {
    const { rx, spare } = rings;
    const answers = rx.pending();
    if (answers < 0) this.#receiver.broken('impossible rx response index');
    for (let i = 0; i < answers; i++) {
      const { id, offset, flags, status } = decodeRxResponse(rx.take().slice());
      const buffer = this.#buffers.get(id);
      if (buffer === undefined || offset + status > PAGE_BYTES) {
        this.#receiver.broken(`impossible rx response, id ${id}`);
        break;
      }
      this.#buffers.delete(id);
      if (this.#device.kernel.grants.end(buffer.gref)) spare.push(buffer.frame);
      this.#assembling.push(status > 0 ? buffer.frame.bytes.slice(offset, offset + status) : new Uint8Array(0));
      if ((flags & NETRXF_more_data) !== 0) continue;
      const parts = this.#assembling.splice(0);
      if (parts.some((part) => part.length === 0)) continue; // the backend could not copy
      const packet = joined(parts);
      this.#device.note({ what: 'received', ...packetOf(packet) });
      yield LOAD_NS + COPY_NS_PER_64 * (packet.length >> 6);
      this.#receiver.received(packet);
      if (rings.isWithdrawn) return;
    }
  }

  /** Keep so many buffers with the backend. */
  *post(rings: NetRings): Actor {
    const { rx, spare } = rings;
    const { grants, os } = this.#device.kernel;
    const wanted = Math.min(this.#wanted, rx.slots) - this.#buffers.size;
    // Not one by one: a batch is worth an event.
    if (wanted <= 0 || (this.#buffers.size > 0 && wanted < this.#wanted / 8)) return;
    let posted = 0;
    for (; posted < wanted && rx.free > 0; posted++) {
      const frame = spare.pop() ?? os.allocPage();
      const gref = grants.grant(this.#device.otherendId, frame);
      if (gref === undefined) {
        spare.push(frame);
        break;
      }
      const id = rx.prodPvt & (rx.slots - 1);
      this.#buffers.set(id, { frame, gref });
      encodeRxRequest({ id, gref }, rx.fill());
    }
    if (posted === 0) return;
    yield STORE_NS * posted;
    if (!rings.isWithdrawn) yield* rings.push(rx, rings.rxPort);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
