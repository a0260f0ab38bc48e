import {
  type Actor,
  BackRing,
  GNTMAP_host_map,
  GNTST,
  type GrantStatus,
  type Handle,
  type MappedPage,
  type Port,
  statusName,
} from '../../sim/index.ts';
import type { Bridge } from './bridge.ts';
import { interfaceName, NetQueue } from './netback-queue.ts';
import { NETIF_RX_SLOT_BYTES, NETIF_TX_SLOT_BYTES } from './netif.ts';
import type { DeviceNews } from './observer.ts';
import { gratuitousArp, packetOf } from './sums.ts';
import type { Driver, DriverInstance, RingInUse, XenbusDevice } from './xenbus-device.ts';
import { XenbusState } from './xenbus-state.ts';

/** What the administrator chose for the module, and the bridge that scripts put vifs on. */
export interface NetbackOptions {
  readonly bridge: Bridge;
  /** Whether a port for each direction is offered. */
  readonly hasSplitPorts: boolean;
}

/** xen-netback. Source: linux drivers/net/xen-netback/xenbus.c. */
export class NetbackDriver implements Driver {
  readonly #options: NetbackOptions;

  constructor(options: NetbackOptions) {
    this.#options = options;
  }

  *probe(device: XenbusDevice): Actor<DriverInstance | undefined> {
    const done = yield* device.writeAll([
      ['feature-sg', '1'],
      ['feature-gso-tcpv4', '0'],
      ['feature-gso-tcpv6', '0'],
      ['feature-ipv6-csum-offload', '0'],
      ['feature-rx-copy', '1'],
      ['feature-rx-flip', '0'],
      ['feature-multicast-control', '0'],
      ['feature-dynamic-multicast-control', '0'],
    ]);
    if (!done) {
      yield* device.fail('writing features');
      return undefined;
    }
    yield* device.write('feature-split-event-channels', this.#options.hasSplitPorts ? '1' : '0');
    yield* device.write('multi-queue-max-queues', '1');
    yield* device.write('feature-ctrl-ring', '0');
    if ((yield* device.read('script')) === undefined) {
      yield* device.fail('reading script');
      return undefined;
    }
    if ((yield* device.read('handle')) === undefined) {
      yield* device.fail('reading handle');
      return undefined;
    }
    return new Netback(device, this.#options);
  }

  *adopt(device: XenbusDevice): Actor<DriverInstance | string> {
    const isSplit = (yield* device.read('feature-split-event-channels')) === '1';
    if (isSplit && !this.#options.hasSplitPorts) return 'feature-split-event-channels is not offered here';
    const mac = (yield* device.read('mac'))?.replaceAll(':', '') ?? '';
    return new Netback(device, this.#options, mac);
  }
}

interface Attached {
  readonly queue: NetQueue;
  readonly handles: readonly Handle[];
  readonly ports: readonly Port[];
}

/** What was asked of Xen, and what it answered. */
interface Refused {
  readonly status?: GrantStatus;
  readonly port?: number;
}

class Netback implements DriverInstance {
  readonly #device: XenbusDevice;
  readonly #options: NetbackOptions;
  readonly ring: RingInUse;
  /** Where the state machine is; what others see lags behind while the script is waited for. */
  #state: XenbusState;
  #attached: Attached | undefined;
  /** Token of the watch for the script's word. */
  #hotplug: string | undefined;

  /** @param cameAs the address of an interface that was connected at another host; left out: it is new. */
  constructor(device: XenbusDevice, options: NetbackOptions, cameAs?: string) {
    this.#device = device;
    this.#options = options;
    this.#state = cameAs === undefined ? XenbusState.Initialising : XenbusState.Connected;
    const self = this;
    const { bridge } = options;
    this.ring = {
      get isServed() {
        return self.#attached?.queue.isStarted === true && self.#hotplug === undefined;
      },
      *drain() {
        self.#attached?.queue.giveUpWaiting();
        yield* self.#disconnect();
      },
      *attach() {
        const found = yield* self.#map('in use');
        return typeof found === 'string' ? found : undefined;
      },
      serve: () => {
        const attached = self.#attached;
        if (attached === undefined || attached.queue.isStarted) return;
        // HS-14, without its script: that would write to the guest's area.
        bridge.addInterface(interfaceName(device));
        attached.queue.start();
        for (const port of attached.ports) device.kernel.os.hyper.send(port);
        if (cameAs !== undefined) self.#announce(cameAs, attached.queue);
      },
    };
    device.waits = () =>
      this.#hotplug === undefined
        ? undefined
        : 'hotplug-status connected, of the hotplug script, to show its own state';
  }

  *otherendChanged(state: XenbusState): Actor {
    switch (state) {
      case XenbusState.Initialising:
        yield* this.#goTo(XenbusState.InitWait);
        return;
      case XenbusState.Initialised:
        return;
      case XenbusState.Connected:
        yield* this.#goTo(XenbusState.Connected);
        return;
      case XenbusState.Closing:
        yield* this.#goTo(XenbusState.Closing);
        return;
      case XenbusState.Closed:
        yield* this.#goTo(XenbusState.Closed);
        if (!(yield* this.#device.isOnline())) this.#device.isUnregistered = true;
        return;
      case XenbusState.Unknown:
        yield* this.#goTo(XenbusState.Closed);
        this.#device.isUnregistered = true;
        return;
      default:
        yield* this.#device.fail(`saw state ${state} at frontend`);
    }
  }

  *removed(): Actor {
    yield* this.#goTo(XenbusState.Closed);
    yield* this.#unwatchHotplug();
    this.#options.bridge.removeInterface(interfaceName(this.#device)); // it goes with its interface
    yield* this.#device.xs.rm(`${this.#device.nodename}/hotplug-status`);
  }

  /** set_backend_state: through every state on the way. */
  *#goTo(wanted: XenbusState): Actor {
    while (this.#state !== wanted) {
      switch (this.#state) {
        case XenbusState.Initialising:
          yield* this.#step(wanted === XenbusState.Closed ? XenbusState.Closed : XenbusState.InitWait);
          break;
        case XenbusState.Closed:
          yield* this.#step(wanted === XenbusState.Closing ? XenbusState.Closing : XenbusState.InitWait);
          break;
        case XenbusState.InitWait:
          if (wanted === XenbusState.Connected) {
            if (!(yield* this.#connect())) return;
            yield* this.#step(XenbusState.Connected);
          } else yield* this.#step(XenbusState.Closing);
          break;
        case XenbusState.Connected:
          yield* this.#disconnect();
          yield* this.#step(XenbusState.Closing);
          break;
        default:
          yield* this.#step(XenbusState.Closed);
      }
    }
  }

  /** backend_switch_state: nobody sees the new state before the script has spoken. */
  *#step(state: XenbusState): Actor {
    this.#state = state;
    if (this.#hotplug === undefined) yield* this.#device.switchState(state);
  }

  /** NC-34: bridges may believe the address elsewhere, and the guest does not know that it should tell them. */
  #announce(address: string, queue: NetQueue): void {
    const { kernel } = this.#device;
    const packet = gratuitousArp(address);
    const name = `vif/0/${interfaceName(this.#device)}`; // no packet of the frontend's
    const said = packetOf(packet);
    const note = (news: DeviceNews) => kernel.observer?.note(name, news);
    note({ what: 'probed', side: 'front' });
    note({ what: 'sent', ...said });
    note({ what: 'carried', ...said });
    this.#options.bridge.input(queue, packet);
    note({ what: 'acked', n: 0, ok: true });
  }

  /** connect: read the frontend's keys, map, bind, and wait for the script. False: it cannot be. */
  *#connect(): Actor<boolean> {
    if ((yield* this.#map('new')) !== true) return false;
    this.#attached?.queue.start();
    if (this.#hotplug === undefined) {
      const path = `${this.#device.nodename}/hotplug-status`;
      this.#hotplug = yield* this.#device.bus.watch(this.#device, path, () => this.#hotplugStatus());
    }
    return true;
  }

  /** @returns true; or why not, of which the frontend is told if its rings are new. */
  *#map(how: 'new' | 'in use'): Actor<true | string> {
    const device = this.#device;
    const { os } = device.kernel;
    const txRef = yield* device.numberOther('tx-ring-ref', -1);
    const rxRef = yield* device.numberOther('rx-ring-ref', -1);
    const remotePorts: number[] = [];
    for (const key of ['event-channel-tx', 'event-channel-rx']) remotePorts.push(yield* device.numberOther(key, -1));
    if (remotePorts.includes(-1)) remotePorts.splice(0, 2, yield* device.numberOther('event-channel', -1));
    const isCopying = (yield* device.numberOther('request-rx-copy', 0)) === 1;
    const hasSg = (yield* device.numberOther('feature-sg', 0)) === 1;
    const refuse = (why: string, what: Refused = {}) => this.#refuse(how, why, what);
    if (txRef < 0 || rxRef < 0 || remotePorts.includes(-1)) return yield* refuse('reading ring keys');
    if (!isCopying) return yield* refuse('frontend does not ask for rx-copy');
    const handles: Handle[] = [];
    const pages: MappedPage[] = [];
    const ports: Port[] = [];
    const undo = () => {
      for (const port of ports) os.closePort(port);
      os.hyper.gnttab.unmapGrantRef(handles.map((handle) => ({ handle })));
    };
    for (const gref of [txRef, rxRef]) {
      const { status, handle, page } = os.hyper.mapGrant(device.otherendId, gref, GNTMAP_host_map);
      if (status !== GNTST.okay || handle === undefined || page === undefined) {
        undo();
        return yield* refuse(`mapping ring-ref ${gref}: ${statusName(status)}`, { status });
      }
      handles.push(handle);
      pages.push(page);
    }
    for (const remote of remotePorts) {
      const bound = os.hyper.bindInterdomain(device.otherendId, remote);
      if (!bound.ok) {
        undo();
        return yield* refuse(`binding event-channel ${remote}: ${bound.errno}`, { port: remote });
      }
      ports.push(bound.value);
    }
    const [txPage, rxPage] = pages as [MappedPage, MappedPage];
    const [txPort, rxPort = txPort] = ports as [Port, Port?];
    const [tx, rx] =
      how === 'new'
        ? [new BackRing(txPage, NETIF_TX_SLOT_BYTES), new BackRing(rxPage, NETIF_RX_SLOT_BYTES)]
        : [BackRing.attach(txPage, NETIF_TX_SLOT_BYTES), BackRing.attach(rxPage, NETIF_RX_SLOT_BYTES)];
    if (tx === undefined || rx === undefined) {
      undo();
      return yield* refuse('EIO: more requests than a ring has slots');
    }
    const { bridge } = this.#options;
    const queue = new NetQueue(device, { tx, rx, txPort, rxPort, bridge, hasSg });
    this.#attached = { queue, handles, ports };
    device.note({ what: 'attached', refs: [txRef, rxRef], ports: remotePorts });
    return true;
  }

  /** xenbus_dev_fatal. Linux then goes on to Connected without a queue (set_backend_state does not ask whether connect() worked);
   *  here it stays closing, as blkback's does. */
  *#refuse(how: 'new' | 'in use', why: string, what: Refused = {}): Actor<string> {
    this.#device.note({ what: 'refused', why, ...what });
    if (how === 'in use') return why;
    yield* this.#device.fail(why);
    this.#state = XenbusState.Closing;
    return why;
  }

  /** hotplug_status_changed: the state that was kept back is shown when the script says that the vif is on its bridge. */
  *#hotplugStatus(): Actor {
    if (this.#hotplug === undefined) return;
    if ((yield* this.#device.read('hotplug-status')) !== 'connected') return;
    yield* this.#unwatchHotplug();
    yield* this.#device.switchState(this.#state);
  }

  *#unwatchHotplug(): Actor {
    const token = this.#hotplug;
    this.#hotplug = undefined;
    if (token !== undefined) yield* this.#device.bus.unwatch(`${this.#device.nodename}/hotplug-status`, token);
  }

  /** backend_disconnect: the queue's threads end, then everything of the frontend is unmapped. */
  *#disconnect(): Actor {
    const attached = this.#attached;
    if (attached === undefined) return;
    this.#attached = undefined;
    const { os } = this.#device.kernel;
    yield* attached.queue.stop(this.#device.xs.me);
    for (const port of attached.ports) {
      os.closePort(port);
    }
    os.hyper.gnttab.unmapGrantRef(attached.handles.map((handle) => ({ handle })));
    this.#device.note({ what: 'detached' });
  }
}
