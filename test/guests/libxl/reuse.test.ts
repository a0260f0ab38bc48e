import { describe, expect, it } from 'vitest';
import { strings, text, XS, Xs } from '../../../guests/index.ts';
import { createDomain, DomidHistory, destroyDomain, SharedFiles } from '../../../guests/libxl/index.ts';
import { GNTMAP_host_map, GNTTAB_RESERVED_CONSOLE } from '../../../sim/index.ts';
import { pass, run } from '../../support/host.ts';
import { libxlBench } from './host.ts';

/*
 * What libxl's list of recent ids is for (DOM-5). Somebody keeps a page of a dead domain, so that it is a zombie that the store
 * has already let go of. A SET_PERMS names the zombie's id: the store makes a new record for it, with the zombie's unique id,
 * since the domain still exists (find_or_alloc_existing_domain in tools/xenstored/domain.c). The zombie goes, but VIRQ_DOM_EXC
 * of that comes late. The id is used again at once, and INTRODUCE takes the record that there is (find_or_alloc_domain), with
 * the old unique id. When the VIRQ comes, do_check_domain sees a unique id that is not the record's: the domain that was known
 * there must be gone. So it is torn down, and the live one with it.
 */
describe('a domid that is used again at once', () => {
  const MS_NS = 1_000_000;

  function reused(
    isVirqLate: boolean,
    policy: 'carry' | 'daemon' = 'daemon',
  ): { readonly before: string; readonly after: string } {
    const h = libxlBench({ shared: new SharedFiles(new DomidHistory(0)) }, policy);
    const { machine, dom0 } = h.host;
    run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'old', domid: 9 }));
    const { handle } = machine.mapGrant(dom0.os.domain, 9, GNTTAB_RESERVED_CONSOLE, GNTMAP_host_map);
    run(h, 'xd', (me) => destroyDomain(me, h.xl, 9));
    pass(h, MS_NS);
    run(h, 'perms', function* (me) {
      const xs = new Xs(dom0.client, me);
      yield* xs.write('/shared', '');
      yield* xs.setPerms('/shared', ['n0', 'r9']);
    });
    if (isVirqLate) machine.events.faults = { virqContended: () => true };
    machine.unmapGrant(dom0.os.domain, handle ?? 0);
    pass(h, MS_NS);
    const made = run(h, 'xl', (me) => createDomain(me, h.xl, { name: 'new', domid: 9 }));
    expect(made).toMatchObject({ rc: 0, introduced: 'OK' });
    const introduced = () =>
      run(h, 'look', function* (me) {
        const reply = yield* new Xs(dom0.client, me).call(XS.IS_DOMAIN_INTRODUCED, strings('9'));
        return text(reply.payload).slice(0, -1);
      });
    const before = introduced();
    machine.events.faults = {};
    machine.events.raiseGlobal(3); // VIRQ_DOM_EXC, at last
    pass(h, MS_NS);
    expect(machine.domain(9)?.dying).toBe('alive');
    return { before, after: introduced() };
  }

  it('is served on if the store has heard of the old one’s end', () => {
    expect(reused(false)).toEqual({ before: 'T', after: 'T' });
  });

  it('loses its connection if it has not: a defect of the daemon', () => {
    expect(reused(true)).toEqual({ before: 'T', after: 'F' });
  });

  it('keeps it where the store learns the new unique id at INTRODUCE, as it does under the other policy', () => {
    expect(reused(true, 'carry')).toEqual({ before: 'T', after: 'T' });
  });
});
