import {
  type Actor,
  type Frame,
  FrontRing,
  type Gref,
  initIoRing,
  PAGE_BYTES,
  PARK,
  type Port,
} from '../../sim/index.ts';
import type { Me } from '../kernel/index.ts';
import { FrontendStates } from './frontend-states.ts';
import {
  decodeRxResponse,
  decodeTxResponse,
  encodeRxRequest,
  encodeTxRequest,
  NETIF_NR_SLOTS_MIN,
  NETIF_RSP_OKAY,
  NETIF_RX_SLOT_BYTES,
  NETIF_TX_SLOT_BYTES,
  NETRXF_more_data,
  NETTXF_more_data,
} from './netif.ts';
import { packetOf } from './sums.ts';
import type { Driver, DriverInstance, XenbusDevice } from './xenbus-device.ts';
import { XenbusState } from './xenbus-state.ts';

const STORE_NS = 15;
const LOAD_NS = 20;
const SEND_NS = 250;
const COPY_NS_PER_64 = 4;

export interface NetfrontOptions {
  /** Buffers kept with the backend. */
  readonly rxBuffers: number;
  /** Whether packets may be cut into pieces of random sizes, as a stack's buffers are; else only at pages. */
  readonly cutsPackets: boolean;
  /** The interface has a carrier for the first time. */
  readonly online: (nic: Netfront) => void;
}

/** xen-netfront. Source: linux drivers/net/xen-netfront.c. */
export class NetfrontDriver implements Driver {
  readonly #options: NetfrontOptions;

  constructor(options: NetfrontOptions) {
    this.#options = options;
  }

  *probe(device: XenbusDevice): Actor<DriverInstance | undefined> {
    return new Netfront(device, this.#options);
  }
}

/** A page that is, or was, granted to the backend. */
interface GrantedPage {
  readonly frame: Frame;
  gref: Gref;
}

/** A packet on the tx ring: it is acknowledged with its last slot. */
interface Sent {
  readonly n: number;
  left: number;
  ok: boolean;
}

/** The two rings as they are granted. */
interface Rings {
  readonly tx: FrontRing;
  readonly rx: FrontRing;
  readonly pages: readonly { readonly frame: Frame; readonly gref: Gref }[];
  /** Ports: one for each direction, or one for both. */
  readonly ports: readonly Port[];
}

/** One network interface of a guest. */
export class Netfront implements DriverInstance {
  readonly #device: XenbusDevice;
  readonly #options: NetfrontOptions;
  readonly #thread: Me;
  readonly #queue: Uint8Array[] = [];
  readonly #txBuffers = new Map<number, GrantedPage & { readonly packet: Sent }>();
  readonly #rxBuffers = new Map<number, GrantedPage>();
  readonly #spare: Frame[] = [];
  readonly #assembling: Uint8Array[] = [];
  readonly #states: FrontendStates;
  #rings: Rings | undefined;
  #isConnected = false;
  #isBroken = false;
  #isGone = false;
  #mustClose = false;
  #wasOnline = false;
  #ids = 0;
  #packets = 0;
  /** The interface's own address, twelve hex digits. */
  address = '';
  /** Called with each packet that came. */
  received: (packet: Uint8Array) => void = () => {};

