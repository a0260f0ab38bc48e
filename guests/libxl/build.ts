import {
  CONSOLE_CONNECTION,
  type Domain,
  type Frame,
  GNTTAB_RESERVED_CONSOLE,
  GNTTAB_RESERVED_XENSTORE,
  type Port,
  type Result,
  XENCONSOLE_DISCONNECTED,
} from '../../sim/index.ts';
import type { GuestOs } from '../kernel/index.ts';

/** A page of a new domain that a daemon is to map, and the port to it. */
export interface ReservedRing {
  readonly ring: Frame;
  readonly port: Port;
}

/** A domain as the builder leaves it: paused, its ring page granted through entry 1, its store port unbound. */
export interface BuiltDomain extends ReservedRing {
  readonly domain: Domain;
  /** Of those that libxl builds: granted through entry 0. */
  readonly console?: ReservedRing;
}

/** Which daemons a new domain's ports and pages are for. */
export interface Daemons {
  readonly storeDomid: number;
  readonly consoleDomid: number;
}

/** Ports of a new domain for both daemons. */
export interface BuiltPorts {
  readonly store: Port;
  readonly console: Port;
}

/** Unbound ports in the new domain for both daemons, the store's first. Source: libxl__build_pre in libxl_dom.c. */
export function allocPorts(os: GuestOs, domid: number, daemons: Daemons): Result<BuiltPorts> {
  const store = os.hyper.allocUnbound(domid, daemons.storeDomid);
  if (!store.ok) return store;
  const console = os.hyper.allocUnbound(domid, daemons.consoleDomid);
  if (!console.ok) return console;
  return { ok: true, value: { store: store.value, console: console.value } };
}

/** Pages, those of `before` if given, and reserved grants (GNT-26), console 0 and store 1. Source: tools/libs/guest/xg_dom_boot.c, xc_dom_gnttab_init. */
export function seedRings(
  os: GuestOs,
  domain: Domain,
  ports: BuiltPorts,
  daemons: Daemons,
  before?: BuiltDomain,
): BuiltDomain {
  const ring = before?.ring ?? domain.memory.alloc();
  const page = before?.console?.ring ?? domain.memory.alloc();
  page.bytes[CONSOLE_CONNECTION] = XENCONSOLE_DISCONNECTED; // CON-5
  os.hyper.seedGrant(domain.domid, GNTTAB_RESERVED_CONSOLE, daemons.consoleDomid, page);
  os.hyper.seedGrant(domain.domid, GNTTAB_RESERVED_XENSTORE, daemons.storeDomid, ring);
  domain.startInfo = {
    storeGfn: ring.gfn,
    storePort: ports.store,
    console: { gfn: page.gfn, port: ports.console },
  };
  return { domain, ring, port: ports.store, console: { ring: page, port: ports.console } };
}

/**
 * Create a domain and do the builder's part for xenstore alone (GNT-26, EVT-3). `undefined`: the hypervisor refused.
 * @param wantedPort number of the store port; lower ones are taken by others, as a real guest's are. 0 = the lowest free.
 */
export function buildDomain(
  os: GuestOs,
  domid: number,
  name: string,
  storeDomid: number,
  wantedPort = 0,
): BuiltDomain | undefined {
  const created = os.hyper.createDomain(domid, name);
  if (!created.ok) return undefined;
  const domain = created.value;
  const ring = domain.memory.alloc();
  os.hyper.seedGrant(domain.domid, GNTTAB_RESERVED_XENSTORE, storeDomid, ring);
  let port = os.hyper.allocUnbound(domain.domid, storeDomid);
  while (port.ok && port.value < wantedPort) port = os.hyper.allocUnbound(domain.domid, storeDomid);
  if (!port.ok) throw new Error(`assertion: no port in a new domain: ${port.errno}`);
  domain.startInfo = { storeGfn: ring.gfn, storePort: port.value };
  return { domain, ring, port: port.value };
}
