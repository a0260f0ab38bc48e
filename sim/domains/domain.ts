import { DomainBase } from '../domain.ts';
import { EventChannels } from '../events/ports.ts';
import { Maptrack } from '../grants/maptrack.ts';
import { GrantTable } from '../grants/table.ts';
import type { VcpuContext } from './vcpu-context.ts';

/**
 * One domain with all that hangs on it. Inheritance, which we avoid elsewhere, because each of the parts has to know its own
 * domain and must not know the other parts, while everybody else wants one object. What runs on it is the scheduler's to know.
 */
export class Domain extends DomainBase {
  readonly grants = new GrantTable(this.memory);
  readonly maptrack = new Maptrack();
  readonly ports = new EventChannels(this);
  /** Its vCPUs were saved, or are to be those that were: they go on when it does. */
  context: VcpuContext | undefined = undefined;
}
