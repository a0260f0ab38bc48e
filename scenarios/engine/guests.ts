import { type BuiltDomain, type ClientHabits, LINUX_HABITS, type Thread, Xs } from '../../guests/index.ts';
import { createDomain, initDom0 } from '../../guests/libxl/index.ts';
import type { Actor, Domid } from '../../sim/index.ts';
import type { Guest } from './host.ts';
import type { Run } from './run.ts';

/** A guest of a scenario: a domain without devices, and the one program that runs in it. */
export interface GuestPlan {
  /** Left out: the next one that is free. */
  readonly domid?: Domid;
  /** How its kernel treats the ring; left out: as Linux does. */
  readonly habits?: ClientHabits;
  /** `xs`: its connection to xenstore; the thread is `xs.me`. More threads are started with `guest.os.start`. */
  readonly program: (xs: Xs, guest: Guest) => Actor;
}

/**
 * A toolstack in dom0 creates these domains, one after the other, under their names, and their programs begin. The run
 * is at rest when the programs have ended. A domain that cannot be created (its domid is taken; under faults, its
 * toolstack dies) is among the refusals of the result, and its program never begins.
 */
export function startGuests({ host, writers }: Run, plans: Readonly<Record<string, GuestPlan>>): void {
  const { dom0, traffic } = host;
  const boot = (plan: GuestPlan) => (built: BuiltDomain) => {
    const guest = host.boot(built, plan.habits ?? LINUX_HABITS);
    writers.push(guest.os.start('main', (me) => plan.program(new Xs(guest.client, me), guest)));
  };
  function* xl(me: Thread): Actor {
    yield* host.initStore(me);
    yield* initDom0(me, dom0.client);
    const libxl = host.libxl(dom0.client, { tokenPrefix: `${me.name}:` });
    for (const [name, plan] of Object.entries(plans)) {
      const { domid } = plan;
      const created = yield* createDomain(me, libxl, domid === undefined ? { name } : { name, domid }, {
        boot: boot(plan),
      });
      traffic.conflicts += created.conflicts;
      if (created.rc !== 0) traffic.refused(`${created.rc} in ${created.failedIn}`);
      if (created.rc === 'died') return;
    }
  }
  writers.push(dom0.os.start('xl', xl));
}
