import type { Bridge, BridgePort } from './bridge.ts';
import type { Clock } from './net-load.ts';
import type { DeviceObserver } from './observer.ts';
import { packetOf } from './sums.ts';

/** The interface by which a bridge is on the wire, and its name as a device among vifs. */
const INTERFACE = 'eth0';
const DEVICE = 'vif/0/eth0';

/** A bridge's place on the wire. */
interface Place {
  readonly bridge: Bridge;
  readonly clock: Clock;
  readonly port: BridgePort;
  readonly observer: DeviceObserver | undefined;
  /** Packets that came in so far. */
  packets: number;
}

/**
 * The network between hosts: a wire to which the bridge of each has an interface. What a bridge puts out comes in at every other
 * one, a latency later, in order; whoever is down then does not get it.
 */
export class Segment {
  readonly #latencyNs: number;
  readonly #places: Place[] = [];

  constructor(latencyNs: number) {
    this.#latencyNs = latencyNs;
  }

  /** Put a host's bridge on the wire. `clock`: the host's, with which its interface ends. */
  join(bridge: Bridge, clock: Clock, observer?: DeviceObserver): void {
    const place: Place = {
      bridge,
      clock,
      observer,
      packets: 0,
      port: {
        deliver: (packet) => this.#send(place, packet),
        linked: (isUp) => observer?.note(DEVICE, { what: isUp ? 'plugged' : 'unplugged' }),
      },
    };
    this.#places.push(place);
    bridge.addInterface(INTERFACE);
    bridge.attach(INTERFACE, place.port);
  }

  #send(from: Place, packet: Uint8Array): void {
    const copy = packet.slice();
    from.observer?.note(DEVICE, { what: 'queued', ...packetOf(copy) });
    const dueNs = from.clock.nowNs + this.#latencyNs;
    from.clock.at(dueNs, () => from.observer?.note(DEVICE, { what: 'received', ...packetOf(copy) }));
    for (const place of this.#places) {
      if (place === from) continue;
      place.clock.at(dueNs, () => this.#arrive(place, copy));
    }
  }

  #arrive(at: Place, packet: Uint8Array): void {
    const { observer, bridge, port } = at;
    const said = packetOf(packet);
    observer?.note(DEVICE, { what: 'sent', ...said });
    observer?.note(DEVICE, { what: 'carried', ...said });
    bridge.input(port, packet);
    observer?.note(DEVICE, { what: 'acked', n: at.packets++, ok: true });
  }
}
