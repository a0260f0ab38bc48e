import type { DomainBase } from '../domain.ts';
import type { Domain } from '../domains/domain.ts';
import type { Domid, Gref } from '../ids.ts';
import type { Frame } from '../memory.ts';
import type { GrantStatus } from './abi.ts';
import type { Race } from './pin.ts';

/** What the grant operations need of the machine around them. */
export interface GrantContext {
  domain(domid: Domid): Domain | undefined;
  /** domain_crash(). */
  crash(domain: Domain): void;
  /** A mapping of this domain's memory has gone: a zombie may be free now. */
  released(granter: DomainBase): void;
  /** A page was touched through a mapping that is no more. */
  touched(mapper: Domid, granter: Domid, gref: Gref): void;
  /** A planned refusal of this map, which counts as used by being asked for. */
  refusal(mapper: Domid, granter: Domid, gref: Gref): GrantStatus | undefined;
  /** Machine address of a page. */
  busAddr(frame: Frame): number;
  readonly race: Race | undefined;
}
