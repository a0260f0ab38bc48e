import { type Actor, ERROR, EVTCHN_PORT, type Port, XENSTORE_ERROR_COMM } from '../../sim/index.ts';
import { compat as compatOf } from '../daemon/compat.ts';
import type { Connection } from '../daemon/connection.ts';
import type { Daemon } from '../daemon/daemon.ts';
import type { StoreOptions } from '../daemon/options.ts';
import type { RingPage } from '../daemon/platform.ts';
import type { SimPlatform } from '../daemon/sim-platform.ts';

import type { DaemonState as NeutralState } from '../format/model/state.ts';

/** Virtual time for one ring to be mapped again. */
const MAP_NS = 400;

/** The process into which a new instance is put. */
export interface TakeOverSite {
  readonly platform: SimPlatform;
  readonly options: StoreOptions;
  /** Port of dom0's kernel for its own ring. */
  readonly dom0Port: Port;
}

/** Whether the event channel file goes over to the successor, and the ports with it: an image says so without words. */
export function keepsPorts(handedOver: NeutralState | undefined): boolean {
  return handedOver === undefined || handedOver.evtchn.fd !== undefined;
}

/**
 * A new instance binds the VIRQ, maps the rings one by one, and looks for domains that went meanwhile.
 * @param handedOver what the files said, if there were any: not all of them know of ports.
 */
export function* takeOver(site: TakeOverSite, daemon: Daemon, handedOver: NeutralState | undefined): Actor {
  const { platform } = site;
  if (!platform.hasDomainException) platform.bindDomainException();
  daemon.changes.forgetChanged();
  for (const conn of daemon.state.connections) {
    if (conn.link.kind !== 'ring') continue;
    takeRing(site, daemon, conn, handedOver);
    yield MAP_NS;
  }
  daemon.changes.checkEvery();
}

function takeRing(site: TakeOverSite, daemon: Daemon, conn: Connection, handedOver: NeutralState | undefined): void {
  const { link, domid } = conn;
  if (link.kind !== 'ring') return;
  const { platform } = site;
  const isHeldOpen = keepsPorts(handedOver);
  if (isHeldOpen && link.port !== 0) platform.adoptPort(link.port);
  const page = platform.mapRing(domid, () => daemon.wakes.touched(conn));
  if (page.ok) link.page = page.value;
  if (!isHeldOpen || (handedOver !== undefined && link.port === 0))
    link.port = page.ok ? bindAgain(site, domid, page.value, handedOver) : 0;
  if (page.ok && link.port !== 0) return;
  // The domain stays known, so that its end is still reported (XSR-17).
  daemon.connections.forget(conn);
  conn.isIgnored = true;
  if (page.ok) page.value.store32(ERROR, XENSTORE_ERROR_COMM);
}

/**
 * Without the old daemon's port: bind to the guest's end, as the files tell it, dom0's kernel for its own ring (xsd_port), or
 * the ring page. @returns the port; 0: nobody tells, or it cannot be bound.
 */
function bindAgain(
  { platform, options, dom0Port }: TakeOverSite,
  domid: number,
  page: RingPage,
  handedOver: NeutralState | undefined,
): number {
  const ring = handedOver?.connections.find(({ link }) => link.kind === 'ring' && link.domid === domid)?.link;
  const inPage = compatOf(options.compat).ringFeatures ? page.load32(EVTCHN_PORT) : 0;
  const own = domid === options.privDomid ? dom0Port : 0;
  const guestPort = (ring?.kind === 'ring' ? ring.guestPort : undefined) ?? (own || inPage);
  const port = guestPort === 0 ? undefined : platform.bindPort(domid, guestPort);
  return port?.ok ? port.value : 0;
}
