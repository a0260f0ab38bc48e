import type { Domain } from '../domains/domain.ts';
import { fail } from '../errors.ts';
import { DOMID_FIRST_RESERVED, type Domid, type Port } from '../ids.ts';
import type { Events } from './events.ts';

/** The ring of ready ports starts at this size and doubles. Source: linux drivers/xen/evtchn.c. */
const RING_START = 64;

/**
 * One open /dev/xen/evtchn: the ports it owns, and a ring of those that have had an event. It belongs to the kernel, so it
 * outlives an exec with everything in it (EVT-30); what a program has read and not written back stays disabled.
 * Calls throw XenError. Source: linux drivers/xen/evtchn.c.
 */
export class EventFile {
  readonly #events: Events;
  readonly #domain: Domain;
  /** Owned ports; false: disabled since its event, until its number is written. */
  readonly #enabled = new Map<Port, boolean>();
  #ring: Port[] = [];
  #ringSize = 0;
  #hasOverflowed = false;
  #restricted: Domid | undefined = undefined;
  /** Called when poll(2) on the file would return. */
  onReadable: (() => void) | undefined = undefined;

  constructor(events: Events, domain: Domain) {
    this.#events = events;
    this.#domain = domain;
  }

  /** IOCTL_EVTCHN_BIND_VIRQ. Errors: EACCES restricted; those of the hypercall. */
  bindVirq(virq: number): Port {
    if (this.#restricted !== undefined) fail('EACCES', 'the file is restricted');
    return this.#own(this.#events.bindVirq(this.#domain, virq, 0));
  }

  /** IOCTL_EVTCHN_BIND_INTERDOMAIN; the new port has had its self-event (EVT-31). Errors: EACCES restricted; those of the hypercall. */
  bindInterdomain(remoteDomid: Domid, remotePort: Port): Port {
    this.#permit(remoteDomid);
    return this.#own(this.#events.bindInterdomain(this.#domain, remoteDomid, remotePort));
  }

  /** IOCTL_EVTCHN_BIND_UNBOUND_PORT. Errors: EACCES restricted; those of the hypercall. */
  bindUnbound(remoteDomid: Domid): Port {
    this.#permit(remoteDomid);
    return this.#own(this.#events.allocUnbound(this.#domain, this.#domain, remoteDomid));
  }

  /** IOCTL_EVTCHN_UNBIND: closes the port; a number that is in the ring stays there. Errors: ENOTCONN not owned. */
  unbind(port: Port): void {
    if (!this.#enabled.delete(port)) fail('ENOTCONN', `port ${port}`);
    this.#events.close(this.#domain, port, true);
  }

  /** IOCTL_EVTCHN_NOTIFY. Errors: ENOTCONN not owned. */
  notify(port: Port): void {
    if (!this.#enabled.has(port)) fail('ENOTCONN', `port ${port}`);
    this.#events.send(this.#domain, port);
  }

  /** IOCTL_EVTCHN_RESET: empties the ring and forgets the overflow; disabled ports stay disabled. */
  reset(): void {
    this.#ring = [];
    this.#hasOverflowed = false;
  }

  /** IOCTL_EVTCHN_RESTRICT_DOMID: from now on ports to that domain only. Errors: EACCES done before; EINVAL domid. */
  restrict(domid: Domid): void {
    if (this.#restricted !== undefined) fail('EACCES', 'restricted already');
    if (domid === 0 || domid >= DOMID_FIRST_RESERVED) fail('EINVAL', `domid ${domid}`);
    this.#restricted = domid;
  }

  /** read(2) of at most `count` port numbers. Errors: EFBIG the ring has overflowed; EAGAIN nothing is there. */
  read(count: number): Port[] {
    if (this.#hasOverflowed) fail('EFBIG', 'the ring has overflowed');
    if (this.#ring.length === 0) fail('EAGAIN', 'no port is ready');
    return this.#ring.splice(0, count);
  }

  /** write(2): enable these ports again; an event that came meanwhile is delivered now. Numbers not owned are ignored. */
  write(ports: readonly Port[]): void {
    for (const port of ports) {
      if (this.#enabled.get(port) !== false) continue;
      this.#enabled.set(port, true);
      this.#domain.ports.unmask(port);
    }
  }

  /** Whether poll(2) says readable. */
  get isReadable(): boolean {
    return this.#ring.length > 0;
  }

  /** Whether poll(2) says error: the ring has overflowed. */
  get hasOverflowed(): boolean {
    return this.#hasOverflowed;
  }

  /** Owned ports, in the order in which they were bound. */
  get ports(): Port[] {
    return [...this.#enabled.keys()];
  }

  /** The last reference is closed: all its ports are, and their peers become UNBOUND (EVT-30). */
  release(): void {
    for (const port of this.ports) this.unbind(port);
    this.#ring = [];
  }

  #permit(domid: Domid): void {
    if (this.#restricted !== undefined && this.#restricted !== domid) fail('EACCES', `domain ${domid}`);
  }

  #own(port: Port): Port {
    this.#enabled.set(port, true);
    if (this.#enabled.size > this.#ringSize) this.#ringSize = Math.max(RING_START, 2 * this.#ringSize);
    const { ports } = this.#domain;
    ports.mask(port); // a number that was used before has its mask bit as it was left (EVT-6)
    ports.handle(port, () => this.#interrupt(port), 'lateeoi');
    ports.unmask(port);
    return port;
  }

  #interrupt(port: Port): void {
    this.#enabled.set(port, false);
    if (this.#ring.length >= this.#ringSize) {
      this.#hasOverflowed = true; // numbers of ports that were closed still take room
      return;
    }
    this.#ring.push(port);
    if (this.#ring.length === 1) this.onReadable?.();
  }
}
