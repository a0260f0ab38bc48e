import type { Domain } from './domains/domain.ts';
import { fail } from './errors.ts';
import type { Scheduler } from './scheduler.ts';

/** A domain and its host. */
interface Seat {
  readonly machine: { readonly scheduler: Scheduler; domains(): readonly Domain[] };
  readonly domain: Domain;
}

/**
 * The vCPUs of a domain go on in another, at another host of the timeline, without the guest's help: its memory, its event
 * channels and its grant table have come there before. An actor cannot be copied, and knows its pages as objects; so those come
 * along, with the octets that have arrived there, and what is left behind is a domain that does nothing and still has the octets
 * that it had, for whoever has mapped them. Call it when the heir is about to run: until then the source can go on.
 * Errors: EINVAL the source is not shut down, or the heir has vCPUs that do something, or another id (NC-7).
 */
export function carryOver(from: Seat, to: Seat): void {
  const { domain: source } = from;
  const { domain: heir } = to;
  if (!source.isShutDown || source.dying !== 'alive') fail('EINVAL', `domain ${source.domid} is not shut down`);
  const isNew = heir.dying === 'alive' && to.machine.scheduler.tasksOf(heir).length === 0;
  if (!isNew) fail('EINVAL', `domain ${heir.domid} is no new one`);
  if (heir.domid !== source.domid) fail('EINVAL', `domain ${source.domid} cannot become ${heir.domid}`);
  heir.memory.takePages(source.memory, (was, is) => {
    for (const { machine } of [from, to])
      for (const { maptrack, grants } of machine.domains()) {
        maptrack.pageMoved(was, is);
        for (const [, record] of grants.pinned()) if (record.frame === was) record.frame = is;
      }
  });
  for (const { ports, grants } of [source, heir]) {
    grants.pagesMoved();
    ports.pagesMoved();
  }
  heir.ports.takeKernel(source.ports);
  heir.startInfo = source.startInfo;
  heir.returnRegister = source.returnRegister;
  to.machine.scheduler.move(source, heir, from.machine.scheduler);
}
