import { type Actor, type Frame, FrontRing, type Gref, initIoRing, type Port } from '../../sim/index.ts';
import type { KeyValues } from '../xenstore/index.ts';
import { NETIF_RX_SLOT_BYTES, NETIF_TX_SLOT_BYTES } from './netif.ts';
import type { XenbusDevice } from './xenbus-device.ts';

const LOAD_NS = 20;
const SEND_NS = 250;

/** A page that is, or was, granted to the backend. */
export interface GrantedPage {
  readonly frame: Frame;
  readonly gref: Gref;
}

/** The two rings of a connection as they are granted, until they are withdrawn. */
export class NetRings {
  readonly #device: XenbusDevice;
  readonly tx: FrontRing;
  readonly rx: FrontRing;
  /** Of the two rings, tx first. */
  readonly pages: readonly [tx: GrantedPage, rx: GrantedPage];
  readonly txPort: Port;
  /** The same as the other one, unless the backend can have one for each direction. */
  readonly rxPort: Port;
  /** Pages that the backend has let go of, for the next buffers. */
  readonly spare: Frame[] = [];
  isWithdrawn = false;
  /** An event has come since the last look for packets; at first there are buffers to be put on the ring. */
  mustLook = true;

  private constructor(device: XenbusDevice, pages: NetRings['pages'], txPort: Port, rxPort: Port) {
    this.#device = device;
    this.pages = pages;
    this.tx = new FrontRing(pages[0].frame, NETIF_TX_SLOT_BYTES);
    this.rx = new FrontRing(pages[1].frame, NETIF_RX_SLOT_BYTES);
    this.txPort = txPort;
    this.rxPort = rxPort;
  }

  /** Pages, ports and grants; `undefined`: there is not enough of something. Source: setup_netfront, alloc_evtchn. */
  static open(device: XenbusDevice, isSplit: boolean): NetRings | undefined {
    const { os, grants } = device.kernel;
    const frames = [os.allocPage(), os.allocPage()] as const;
    const ports: Port[] = [];
    for (let i = 0; i < (isSplit ? 2 : 1); i++) {
      const port = os.hyper.allocUnbound(os.domain.domid, device.otherendId);
      if (port.ok) ports.push(port.value);
    }
    const [tx, rx] = frames.flatMap((frame) => {
      initIoRing(frame);
      const gref = grants.grant(device.otherendId, frame);
      return gref === undefined ? [] : [{ frame, gref }];
    });
    const [txPort, rxPort] = ports;
    if (tx === undefined || rx === undefined || txPort === undefined || (isSplit && rxPort === undefined))
      return undefined;
    return new NetRings(device, [tx, rx], txPort, rxPort ?? txPort);
  }

  get ports(): readonly Port[] {
    return this.rxPort === this.txPort ? [this.txPort] : [this.txPort, this.rxPort];
  }

  get refs(): readonly Gref[] {
    return this.pages.map(({ gref }) => gref);
  }

  /** What names them to the backend. */
  get keys(): KeyValues {
    const [tx, rx] = this.refs;
    return [
      ['tx-ring-ref', String(tx)],
      ['rx-ring-ref', String(rx)],
      ...(this.rxPort === this.txPort
        ? ([['event-channel', String(this.txPort)]] as const)
        : ([
            ['event-channel-tx', String(this.txPort)],
            ['event-channel-rx', String(this.rxPort)],
          ] as const)),
    ];
  }

  /** Publish what was filled in, and send an event if the backend asked for one. */
  *push(ring: FrontRing, port: Port): Actor {
    const before = ring.publish();
    yield LOAD_NS;
    if (!this.isWithdrawn && ring.shouldNotify(before)) {
      this.#device.kernel.os.hyper.send(port);
      yield SEND_NS;
    }
  }

  /** xennet_disconnect_backend: everything that was granted is taken back, these buffers with it. `hasPorts`: the domain is the one
   *  in which they were made. */
  withdraw(buffers: Iterable<GrantedPage>, hasPorts = true): void {
    this.isWithdrawn = true;
    const { grants, os } = this.#device.kernel;
    if (hasPorts) for (const port of this.ports) os.closePort(port);
    for (const { gref, frame } of [...this.pages, ...buffers]) grants.endAndFree(gref, frame);
    for (const frame of this.spare.splice(0)) os.domain.memory.free(frame.gfn);
  }
}
