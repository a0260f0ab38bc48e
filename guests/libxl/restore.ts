import { type Actor, DOMID_ANY, type Domain, GNTTAB_RESERVED_XENSTORE, type Port } from '../../sim/index.ts';
import { XS } from '../../store/protocol/wire.ts';
import type { GuestOs } from '../kernel/index.ts';
import { strings, type Xs } from '../xenstore/index.ts';

/** Virtual time for one page on its way, and between two looks whether a domain is gone. */
const PAGE_NS = 1_000;
const LOOK_NS = 20_000;

export interface RestorePlan {
  readonly from: Domain;
  readonly name: string;
  readonly storeDomid: number;
  /** HVM: the restorer zeroes it with the params record; PV: it is copied like any page (5.2). */
  readonly storePage: 'zeroed' | 'copied';
  /** The create flow's part in the store, before INTRODUCE; false: it could not be written. */
  readonly writeTree: (heir: Domain, ring: { readonly gfn: number; readonly port: Port }) => Actor<boolean>;
}

/**
 * A suspended guest goes on in a new domain with a copy of its memory; the old one is for the caller to destroy. The heir is
 * still paused. @returns `undefined`: it came to nothing, and the guest can go on where it was (SUS-12).
 * Source: hypervisor.md 5.2, 5.3, D1; xg_sr_restore.c; libxl_create.c.
 */
export function* restoreGuest(xs: Xs, os: GuestOs, plan: RestorePlan): Actor<Domain | undefined> {
  const { from, name, storeDomid, storePage, writeTree } = plan;
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
    const asked = strings(String(domid), String(storeGfn), String(port.value));
    if (isWritten && (yield* xs.call(XS.INTRODUCE, asked)).error === undefined) {
      if (os.hyper.domctl.moveContext(from.domid, domid).ok) return heir;
    }
  }
  yield* removeDomain(xs, os, domid);
  return undefined;
}

/** M7: the old one goes, and the guest runs in its heir. Source: xl_migrate.c, xl_saverestore.c. */
export function* handOver(xs: Xs, os: GuestOs, from: Domain, heir: Domain): Actor {
  yield* xs.write(`/local/domain/${from.domid}/name`, `${from.name}--migratedaway`);
  yield* xs.write(`/local/domain/${heir.domid}/name`, from.name);
  os.hyper.unpause(heir.domid);
  yield* removeDomain(xs, os, from.domid);
}

/** Nodes first, then the domain (TS-11); ends when its id is free. */
export function* removeDomain(xs: Xs, os: GuestOs, domid: number): Actor {
  os.hyper.pause(domid);
  for (const path of [`/local/domain/${domid}`, `/libxl/${domid}`]) yield* xs.rm(path);
  os.hyper.destroyDomain(domid);
  while (os.hyper.domainState(domid) !== undefined) yield LOOK_NS;
}
