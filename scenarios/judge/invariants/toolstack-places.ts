/** Where a domain and its devices are in the store, and who may do what there, as libxl intends it. */

/** Which device of a domain. */
export interface DevicePlace {
  readonly kind: string;
  readonly devid: number;
  readonly backendDomid: number;
}

/** A domain as its toolstack made it. */
export interface DomainPlace {
  readonly domid: number;
  readonly uuid: string;
  /** Directories of its backends. */
  readonly backends: readonly string[];
}

export const homeOf = (domid: number): string => `/local/domain/${domid}`;

/** The places of a device: of its frontend, its backend, and libxl's own. Source: guests.md 2.2. */
export function placesOf(
  domid: number,
  { kind, devid, backendDomid }: DevicePlace,
): { readonly frontend: string; readonly backend: string; readonly libxl: string } {
  const home = homeOf(domid);
  return {
    frontend: kind === 'console' && devid === 0 ? `${home}/console` : `${home}/device/${kind}/${devid}`,
    backend: `${homeOf(backendDomid)}/backend/${kind}/${domid}/${devid}`,
    libxl: `/libxl/${domid}/device/${kind}/${devid}`,
  };
}

/** Parents of a device's places that go with the last of its kind (HS-13), the innermost first. */
export function parentsOf(domid: number, { kind, devid, backendDomid }: DevicePlace): readonly string[] {
  const backends = `${homeOf(backendDomid)}/backend`;
  return [
    ...(kind === 'console' && devid === 0 ? [] : [`${homeOf(domid)}/device/${kind}`]),
    `/libxl/${domid}/device/${kind}`,
    `/libxl/${domid}/device`,
    `${backends}/${kind}/${domid}`,
    `${backends}/${kind}`,
    backends,
  ];
}

export function isAtOrBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}

/** Below a domain's home: what the guest may only read. Source: guests.md 3.2, transactions A and B. */
const READ_ONLY =
  /^\/(?:vm|name|domid|cpu(?:\/\d+(?:\/availability)?)?|memory(?:\/(?:static-max|target|videoram))?|store(?:\/(?:port|ring-ref))?|device(?:\/suspend|\/(?:vif|vbd|console))?|control(?:\/platform-feature-[^/]+)?|console|console\/(?:backend|limit|type|output|tty|port|ring-ref))$/;
/** What it may only read, too, and whoever has the backend may write. Source: libxl__device_generic_add, ro_frontend_perms. */
const OF_BACKEND = /^\/device\/vif\/(\d+)\/mtu$/;
/** What it has to itself. */
const OWN =
  /^\/(?:control\/(?:shutdown|sysrq|feature-(?:poweroff|reboot|suspend|s3|s4))|data|drivers|feature|attr|error|device\/suspend\/event-channel|device\/(?:vif|vbd)\/\d+|console\/backend-id)$/;

/**
 * Permissions that a node is meant to have: a whole list, as GET_PERMS prints it, or its owner alone, who may have changed the
 * rest; `others`: whoever put it there, nobody but the toolstack and the domain may be let in.
 * `undefined`: it is in none of the domain's places.
 */
export function intended(
  path: string,
  { domid, uuid, backends }: DomainPlace,
):
  | { readonly what: 'list'; readonly perms: readonly string[] }
  | { readonly what: 'owner'; readonly domid: number }
  | { readonly what: 'others' }
  | undefined {
  const list = (...perms: string[]) => ({ what: 'list', perms }) as const;
  if (isAtOrBelow(path, `/libxl/${domid}`)) return list('n0');
  if (isAtOrBelow(path, `/vm/${uuid}`)) return list('n0', `r${domid}`);
  if (backends.some((backend) => isAtOrBelow(path, backend))) return list(`n${path.split('/')[3]}`, `r${domid}`);
  const home = homeOf(domid);
  if (!isAtOrBelow(path, home)) return undefined;
  const below = path.slice(home.length);
  if (below === '' || READ_ONLY.test(below)) return list('n0', `r${domid}`);
  const nic = OF_BACKEND.exec(below)?.[1];
  if (nic !== undefined) {
    const backend = backends.find((each) => each.endsWith(`/backend/vif/${domid}/${nic}`));
    return list(`n${backend?.split('/')[3] ?? 0}`, `r${domid}`);
  }
  return OWN.test(below) ? { what: 'owner', domid } : { what: 'others' };
}
