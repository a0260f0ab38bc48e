import type { Domain } from '../domains/domain.ts';
import type { Port } from '../ids.ts';
import type { EdgeVerdict, KickVerdict } from './context.ts';

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