  constructor(device: XenbusDevice, options: NetfrontOptions) {
    this.#device = device;
    this.#states = new FrontendStates(device, {
      talk: () => this.#connect(),
      connected: () => this.#backConnected(),
      close: () => this.#close(),
      withdraw: () => this.#withdraw(),
    });
    this.#options = options;
    this.#thread = device.kernel.os.start(`netfront.${device.id}`, (me) => this.#run(me));
  }

  get name(): string {
    return this.#device.name;
  }

  /** Whether its users should let go. */
  get isClosing(): boolean {
    return this.#mustClose || this.#isGone || this.#isBroken;
  }

  get hasCarrier(): boolean {
    return this.#isConnected;
  }

  /** Packets that are not acknowledged yet. */
  get inFlight(): number {
    return this.#queue.length + this.#txBuffers.size;
  }

  /** Queue a packet: an Ethernet header and what follows. It goes out when there is room. */
  send(packet: Uint8Array): void {
    if (packet.length > (NETIF_NR_SLOTS_MIN - 2) * PAGE_BYTES) throw new Error(`assertion: packet of ${packet.length}`);
    this.#queue.push(packet);
    this.#thread.wake();
  }

  /** Close the connection and make it anew. Packets that are under way then are lost, as on any wire. */
  reopen(): void {
    const device = this.#device;
    device.bus.post(device, () => this.#beginReopen());
  }

  *#beginReopen(): Actor {
    if (!this.#isConnected || this.#mustClose || this.#states.isReopening) return;
    this.#isConnected = false;
    yield* this.#states.reopen();
  }

  otherendChanged(state: XenbusState): Actor {
    return this.#states.otherendChanged(state);
  }

  *#backConnected(): Actor {
    if (this.#device.state !== XenbusState.Connected || this.#isConnected) return;
    this.#isConnected = true;
    this.#thread.wake();
    if (!this.#wasOnline) this.#options.online(this);
    this.#wasOnline = true;
  }

  *removed(): Actor {
    this.#isGone = true;
    this.#mustClose = true;
    this.#withdraw();
    this.#thread.wake();
  }

  /** xenbus_frontend_closed: at once; whoever sends must have looked at `isClosing`. */
  *#close(): Actor {
    this.#mustClose = true;
    this.#isConnected = false;
    yield* this.#device.switchState(XenbusState.Closed);
  }

  /** talk_to_netback: what the backend can, then rings, ports and the keys that name them. */
  *#connect(): Actor {
    const device = this.#device;
    const { os, grants } = device.kernel;
    if ((yield* device.numberOther('feature-rx-copy', 0)) !== 1) {
      yield* device.fail('backend does not support copying receive path');
      return;
    }
    const isSplit = (yield* device.numberOther('feature-split-event-channels', 0)) === 1;
    const mac = (yield* device.read('mac'))?.replaceAll(':', '') ?? '';
    if (!/^[0-9a-f]{12}$/.test(mac)) {
      yield* device.fail('parsing mac');
      return;
    }
    this.address = mac;
    const frames = [os.allocPage(), os.allocPage()] as const;
    const ports: Port[] = [];
    for (let i = 0; i < (isSplit ? 2 : 1); i++) {
      const port = os.hyper.allocUnbound(os.domain.domid, device.otherendId);
      if (port.ok) ports.push(port.value);
    }
    const pages = frames.flatMap((frame) => {
      initIoRing(frame);
      const gref = grants.grant(device.otherendId, frame);
      return gref === undefined ? [] : [{ frame, gref }];
    });
    const [tx, rx] = pages;
    const [txPort, rxPort] = ports;
    if (tx === undefined || rx === undefined || txPort === undefined || (isSplit && rxPort === undefined)) {
      yield* device.fail('no grant reference or event channel');
      return;
    }
    for (const port of ports) os.handle(port, this.#thread);
    this.#rings = {
      tx: new FrontRing(tx.frame, NETIF_TX_SLOT_BYTES),
      rx: new FrontRing(rx.frame, NETIF_RX_SLOT_BYTES),
      pages,
      ports,
    };
    const isDone = yield* device.writeAll([
      ['tx-ring-ref', String(tx.gref)],
      ['rx-ring-ref', String(rx.gref)],
      ...(rxPort === undefined
        ? ([['event-channel', String(txPort)]] as const)
        : ([
            ['event-channel-tx', String(txPort)],
            ['event-channel-rx', String(rxPort)],
          ] as const)),
      ['request-rx-copy', '1'],
      ['feature-rx-notify', '1'],
      ['feature-sg', '1'],
    ]);
    if (!isDone) {
      yield* device.fail('writing ring keys');
      return;
    }
    device.note({ what: 'published', refs: [tx.gref, rx.gref], ports });
    yield* device.switchState(XenbusState.Connected);
    this.#thread.wake(); // buffers can be there before the backend is
  }

  /** xennet_disconnect_backend: everything that was granted is taken back; packets under way are lost. */
  #withdraw(): void {
    const rings = this.#rings;
    this.#isConnected = false;
    if (rings === undefined) return;
    this.#rings = undefined;
    const { grants, os } = this.#device.kernel;
    for (const port of rings.ports) os.closePort(port);
    const buffers = [...rings.pages, ...this.#txBuffers.values(), ...this.#rxBuffers.values()];
    for (const { gref, frame } of buffers) grants.endAndFree(gref, frame);
    for (const frame of this.#spare.splice(0)) os.domain.memory.free(frame.gfn);
    this.#txBuffers.clear();
    this.#rxBuffers.clear();
    this.#assembling.length = 0;
    this.#device.note({ what: 'withdrawn' });
  }

  #break(why: string): void {
    this.#isBroken = true;
    this.#device.note({ what: 'stopped', side: 'front', why });
  }

  /** The rings' only user. */
  *#run(me: Me): Actor {
    const { os } = this.#device.kernel;
    while (!this.#isGone) {
      const rings = this.#rings;
      if (rings === undefined || this.#isBroken || this.#states.isReopening || this.#mustClose) {
        yield PARK;
        continue;
      }
      for (const port of rings.ports) os.acknowledge(port);
      let worked = false;
      // Between two of its parts the rings may be withdrawn.
      const isOn = () => this.#rings === rings && !this.#isBroken && !this.#states.isReopening;
      if (isOn()) worked = yield* this.#takeAnswers(rings);
      if (isOn()) worked = (yield* this.#takePackets(rings)) || worked;
      if (isOn()) worked = (yield* this.#post(rings)) || worked;
      if (isOn() && this.#isConnected) worked = (yield* this.#transmit(me, rings)) || worked;
      if (worked || this.#rings !== rings || this.#isBroken) continue;
      rings.tx.arm();
      rings.rx.arm();
      yield STORE_NS;
      if (this.#rings !== rings || rings.tx.pending() !== 0 || rings.rx.pending() !== 0) continue;
      if (this.#canTransmit(rings)) continue;
      yield PARK;
    }
  }

  *#takeAnswers({ tx }: Rings): Actor<boolean> {
    const answers = tx.pending();
    if (answers < 0) this.#break('impossible tx response index');
    for (let i = 0; i < answers; i++) {
      const { id, status } = decodeTxResponse(tx.take().slice());
      const buffer = this.#txBuffers.get(id);
      if (buffer === undefined) {
        this.#break(`response to unknown tx id ${id}`);
        break;
      }
      this.#txBuffers.delete(id);
      if (!this.#device.kernel.grants.end(buffer.gref)) this.#break('backend still has a granted page');
      else this.#spare.push(buffer.frame);
      const { packet } = buffer;
      packet.ok &&= status === NETIF_RSP_OKAY;
      if (--packet.left === 0) this.#device.note({ what: 'acked', n: packet.n, ok: packet.ok });
    }
    if (answers > 0) yield LOAD_NS * answers;
    return answers > 0;
  }

  *#takePackets(rings: Rings): Actor<boolean> {
    const { rx } = rings;
    const answers = rx.pending();
    if (answers < 0) this.#break('impossible rx response index');
    for (let i = 0; i < answers; i++) {
      const { id, offset, flags, status } = decodeRxResponse(rx.take().slice());
      const buffer = this.#rxBuffers.get(id);
      if (buffer === undefined || offset + status > PAGE_BYTES) {
        this.#break(`impossible rx response, id ${id}`);
        break;
      }
      this.#rxBuffers.delete(id);
      if (this.#device.kernel.grants.end(buffer.gref)) this.#spare.push(buffer.frame);
      this.#assembling.push(status > 0 ? buffer.frame.bytes.slice(offset, offset + status) : new Uint8Array(0));
      if ((flags & NETRXF_more_data) !== 0) continue;
      const parts = this.#assembling.splice(0);
      if (parts.some((part) => part.length === 0)) continue; // the backend could not copy
      const packet = joined(parts);
      this.#device.note({ what: 'received', ...packetOf(packet) });
      yield LOAD_NS + COPY_NS_PER_64 * (packet.length >> 6);
      this.received(packet);
      if (this.#rings !== rings) return true;
    }
    return answers > 0;
  }

  /** Keep so many buffers with the backend. */
  *#post(rings: Rings): Actor<boolean> {
    const { rx, ports } = rings;
    const { grants, os } = this.#device.kernel;
    const wanted = Math.min(this.#options.rxBuffers, rx.slots) - this.#rxBuffers.size;
    // Not one by one: a batch is worth an event.
    if (wanted <= 0 || (this.#rxBuffers.size > 0 && wanted < this.#options.rxBuffers / 8)) return false;
    let posted = 0;
    for (; posted < wanted && rx.free > 0; posted++) {
      const frame = this.#spare.pop() ?? os.allocPage();
      const gref = grants.grant(this.#device.otherendId, frame);
      if (gref === undefined) {
        this.#spare.push(frame);
        break;
      }
      const id = rx.prodPvt & (rx.slots - 1);
      this.#rxBuffers.set(id, { frame, gref });
      encodeRxRequest({ id, gref }, rx.fill());
    }
    if (posted === 0) return false;
    yield STORE_NS * posted;
    if (this.#rings === rings) yield* this.#push(rings, rx, ports[1] ?? (ports[0] as Port));
    return true;
  }

  #canTransmit({ tx }: Rings): boolean {
    const [packet] = this.#queue;
    return this.#isConnected && packet !== undefined && tx.free >= NETIF_NR_SLOTS_MIN;
  }

  /** Put packets on the tx ring as long as there is room for the largest, all slots of one at once. */
  *#transmit(me: Me, rings: Rings): Actor<boolean> {
    const { tx, ports } = rings;
    let bytes = 0;
    let packets = 0;
    while (this.#canTransmit(rings)) {
      const packet = this.#queue[0] as Uint8Array;
      const pieces = this.#cut(me, packet);
      const buffers = this.#grantPieces(packet, pieces);
      if (buffers === undefined) break; // no reference is free now
      this.#queue.shift();
      const sent: Sent = { n: this.#packets++, left: pieces.length, ok: true };
      buffers.forEach((buffer, i) => {
        const id = this.#freshId();
        this.#txBuffers.set(id, { ...buffer, packet: sent });
        const { offset, size } = pieces[i] as Piece;
        const flags = i < pieces.length - 1 ? NETTXF_more_data : 0;
        encodeTxRequest({ gref: buffer.gref, offset, flags, id, size: i === 0 ? packet.length : size }, tx.fill());
      });
      this.#device.note({ what: 'sent', ...packetOf(packet) });
      bytes += packet.length;
      packets++;
    }
    if (packets === 0) return false;
    yield STORE_NS * packets + COPY_NS_PER_64 * (bytes >> 6);
    if (this.#rings === rings) yield* this.#push(rings, tx, ports[0] as Port);
    return true;
  }

  /** Where in how many pages a packet lies. */
  #cut(me: Me, packet: Uint8Array): Piece[] {
    const pieces: Piece[] = [];
    const isCut = this.#options.cutsPackets && packet.length < PAGE_BYTES && packet.length > 200 && me.draws.oneIn(4);
    for (let at = 0; at < packet.length; ) {
      const rest = packet.length - at;
      const most = isCut && pieces.length < 3 ? 1 + me.draws.below(rest) : PAGE_BYTES;
      const size = Math.min(rest, most);
      pieces.push({ at, size, offset: isCut ? me.draws.below(PAGE_BYTES - size + 1) : 0 });
      at += size;
    }
    return pieces;
  }

  #grantPieces(packet: Uint8Array, pieces: readonly Piece[]): GrantedPage[] | undefined {
    const { grants, os } = this.#device.kernel;
    const buffers: GrantedPage[] = [];
    for (const { at, size, offset } of pieces) {
      const frame = this.#spare.pop() ?? os.allocPage();
      const gref = grants.grant(this.#device.otherendId, frame, true);
      if (gref === undefined) {
        this.#spare.push(frame);
        for (const buffer of buffers) if (grants.end(buffer.gref)) this.#spare.push(buffer.frame);
        return undefined;
      }
      frame.bytes.set(packet.subarray(at, at + size), offset);
      buffers.push({ frame, gref });
    }
    return buffers;
  }

  #freshId(): number {
    do this.#ids = (this.#ids + 1) & 0xffff;
    while (this.#txBuffers.has(this.#ids));
    return this.#ids;
  }

  *#push(rings: Rings, ring: FrontRing, port: Port): Actor {
    const before = ring.publish();
    yield LOAD_NS;
    if (this.#rings === rings && ring.shouldNotify(before)) {
      this.#device.kernel.os.hyper.send(port);
      yield SEND_NS;
    }
  }
}

/** A piece of a packet, from octet `at`, at `offset` of a page of its own. */
interface Piece {
  readonly at: number;
  readonly size: number;
  readonly offset: number;
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
