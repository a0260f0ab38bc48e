import type { Device } from '../device-kinds.ts';
import { type VbdOptions, type VifOptions, vbd, vif } from '../device-kinds.ts';
import type { DomainPlan } from '../domain-config.ts';
import { MEMORY_KB } from '../domain-config.ts';

/** What a stream says of its domain before its first page. */
export interface SentConfig {
  readonly plan: DomainPlan;
  readonly domid: number | undefined;
}

/** A domain's configuration as libxl_domain_config_to_json writes it, as far as a plan has something of it. `domid`: 0 unless it is
 *  to be kept. Source: tools/libs/light/libxl_types.idl, libxl_domain_config. */
export function configToJson(plan: DomainPlan, ofDomid: number, keptDomid = 0): string {
  const { quota = [], disks = [], nics = [], channels = [] } = plan;
  return JSON.stringify(
    {
      c_info: {
        domid: keptDomid,
        type: plan.type ?? 'pvh',
        name: plan.name,
        uuid: plan.uuid,
        xsdata: Object.fromEntries(plan.xsdata ?? []),
        platformdata: Object.fromEntries(plan.platform ?? []),
        driver_domain: plan.isDriverDomain === true,
      },
      b_info: {
        max_vcpus: plan.vcpus ?? 1,
        avail_vcpus: Array.from({ length: plan.vcpusOnline ?? plan.vcpus ?? 1 }, (_, i) => i),
        max_memkb: plan.memoryKb ?? MEMORY_KB,
        target_memkb: plan.targetKb ?? plan.memoryKb ?? MEMORY_KB,
        video_memkb: plan.videoKb ?? 0,
        ...(plan.kernel === undefined ? {} : { kernel: plan.kernel }),
        ...(plan.cmdline === undefined ? {} : { cmdline: plan.cmdline }),
        ...(plan.featureMask === undefined ? {} : { xenstore_feature_mask: plan.featureMask }),
        ...(quota.length === 0 ? {} : { xenstore_quota: quota.map(([name, val]) => ({ name, val: Number(val) })) }),
        ...(plan.console === undefined ? {} : { console: plan.console }),
      },
      disks: disks.flatMap((disk) => diskToJson(disk, ofDomid)),
      nics: nics.flatMap((nic) => (nic.config?.kind === 'vif' ? [nicToJson(nic.config.options)] : [])),
      channels,
    },
    undefined,
    4,
  );
}

/** With the path that it has where it is: at another host the same path has to mean the same disk. */
function diskToJson(disk: Device, domid: number): readonly object[] {
  if (disk.config?.kind !== 'vbd') return [];
  const { devid, backendDomid, params, vdev, ...rest } = disk.config.options;
  const back = new Map(disk.back(domid));
  return [
    {
      pdev_path: params ?? back.get('params'),
      vdev: vdev ?? back.get('dev'),
      devid: disk.devid,
      backend_domid: disk.backendDomid,
      ...rest,
    },
  ];
}

function nicToJson({ devid = 0, backendDomid = 0, ...rest }: VifOptions): object {
  return { devid, backend_domid: backendDomid, ...rest };
}

type Json = Readonly<Record<string, unknown>>;

/** The same read again; what is not known is not looked at, as libxl's parser does. `undefined`: it is none. */
export function configFromJson(text: string): SentConfig | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(parsed) || !isObject(parsed.c_info) || !isObject(parsed.b_info)) return undefined;
  const { c_info: c, b_info: b } = parsed;
  const { name, uuid, type } = c;
  if (typeof name !== 'string' || typeof uuid !== 'string' || !isType(type)) return undefined;
  const online = Array.isArray(b.avail_vcpus) ? b.avail_vcpus.length : undefined;
  const plan: DomainPlan = {
    name,
    uuid,
    type,
    vcpus: count(b.max_vcpus, 1),
    ...(online === undefined ? {} : { vcpusOnline: online }),
    memoryKb: count(b.max_memkb, MEMORY_KB),
    targetKb: count(b.target_memkb, MEMORY_KB),
    videoKb: count(b.video_memkb, 0),
    ...(typeof b.kernel === 'string' ? { kernel: b.kernel } : {}),
    ...(typeof b.cmdline === 'string' ? { cmdline: b.cmdline } : {}),
    ...(typeof b.xenstore_feature_mask === 'number' ? { featureMask: b.xenstore_feature_mask } : {}),
    ...(b.console === 'nodes' || b.console === 'attended' ? { console: b.console } : {}),
    quota: objects(b.xenstore_quota).flatMap((q) =>
      typeof q.name === 'string' ? [[q.name, String(q.val)] as const] : [],
    ),
    disks: objects(parsed.disks).map((disk) => vbd(diskOptions(disk))),
    nics: objects(parsed.nics).map((nic) => vif(nicOptions(nic))),
    xsdata: Object.entries(isObject(c.xsdata) ? c.xsdata : {}).map(([key, value]) => [key, String(value)] as const),
    platform: Object.entries(isObject(c.platformdata) ? c.platformdata : {}).map(([k, v]) => [k, String(v)] as const),
    isDriverDomain: c.driver_domain === true,
  };
  const domid = count(c.domid, 0);
  return { plan, domid: domid === 0 ? undefined : domid };
}

function diskOptions({ pdev_path, backend_domid, ...rest }: Json): VbdOptions {
  return { ...rest, params: String(pdev_path), backendDomid: count(backend_domid, 0) };
}

function nicOptions({ backend_domid, ...rest }: Json): VifOptions {
  return { ...rest, backendDomid: count(backend_domid, 0) };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function isType(value: unknown): value is NonNullable<DomainPlan['type']> {
  return value === 'pv' || value === 'pvh' || value === 'hvm';
}

function count(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : otherwise;
}
