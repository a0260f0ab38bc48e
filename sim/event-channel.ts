import type { Domain } from './domain.ts';
import { fail } from './errors.ts';
import type { Domid, Port } from './ids.ts';

/** Virtual interrupts. Source: xen/include/public/xen.h. */
export const VIRQ_DOM_EXC = 3;
export const NR_VIRQS = 24;
/** libxl's default `event_channels`. */
export const MAX_PORT_DEFAULT = 1023;

export type Channel =
  | { readonly state: 'unbound'; readonly remoteDomid: Domid }
  | { readonly state: 'interdomain'; readonly remote: Domain; readonly remotePort: Port }
  | { readonly state: 'virq'; readonly virq: number };

/** One domain's ports with their pending and mask bits (two-level ABI). A port that is not there is FREE. */
export class EventChannels {
  readonly #channels: (Channel | undefined)[] = [undefined];
  readonly #pending: boolean[] = [];
  readonly #masked: boolean[] = [];
  readonly maxPort: Port;
  /** What the domain's kernel runs on an upcall, by port. */
  readonly #handlers: ((() => void) | undefined)[] = [];

  constructor(maxPort: Port = MAX_PORT_DEFAULT) {
    this.maxPort = maxPort;
  }

  get(port: Port): Channel | undefined {
    return this.#channels[port];
  }

  /** Lowest free port; port 0 is never handed out (EVT-1). Errors: ENOSPC. */
  firstFree(): Port {
    for (let port = 1; port < this.#channels.length; port++) if (this.#channels[port] === undefined) return port;
    const port = this.#channels.length;
    return port <= this.maxPort ? port : fail('ENOSPC', `all ${this.maxPort} ports in use`);
  }

  set(port: Port, channel: Channel | undefined): void {
    this.#channels[port] = channel;
    if (channel !== undefined) return;
    this.#pending[port] = false; // the mask bit stays as the guest left it (EVT-6)
    this.#handlers[port] = undefined;
  }

  /** Ports in use, ascending. */
  ports(): Port[] {
    return this.#channels.flatMap((c, p) => (c === undefined ? [] : [p]));
  }

  isPending(port: Port): boolean {
    return this.#pending[port] === true;
  }

  /** EVT-14: an edge on a pending port is coalesced; on a masked one it stays pending without an upcall. */
  raise(port: Port): 'set' | 'coalesced' {
    if (this.#pending[port] === true) return 'coalesced';
    this.#pending[port] = true;
    if (this.#masked[port] !== true) this.#handlers[port]?.();
    return 'set';
  }

  /** The guest's handler clears the bit before it looks at its rings (EVT-19). */
  clear(port: Port): boolean {
    const was = this.#pending[port] === true;
    this.#pending[port] = false;
    return was;
  }

  mask(port: Port): void {
    this.#masked[port] = true;
  }

  /** EVTCHNOP_unmask: a pending bit set meanwhile raises the upcall now (EVT-17). */
  unmask(port: Port): void {
    this.#masked[port] = false;
    if (this.#pending[port] === true) this.#handlers[port]?.();
  }

  /** Install the kernel's handler of one port; an edge that is already pending runs it at once. It only wakes somebody. */
  handle(port: Port, handler: (() => void) | undefined): void {
    this.#handlers[port] = handler;
    if (this.#pending[port] === true && this.#masked[port] !== true) handler?.();
  }
}

/** EVTCHNOP_alloc_unbound in `owner` for `remoteDomid`, whose existence is not checked (EVT-3). Errors: EINVAL dying; ENOSPC. */
export function allocUnbound(owner: Domain, remoteDomid: Domid): Port {
  if (owner.dying !== 'alive') fail('EINVAL', `domain ${owner.domid} is dying`);
  const port = owner.ports.firstFree();
  owner.ports.set(port, { state: 'unbound', remoteDomid });
  return port;
}

/** EVTCHNOP_bind_interdomain; returns the local port, which is pending at once (EVT-5).
 *  Errors: ESRCH no such domain; ENOSPC no free port; EINVAL peer port not held open for the caller.
 *  Source: order of checks from xen/common/event_channel.c. */
export function bindInterdomain(caller: Domain, remote: Domain | undefined, remotePort: Port): Port {
  if (remote === undefined) fail('ESRCH', 'no such domain');
  const port = caller.ports.firstFree(); // before looking at the peer: Xen lets ENOSPC win over EINVAL
  const peer = remote.ports.get(remotePort);
  if (peer?.state !== 'unbound' || peer.remoteDomid !== caller.domid) fail('EINVAL', `port ${remotePort}`);
  caller.ports.set(port, { state: 'interdomain', remote, remotePort });
  remote.ports.set(remotePort, { state: 'interdomain', remote: caller, remotePort: port });
  caller.ports.raise(port); // makes up for a send that had nowhere to go before the bind
  return port;
}

/** EVTCHNOP_bind_virq. Errors: EINVAL out of range; EEXIST already bound. */
export function bindVirq(caller: Domain, virq: number): Port {
  if (virq < 0 || virq >= NR_VIRQS) fail('EINVAL', `virq ${virq}`);
  for (const p of caller.ports.ports()) {
    const channel = caller.ports.get(p);
    if (channel?.state === 'virq' && channel.virq === virq) fail('EEXIST', `virq ${virq}`);
  }
  const port = caller.ports.firstFree();
  caller.ports.set(port, { state: 'virq', virq });
  return port;
}

/** EVTCHNOP_close: own port FREE, peer UNBOUND towards the closer; the peer gets no event (EVT-8). Errors: EINVAL. */
export function closePort(owner: Domain, port: Port): void {
  const channel = owner.ports.get(port);
  if (channel === undefined) fail('EINVAL', `port ${port} is not open`);
  owner.ports.set(port, undefined);
  if (channel.state === 'interdomain' && !(channel.remote === owner && channel.remotePort === port))
    channel.remote.ports.set(channel.remotePort, { state: 'unbound', remoteDomid: owner.domid });
}

/** EVTCHNOP_send: success says nothing of the peer (EVT-10). Errors: EINVAL for FREE and VIRQ ports. */
export function sendPort(owner: Domain, port: Port): 'set' | 'coalesced' | 'dropped' {
  const channel = owner.ports.get(port);
  if (channel === undefined || channel.state === 'virq') fail('EINVAL', `port ${port}`);
  if (channel.state === 'unbound') return 'dropped';
  return channel.remote.ports.raise(channel.remotePort);
}
