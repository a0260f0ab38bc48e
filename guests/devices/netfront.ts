import { type Actor, PARK } from '../../sim/index.ts';
import { Freezer, type Thread } from '../kernel/index.ts';
import { finalCheck } from './final-check.ts';
import { FrontendStates } from './frontend-states.ts';
import { NetRings } from './netfront-rings.ts';
import { NetReceive } from './netfront-rx.ts';
import { NetTransmit } from './netfront-tx.ts';
import type { DeviceName } from './observer.ts';
import { gratuitousArp } from './sums.ts';
import type { Driver, DriverInstance, XenbusDevice } from './xenbus-device.ts';
import { XenbusState } from './xenbus-state.ts';

export interface NetfrontOptions {
  /** Buffers kept with the backend. */
  readonly rxBuffers: number;
  /** Whether packets may be cut into pieces of random sizes, as a stack's buffers are; else only at pages. */
  readonly cutsPackets: boolean;
  /** The interface has a carrier for the first time. */
  readonly online: (nic: Netfront) => void;
  /** The backend has given the interface up, or somebody takes it away: it is closing. Called once, with its name, if it is not gone. */
  readonly closing?: (name: DeviceName) => void;
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

/** One network interface of a guest. */
export class Netfront implements DriverInstance {
  readonly #device: XenbusDevice;
  readonly #options: NetfrontOptions;
  readonly thread: Thread;
  readonly freezer = new Freezer();
  readonly #tx: NetTransmit;
  readonly #rx: NetReceive;
  readonly #states: FrontendStates;
  #rings: NetRings | undefined;
  #isConnected = false;
  #isBroken = false;
  #isGone = false;
  #mustClose = false;
  #wasOnline = false;
  /** Bridges may believe it elsewhere. */
  #mustAnnounce = false;
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
    this.#tx = new NetTransmit(device, options.cutsPackets, (why) => this.#break(why));
    this.#rx = new NetReceive(device, options.rxBuffers, {
      received: (packet) => this.received(packet),
      broken: (why) => this.#break(why),
    });
    this.thread = device.kernel.os.start(`netfront.${device.id}`, (me) => this.#run(me));
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
    return this.#tx.inFlight;
  }

  /** Queue a packet: an Ethernet header and what follows. It goes out when there is room. */
  send(packet: Uint8Array): void {
    this.#tx.queue(packet);
    this.thread.wake();
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
    this.thread.wake();
    if (this.#mustAnnounce) this.#announce();
    if (!this.#wasOnline) this.#options.online(this);
    this.#wasOnline = true;
  }

  /** netdev_notify_peers: a packet to everybody, so that every bridge learns where the address is now. Linux sends one whenever a
   *  backend connects; where no bridge has known another place nobody would learn anything from it. */
  #announce(): void {
    this.#mustAnnounce = false;
    this.#tx.queueFirst(gratuitousArp(this.address));
  }

  *removed(): Actor {
    this.#isGone = true;
    this.#mustClose = true;
    this.#withdraw();
    this.thread.wake();
  }

  /** netfront_resume: nothing is published before the new backend waits for it. What was on the tx ring is lost. */
  *resume(isThere: boolean): Actor {
    this.#states.restart();
    this.#withdraw(false);
    this.#tx.restart();
    this.#mustClose = !isThere;
    this.#mustAnnounce = isThere;
  }

  /** xenbus_frontend_closed: at once; whoever sends must have looked at `isClosing`. */
  *#close(): Actor {
    if (!this.#mustClose) this.#options.closing?.(this.name);
    this.#mustClose = true;
    this.#isConnected = false;
    yield* this.#device.switchState(XenbusState.Closed);
  }

  /** talk_to_netback: what the backend can, then rings, ports and the keys that name them. */
  *#connect(): Actor {
    const device = this.#device;
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
    const rings = NetRings.open(device, isSplit);
    if (rings === undefined) {
      yield* device.fail('no grant reference or event channel');
      return;
    }
    for (const port of rings.ports) device.kernel.os.handle(port, this.thread);
    this.#rings = rings;
    const isDone = yield* device.writeAll([
      ...rings.keys,
      ['request-rx-copy', '1'],
      ['feature-rx-notify', '1'],
      ['feature-sg', '1'],
    ]);
    if (!isDone) {
      yield* device.fail('writing ring keys');
      return;
    }
    device.note({ what: 'published', refs: rings.refs, ports: rings.ports });
    yield* device.switchState(XenbusState.Connected);
    this.thread.wake(); // buffers can be there before the backend is
  }

  /** xennet_disconnect_backend: everything that was granted is taken back; packets under way are lost. `hasPorts`: the domain is the
   *  one in which they were made. */
  #withdraw(hasPorts = true): void {
    const rings = this.#rings;
    this.#isConnected = false;
    if (rings === undefined) return;
    this.#rings = undefined;
    rings.withdraw([...this.#tx.abandon(), ...this.#rx.abandon()], hasPorts);
    this.#device.note({ what: 'withdrawn' });
  }

  #break(why: string): void {
    this.#isBroken = true;
    this.#device.note({ what: 'stopped', side: 'front', why });
  }

  /** The rings' only user. Whatever it is woken for it looks at answers (xennet_start_xmit calls xennet_tx_buf_gc); packets it
   *  takes when an event has come (xennet_interrupt, xennet_poll). */
  *#run(me: Thread): Actor {
    const { os } = this.#device.kernel;
    while (!this.#isGone) {
      yield* this.freezer.rest();
      const rings = this.#rings;
      if (rings === undefined || this.#isBroken || this.#states.isReopening || this.#mustClose) {
        yield PARK;
        continue;
      }
      for (const port of rings.ports) if (os.acknowledge(port)) rings.mustLook = true;
      // Between two of its parts the rings may be withdrawn.
      const { freezer } = this;
      const isOn = () => !rings.isWithdrawn && !this.#isBroken && !this.#states.isReopening && !freezer.isFrozen;
      if (isOn()) yield* this.#tx.takeAnswers(rings);
      if (isOn() && (yield* finalCheck(rings.tx, 0, isOn))) continue;
      while (rings.mustLook && isOn()) {
        yield* this.#rx.takePackets(rings);
        if (isOn()) yield* this.#rx.post(rings);
        const isMore = isOn() && (yield* finalCheck(rings.rx, 0, isOn));
        rings.mustLook = isMore || freezer.isFrozen; // the event was taken: it is to be looked again
      }
      if (isOn() && this.#isConnected) yield* this.#tx.transmit(me, rings);
      if (!isOn() || (this.#isConnected && this.#tx.hasWork(rings))) continue;
      yield PARK;
    }
  }
}
