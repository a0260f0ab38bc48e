import { hex } from './sums.ts';

/** A port of the bridge: a vif's other side. */
export interface BridgePort {
  /** A packet goes out here: to the guest behind the vif. The octets are not to be changed. */
  deliver(packet: Uint8Array): void;
}

/** Addresses with this bit in their first octet are groups: broadcast among them. */
const GROUP = 1;

/** A learning bridge in the backends' domain: it knows behind which port an address was seen last, and floods what it does
 *  not know. */
export class Bridge {
  readonly #ports = new Set<BridgePort>();
  readonly #seen = new Map<string, BridgePort>();

  attach(port: BridgePort): void {
    this.#ports.add(port);
  }

  detach(port: BridgePort): void {
    this.#ports.delete(port);
    for (const [address, at] of this.#seen) if (at === port) this.#seen.delete(address);
  }

  /** A packet came in at `from`. */
  input(from: BridgePort, packet: Uint8Array): void {
    if (!this.#ports.has(from)) return; // it was unplugged with a packet in its hands
    this.#seen.set(hex(packet, 6), from);
    const known = ((packet[0] as number) & GROUP) === 0 ? this.#seen.get(hex(packet, 0)) : undefined;
    if (known === from) return;
    if (known !== undefined) known.deliver(packet);
    else for (const port of this.#ports) if (port !== from) port.deliver(packet);
  }
}
