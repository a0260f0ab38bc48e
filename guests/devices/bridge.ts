import { hex } from './sums.ts';

/** A port of the bridge: a vif's other side. */
export interface BridgePort {
  /** A packet goes out here: to the guest behind the vif. The octets are not to be changed. */
  deliver(packet: Uint8Array): void;
  /** From now on packets pass here, or do so no more. */
  linked(isUp: boolean): void;
}

/** Addresses with this bit in their first octet are groups: broadcast among them. */
const GROUP = 1;

/**
 * A learning bridge in the backends' domain: it knows behind which port an address was seen last, and floods what it does
 * not know. Packets pass where an interface has a carrier, which is its driver's affair, and is on the bridge, which is that of
 * its hotplug script (HS-14).
 */
export class Bridge {
  readonly #interfaces = new Set<string>();
  /** Those that have a carrier, by the interface's name. */
  readonly #carriers = new Map<string, BridgePort>();
  readonly #ports = new Set<BridgePort>();
  readonly #seen = new Map<string, BridgePort>();

  /** `ip link set NAME master BRIDGE`; one that is on it stays so. */
  addInterface(name: string): void {
    this.#interfaces.add(name);
    this.#link(name);
  }

  /** `ip link set NAME nomaster`, or the interface is no more. */
  removeInterface(name: string): void {
    this.#interfaces.delete(name);
    this.#unlink(this.#carriers.get(name));
  }

  /** The interface has a carrier. */
  attach(name: string, port: BridgePort): void {
    this.#carriers.set(name, port);
    this.#link(name);
  }

  /** It has none any more. */
  detach(name: string): void {
    const port = this.#carriers.get(name);
    this.#carriers.delete(name);
    this.#unlink(port);
  }

  #link(name: string): void {
    const port = this.#carriers.get(name);
    if (port === undefined || !this.#interfaces.has(name) || this.#ports.has(port)) return;
    this.#ports.add(port);
    port.linked(true);
  }

  #unlink(port: BridgePort | undefined): void {
    if (port === undefined || !this.#ports.delete(port)) return;
    for (const [address, at] of this.#seen) if (at === port) this.#seen.delete(address);
    port.linked(false);
  }

  /** A packet came in at `from`. */
  input(from: BridgePort, packet: Uint8Array): void {
    if (!this.#ports.has(from)) return; // no script has put it there, or it was unplugged with a packet in its hands
    this.#seen.set(hex(packet, 6), from);
    const known = ((packet[0] as number) & GROUP) === 0 ? this.#seen.get(hex(packet, 0)) : undefined;
    if (known === from) return;
    if (known !== undefined) known.deliver(packet);
    else for (const port of this.#ports) if (port !== from) port.deliver(packet);
  }
}
