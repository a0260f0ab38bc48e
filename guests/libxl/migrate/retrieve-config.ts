import type { Actor } from '../../../sim/index.ts';
import { textOf } from '../../../store/protocol/octets.ts';
import { XS } from '../../../store/protocol/wire.ts';
import { strings } from '../../xenstore/index.ts';
import type { Call } from '../call.ts';
import { domainType } from '../device-add.ts';
import type { Device } from '../device-kinds.ts';
import type { DomainPlan } from '../domain-config.ts';

/**
 * SO2: the configuration that is kept of a domain, brought up to date from what the domain is now. Devices that are not in the
 * store any more are dropped; one that comes later is not in it (SRC-1). `undefined`: it has none, or the store does not say.
 * @param hasQuotas whether this libxl asks the store for quotas: those before 4.22 do not.
 * Source: retrieve_domain_configuration_end in tools/libs/light/libxl_domain.c.
 */
export function* retrieveConfig(call: Call, domid: number, hasQuotas: boolean): Actor<DomainPlan | undefined> {
  const { shared, os } = call.xl;
  const kept = shared.configs.get(domid);
  const domain = os.machine.domain(domid);
  if (kept === undefined || domain === undefined) return undefined;
  const type = yield* domainType(call, domid);
  if (type === 'hvm') yield* call.read(`/libxl/${domid}/dm-version`);
  const name = yield* call.read(`/local/domain/${domid}/name`);
  if (name === undefined) return undefined;
  const online = type === 'hvm' ? kept.vcpusOnline : yield* onlineVcpus(call, domid, kept.vcpus ?? 1);
  const home = yield* call.dompath(domid);
  const target = Number(yield* call.read(`${home}/memory/target`));
  const max = Number(yield* call.read(`${home}/memory/static-max`));
  if (!Number.isInteger(target) || !Number.isInteger(max)) return undefined;
  const quota = hasQuotas ? yield* quotas(call, domid) : undefined;
  const disks = yield* inStore(call, domid, 'vbd', kept.disks ?? []);
  const nics = yield* inStore(call, domid, 'vif', kept.nics ?? []);
  const uuid = shared.handleOf(domain);
  return {
    ...kept,
    name,
    uuid,
    memoryKb: max,
    targetKb: target + (kept.videoKb ?? 0),
    ...(online === undefined ? {} : { vcpusOnline: online }),
    ...(quota === undefined ? {} : { quota }),
    disks,
    nics,
  };
}

/** Source: libxl__update_avail_vcpus_xenstore. */
function* onlineVcpus(call: Call, domid: number, vcpus: number): Actor<number> {
  const home = yield* call.dompath(domid);
  let online = 0;
  for (let i = 0; i < vcpus; i++) if ((yield* call.read(`${home}/cpu/${i}/availability`)) === 'online') online++;
  return online;
}

/** Quotas of the domain by name; `undefined`: the store does not know of any. Source: libxl_xs_quota_domain_get. */
function* quotas(call: Call, domid: number): Actor<DomainPlan['quota']> {
  const names = yield* call.xs.call(XS.GET_QUOTA, new Uint8Array(0));
  if (names.error !== undefined) return undefined;
  const found: [string, string][] = [];
  for (const name of textOf(names.payload).replace(/\0.*$/s, '').split(' ')) {
    const value = yield* call.xs.call(XS.GET_QUOTA, strings(String(domid), name));
    if (value.error === undefined) found.push([name, textOf(value.payload).replace(/\0.*$/s, '')]);
  }
  return found;
}

/** Those of a kind that the store still has. Source: libxl__device_list, the MERGE of what is kept with it. */
function* inStore(call: Call, domid: number, kind: string, kept: readonly Device[]): Actor<readonly Device[]> {
  const dir = `/libxl/${domid}/device/${kind}`;
  const there = new Set<number>();
  for (const devid of (yield* call.directory(dir)) ?? [])
    if ((yield* call.read(`${dir}/${devid}/backend`)) !== undefined) there.add(Number(devid));
  return kept.filter(({ devid }) => there.has(devid));
}
