import { type Actor, DOMID_ANY, type Domain, GNTTAB_RESERVED_XENSTORE, type Port } from '../../sim/index.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { GuestOs } from '../kernel/index.ts';
import { strings, type Xs } from '../xenstore/index.ts';
import type { BuiltDomain } from './build.ts';

/** Virtual time for one page on its way. */
const PAGE_NS = 1_000;

export interface RestorePlan {
  readonly from: Domain;
  readonly name: string;
  readonly storeDomid: number;
  /** HVM: the restorer zeroes it with the params record; PV: it is copied like any page (5.2). */
  readonly storePage: 'zeroed' | 'copied';
  /** The create flow's part in the store, before INTRODUCE; false: it could not be written. */
  readonly writeTree: (heir: Domain, ring: { readonly gfn: number; readonly port: Port }) => Actor<boolean>;
  /** INTRODUCE; the errno of a store that does not take it. Left out: as libxl does it, and nothing comes between. */
  readonly introduce?: (heir: BuiltDomain) => Actor<string | undefined>;
  readonly destroy: Destroy;
}

/** Destroy a domain with all that it has in the store. */
export type Destroy = (domid: number) => Actor<unknown>;

/**
 * A suspended guest goes on in a new domain with a copy of its memory; the old one is for the caller to destroy. The heir is
 * still paused. @returns `undefined`: it came to nothing, and the guest can go on where it was (SUS-12).
 * Source: hypervisor.md 5.2, 5.3, D1; xg_sr_restore.c; libxl_create.c.
 */
export function* restoreGuest(xs: Xs, os: GuestOs, plan: RestorePlan): Actor<Domain | undefined> {
  const { from, name, storeDomid, storePage, writeTree, introduce = (heir) => introduced(xs, heir) } = plan;
  const created = os.hyper.createDomain(DOMID_ANY, name, { type: from.memory.translated ? 'hvm' : 'pv' });
  if (!created.ok) return undefined;
  const heir = created.value;
  const { domid } = heir;
  const storeGfn = from.startInfo?.storeGfn ?? 0;
  for (const page of from.memory.frames) {
    if (page.isSpecial) continue; // Xen's own, such as the grant table: the heir has new ones
    const copy = heir.memory.populate(page.gfn);
    if (page.gfn !== storeGfn || storePage === 'copied') copy?.bytes.set(page.bytes);
    yield PAGE_NS;
  }
  heir.ports.resetWords(); // SUS-6
  const ring = heir.memory.frame(storeGfn);
  const port = os.hyper.allocUnbound(domid, storeDomid);
  if (ring !== undefined && port.ok) {
    os.hyper.seedGrant(domid, GNTTAB_RESERVED_XENSTORE, storeDomid, ring);
    heir.startInfo = { storeGfn, storePort: port.value };
    const isWritten = yield* writeTree(heir, { gfn: storeGfn, port: port.value });
    if (isWritten && (yield* introduce({ domain: heir, ring, port: port.value })) === undefined) {
      if (os.hyper.domctl.moveContext(from.domid, domid).ok) return heir;
    }
  }
  yield* plan.destroy(domid);
  return undefined;
}

function* introduced(xs: Xs, { domain, ring, port }: BuiltDomain): Actor<string | undefined> {
  return (yield* xs.call(XS.INTRODUCE, strings(String(domain.domid), String(ring.gfn), String(port)))).error;
}

/** M7: the old one goes, and the guest runs in its heir. Source: xl_migrate.c, xl_saverestore.c. */
export function* handOver(xs: Xs, os: GuestOs, from: Domain, heir: Domain, destroy: Destroy): Actor {
  yield* xs.write(`/local/domain/${from.domid}/name`, `${from.name}--migratedaway`);
  yield* xs.write(`/local/domain/${heir.domid}/name`, from.name);
  os.hyper.unpause(heir.domid);
  yield* destroy(from.domid);
}
