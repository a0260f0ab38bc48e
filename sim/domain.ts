import { EventChannels } from './events/ports.ts';
import { Maptrack } from './grants/maptrack.ts';
import { GrantTable } from './grants/table.ts';
import type { Domid } from './ids.ts';
import { Memory } from './memory.ts';
import type { Task } from './scheduler.ts';

/** SCHEDOP_shutdown reasons. Source: xen/include/public/sched.h. */
export const SHUTDOWN_REASONS = ['poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset'] as const;
export type ShutdownReason = (typeof SHUTDOWN_REASONS)[number];

/** One domain: its memory, grants, ports and life. Life-cycle transitions are in machine.ts, in one place. */
export class Domain {
  readonly domid: Domid;
  readonly uniqueId: bigint;
  readonly name: string;
  readonly memory = new Memory();
  readonly grants = new GrantTable(this.memory);
  readonly maptrack = new Maptrack();
  readonly ports = new EventChannels(this);
  /** Every task that runs on this domain's virtual CPUs. */
  readonly tasks: Task[] = [];
  /** Progress of XEN_DOMCTL_destroydomain. */
  dying: 'alive' | 'dying' | 'dead' = 'alive';
  shutdown: ShutdownReason | undefined = undefined;
  controllerPauses = 0;
  vcpus = 1;
  /** Mappings that others hold of this domain's pages: while there are any, a dead domain is a zombie (DOM-8). */
  foreignMaps = 0;

  constructor(domid: Domid, uniqueId: bigint, name: string) {
    this.domid = domid;
    this.uniqueId = uniqueId;
    this.name = name;
  }

  /** Whether the domain's tasks may take a step now (CHK-7). */
  get isRunning(): boolean {
    return this.controllerPauses === 0 && this.dying === 'alive' && this.shutdown === undefined;
  }
}
