import { untilFree } from '../../../guests/libxl/index.ts';
import {
  type Actor,
  DOMID_ANY,
  DOMID_SELF,
  type Domain,
  endAccess,
  GNTCOPY_dest_gref,
  GNTCOPY_source_gref,
  GNTMAP_host_map,
  GNTST,
  GNTTAB_RESERVED_XENSTORE,
  GTF_permit_access,
  grantAccess,
  grantTransitive,
  Hypercalls,
  loadFlags,
  loadStatus,
  openTable,
  statusName,
  VIRQ_DOM_EXC,
} from '../../../sim/index.ts';
import type { Host } from '../../engine/host.ts';
import type { Program } from '../worries/play.ts';
import { answerOf, type Trials } from './trial.ts';

/** References that no driver of these guests uses. */
const OWN_REF = 100;
const HANDED_ON_REF = 101;
const FIRST_REF = 200;
const PAGES = 12;
const HALF = 2_048;
const THINK_NS_MAX = 1_500_000;
/** How long a domain may take to be gone, ns. */
const GONE_NS = 200_000_000;

/** A guest that changes the version of its table while its page of xenstore is mapped, and while others have pages of it (GNT-20). */
export function versionKernel(trials: Trials): Program {
  return function* ({ me }, { guest, host, traffic, domid }) {
    const { os } = guest;
    const { gnttab } = os.hyper;
    const { hyper } = host.dom0.os;
    const check = (what: string, got: string | number | boolean, due: string | number | boolean) =>
      trials.check(host, me.name, what, got, due);
    const table = () => openTable(gnttab, os.domain.memory);
    const page = os.allocPage();
    for (let version = 2; !traffic.stopping; version = 3 - version) {
      check('GNT-20: set_version', answerOf(gnttab.setVersion(version)), 'OK');
      const now = gnttab.getVersion(DOMID_SELF);
      check('get_version', now.ok ? now.value : now.errno, version);
      const ring = loadFlags(table(), GNTTAB_RESERVED_XENSTORE) & GTF_permit_access;
      check('GNT-20: the entry of xenstore is kept', ring, GTF_permit_access);
      grantAccess(table(), OWN_REF, { domid: 0, gfn: page.gfn });
      const { status, handle } = hyper.mapGrant(domid, OWN_REF, GNTMAP_host_map);
      check('map_grant_ref', statusName(status), statusName(GNTST.okay));
      yield me.draws.below(THINK_NS_MAX);
      check('GNT-20: set_version while a page is mapped', answerOf(gnttab.setVersion(3 - version)), 'EBUSY');
      if (handle !== undefined) check('unmap_grant_ref', statusName(hyper.unmapGrant(handle)), statusName(GNTST.okay));
      check('GNT-15: an end of access', endAccess(table(), OWN_REF), true);
      yield me.draws.below(THINK_NS_MAX);
    }
  };
}

/** Domains that dom0 makes for a moment: one of them hands on what the other has granted, and maps pages of dom0 as it dies. */
export function* passingDomains(trials: Trials, host: Host, name: string, draws: { below(n: number): number }): Actor {
  const { os } = host.dom0;
  const check = (what: string, got: string | number | boolean, due: string | number | boolean) =>
    trials.check(host, name, what, got, due);
  const mine = openTable(os.hyper.gnttab, os.domain.memory);
  while (!host.traffic.stopping) {
    const [origin, middle] = [made(host, 'origin'), made(host, 'middle')];
    if (origin === undefined || middle === undefined) return;
    handOn(host, origin, middle, check);
    const page = os.allocPage();
    const calls = new Hypercalls(host.machine, middle);
    for (let ref = FIRST_REF; ref < FIRST_REF + PAGES; ref++) {
      grantAccess(mine, ref, { domid: middle.domid, gfn: page.gfn });
      check('map_grant_ref', statusName(calls.mapGrant(0, ref, GNTMAP_host_map).status), statusName(GNTST.okay));
    }
    for (const { domid } of [middle, origin]) {
      check('destroydomain', answerOf(os.hyper.destroyDomain(domid)), 'OK');
      const dying = answerOf(os.hyper.evtchn.setVirqHandler(domid, VIRQ_DOM_EXC));
      check(
        'DOM-26: a dying domain as the handler of a VIRQ',
        ['EINVAL', 'ESRCH'].includes(dying) ? 'refused' : dying,
        'refused',
      );
      if (!(yield* untilFree(os, domid, GONE_NS))) return;
    }
    for (let ref = FIRST_REF; ref < FIRST_REF + PAGES; ref++)
      check('GNT-12: an end of access once the mapper is gone', endAccess(mine, ref), true);
    os.domain.memory.free(page.gfn);
    yield draws.below(THINK_NS_MAX);
  }
}

/** A VIRQ that somebody has bound is nobody else's (DOM-27). */
export function* claimsVirq(trials: Trials, host: Host, name: string, domid: number): Actor {
  const answer = answerOf(host.dom0.os.hyper.evtchn.setVirqHandler(domid, VIRQ_DOM_EXC));
  trials.check(host, name, 'DOM-27: another handler for a VIRQ that is bound', answer, 'EBUSY');
  yield 0;
}

function made(host: Host, name: string): Domain | undefined {
  const created = host.dom0.os.hyper.createDomain(DOMID_ANY, name);
  return created.ok ? created.value : undefined;
}

/** A copy from one half of a page to the other, by an entry that hands on another's (GNT-24): both stay as they are. */
function handOn(
  { dom0, machine }: Host,
  origin: Domain,
  middle: Domain,
  check: (what: string, got: string | number, due: string | number) => void,
): void {
  const [first, second] = [origin, middle].map((domain) => new Hypercalls(machine, domain).gnttab);
  if (first === undefined || second === undefined) return;
  for (const gnttab of [first, second]) check('GNT-20: set_version', answerOf(gnttab.setVersion(2)), 'OK');
  const [from, via] = [openTable(first, origin.memory), openTable(second, middle.memory)];
  const page = origin.memory.alloc();
  page.bytes.fill(7, 0, HALF);
  grantAccess(from, OWN_REF, { domid: middle.domid, gfn: page.gfn });
  grantTransitive(via, HANDED_ON_REF, { domid: 0, transDomid: origin.domid, transGref: OWN_REF });
  const at = (offset: number) => ({ domid: middle.domid, gfnOrRef: HANDED_ON_REF, offset });
  const flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
  for (const status of dom0.os.hyper.gnttab.copy([{ source: at(0), dest: at(HALF), len: 16, flags }]))
    check('GNT-24: a copy by a transitive entry', statusName(status), statusName(GNTST.okay));
  check('GNT-24: octets of the copy', page.bytes[HALF] ?? 0, 7);
  check('GNT-23: pins of both entries at the end', loadStatus(from, OWN_REF) + loadStatus(via, HANDED_ON_REF), 0);
}
