import type { Domain } from '../domain.ts';
import type { Port } from '../ids.ts';

/** What becomes of one edge on its way to a port's words. */
export type EdgeVerdict =
  | { readonly kind: 'pass' }
  /** The edge vanishes; the sender is told nothing (INJ-E4, INJ-E5). */
  | { readonly kind: 'drop' }
  /** The whole edge arrives later; the port may have another peer by then (INJ-E2). */
  | { readonly kind: 'delay'; readonly delayNs: number }
  /** PENDING is set at once and the upcall comes later, so that all edges until then coalesce (INJ-E1). */
  | { readonly kind: 'coalesce'; readonly delayNs: number };

/** What becomes of one kick of a vCPU whose upcall flag was just set. */
export type KickVerdict =
  | { readonly kind: 'pass' }
  /** The kick is lost: the flag stays set, and the vCPU sees it when it next enters the guest (INJ-E6). */
  | { readonly kind: 'lose' }
  | { readonly kind: 'delay'; readonly delayNs: number };

/**
 * Where a scenario may break event delivery. Each is asked at its place, in the order of the run; a rule that draws does
 * so from a stream of its own. Absent rules cost nothing. Spurious events are not a rule: see `Events.spurious`.
 */
export interface EventFaults {
  /** An edge for `port` of `domain`, from a send, a VIRQ or a bind. */
  readonly edge?: (domain: Domain, port: Port) => EdgeVerdict;
  /** A kick of a vCPU that may run. */
  readonly kick?: (domain: Domain, vcpu: number) => KickVerdict;
  /** The channel's lock is taken at the instant of a VIRQ, which is dropped then (DOM-28, INJ-E12). */
  readonly virqContended?: (domain: Domain, virq: number) => boolean;
  /** The FIFO queue changed under all three tries for its locks: the event is lost (EVT-20). */
  readonly queueContended?: (domain: Domain, port: Port) => boolean;
  /** The guest's other vCPUs run between Xen's load of a FIFO tail word and its compare-and-swap (EVT-22). */
  readonly linking?: (domain: Domain, tail: Port) => void;
}

/** What a domain's channels have of the machine. */
export interface EventContext {
  faults: EventFaults | undefined;
  /** Call `fire` at a later virtual time. */
  after(delayNs: number, fire: () => void): void;
  /** Call `fire` at `dueNs` of virtual time, or now if that is past. */
  at(dueNs: number, fire: () => void): void;
}
