import {
  type Domain,
  GNTMAP_host_map,
  GNTTAB_NR_RESERVED_ENTRIES,
  GNTTAB_RESERVED_XENSTORE,
  GTF_permit_access,
  GTF_readonly,
  loadFlags,
} from '../../sim/index.ts';
import type { FaultRule } from './rule.ts';
import { crashLater, duringUpdates, pickVictim } from './victims.ts';

/** A domid that is nobody's. */
const NOBODY = 0x7fef;
/** Stores of the granter between Xen's read and its compare-and-swap: one more than it tries. */
const STORES = 6;
/** In this time an INTRODUCE is served, ns. */
const INTRODUCE_NS = 3_000_000;

/** Faults of grants and mappings. */
export const GRANT_RULES: readonly FaultRule[] = [
  {
    id: 'INJ-G1',
    what: 'the ring of a new domain is not granted, is granted to somebody else, or for reading alone',
    mustHold: 'INTRODUCE answers an error and leaves nothing behind; the toolstack destroys the domain',
    needs: ['creates'],
    oneIn: [2, 8],
    arm: ({ host, draws, strikes, injected }) => ({
      beforeIntroduce: ({ domain: { domid, grants }, ring: { gfn } }) => {
        if (!strikes()) return;
        const entry = draws.pick([
          { flags: 0, domid: 0, gfn: 0 },
          { flags: GTF_permit_access, domid: NOBODY, gfn },
          { flags: GTF_permit_access | GTF_readonly, domid: host.storeDomid, gfn },
        ]);
        grants.write(GNTTAB_RESERVED_XENSTORE, entry);
        injected(`domain ${domid} flags ${entry.flags} for ${entry.domid}`);
      },
    }),
  },
  {
    id: 'INJ-G2',
    what: 'a guest takes back the grant of its ring while the store is between two images; some time later it crashes',
    mustHold: 'the connection is given up, the domain’s end is still reported, nobody else notices',
    needs: ['updates', 'spares'],
    oneIn: [1, 3],
    arm: (armed) => {
      duringUpdates(armed, () => {
        const victim = pickVictim(armed);
        if (victim === undefined) return;
        victim.grants.write(GNTTAB_RESERVED_XENSTORE, { flags: GTF_permit_access, domid: NOBODY, gfn: 0 });
        armed.injected(`domain ${victim.domid}`);
        crashLater(armed, victim, [0, 6_000_000]);
      });
      return {};
    },
  },
  {
    id: 'INJ-G3',
    what: 'another vCPU of a new domain keeps storing to the entry of its ring while Xen maps it',
    mustHold: 'Xen gives up after a few tries: INTRODUCE answers an error and leaves nothing behind',
    needs: ['creates'],
    oneIn: [2, 8],
    arm: ({ host, strikes, injected }) => ({
      beforeIntroduce: ({ domain, ring: { gfn } }) => {
        if (!strikes()) return;
        const { grants } = host.machine;
        let left = STORES;
        injected(`domain ${domain.domid}`);
        grants.race = (point, granter, gref) => {
          if (point !== 'cas' || granter !== domain || gref !== GNTTAB_RESERVED_XENSTORE) return;
          if (left-- <= 0) return;
          granter.grants.write(gref, {
            flags: GTF_permit_access | (left % 2 === 0 ? 0x20 : 0x40),
            domid: host.storeDomid,
            gfn,
          });
        };
      },
    }),
  },
  {
    id: 'INJ-G5',
    what: 'the store’s domain has no map track entry left for a while',
    mustHold:
      'INTRODUCE answers an error and leaves nothing behind, a backend refuses a ring and fails a request; who is mapped stays so',
    needs: ['creates'],
    oneIn: [2, 8],
    arm: ({ host, strikes, injected, over }) => {
      const { machine, storeDomain } = host;
      const { maptrack } = storeDomain;
      const { limit } = maptrack;
      let untilNs = 0;
      let isUpdating = false;
      const restore = () => {
        if (untilNs === 0) return;
        untilNs = 0;
        maptrack.limit = limit;
        over();
      };
      machine.trace.observe((event) => {
        if (event.kind !== 'store') return;
        if (event.phase === 'dump') {
          isUpdating = true;
          restore(); // the rings are to be mapped again
        } else if (event.phase === 'up' || event.phase === 'failed' || event.phase === 'ended') isUpdating = false;
      });
      return {
        beforeIntroduce: ({ domain: { domid } }) => {
          if (!strikes() || isUpdating) return; // what is mapped now is not what is in use
          maptrack.limit = maptrack.handles().length;
          untilNs = machine.nowNs + INTRODUCE_NS;
          machine.scheduler.at(untilNs, () => {
            if (machine.nowNs >= untilNs) restore(); // it may have struck again
          });
          injected(`domain ${domid}: ${maptrack.limit} entries`);
        },
      };
    },
  },
  {
    id: 'INJ-G6',
    what: 'a new domain is gone when the store maps its ring',
    mustHold: 'INTRODUCE answers an error and leaves nothing behind',
    needs: ['creates'],
    oneIn: [2, 8],
    arm: ({ host, strikes, injected }) => ({
      beforeIntroduce: ({ domain }) => {
        if (!strikes()) return;
        host.machine.destroy(domain);
        injected(`domain ${domain.domid}`);
      },
    }),
  },
  {
    id: 'INJ-G7',
    what: 'a new domain is dead and kept by a mapping when the store maps its ring',
    mustHold: 'INTRODUCE answers an error and leaves nothing behind; the id is free with the last unmap',
    needs: ['creates'],
    oneIn: [2, 8],
    arm: ({ host, draws, strikes, injected }) => ({
      beforeIntroduce: ({ domain }) => {
        if (!strikes()) return;
        const { machine, storeDomain } = host;
        const { handle } = machine.mapGrant(storeDomain, domain.domid, GNTTAB_RESERVED_XENSTORE, GNTMAP_host_map);
        if (handle === undefined) return;
        machine.destroy(domain);
        injected(`domain ${domain.domid}`);
        const untilNs = machine.nowNs + INTRODUCE_NS + draws.below(INTRODUCE_NS);
        machine.scheduler.at(untilNs, () => machine.unmapGrant(storeDomain, handle));
      },
    }),
  },
  {
    id: 'INJ-G9',
    what: 'a guest’s kernel that has granted nothing else yet changes the version of its grant table while the store has its ring mapped',
    mustHold: 'reserved entries stay as they are: the ring is served on, and mapped again by the next image',
    needs: ['bare'],
    oneIn: [1, 3],
    arm: (armed) => ({
      now: {
        everyNs: [200_000, 2_000_000],
        act: () => {
          if (!armed.strikes()) return;
          const fresh = armed.host.guests.filter(({ os: { domain } }) => domain.isRunning && !hasGranted(domain));
          if (fresh.length === 0) return;
          const { domain, hyper } = armed.draws.pick(fresh).os;
          const version = domain.grants.version === 1 ? 2 : 1;
          if (hyper.gnttab.setVersion(version).ok) armed.injected(`domain ${domain.domid} version ${version}`);
        },
      },
    }),
  },
  {
    id: 'INJ-G10',
    what: 'a guest gives the page of its ring back while the store has it mapped; some time later it crashes',
    mustHold: 'the store keeps the page that it has, or loses the connection at the next image; nobody else notices',
    needs: ['spares'],
    oneIn: [1, 4],
    arm: (armed) => ({
      now: {
        everyNs: [1_000_000, 8_000_000],
        act: () => {
          const victim = pickVictim(armed);
          if (victim === undefined) return;
          const gfn = victim.grants.active(GNTTAB_RESERVED_XENSTORE)?.frame.gfn;
          if (gfn === undefined || !victim.memory.free(gfn)) return;
          armed.injected(`domain ${victim.domid} gfn ${gfn}`);
          crashLater(armed, victim, [0, 4_000_000]);
        },
      },
    }),
  },
];

/**
 * Whether a kernel has granted anything of its own. Such a one does not change the version: every entry but the reserved ones
 * would be cleared under its drivers. Linux asks for its version in gnttab_init, and in gnttab_resume before the devices are
 * connected anew (gnttab_request_version in drivers/xen/grant-table.c).
 */
function hasGranted({ grants }: Domain): boolean {
  for (let gref = GNTTAB_NR_RESERVED_ENTRIES; gref < grants.size; gref++)
    if (loadFlags(grants, gref) !== 0) return true;
  return false;
}
