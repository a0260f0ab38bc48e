import type { DomainBase } from '../domain.ts';
import { fail } from '../errors.ts';

/** Source: xen/include/public/hvm/params.h. */
export const HVM_PARAM = {
  CALLBACK_IRQ: 0,
  STORE_PFN: 1,
  STORE_EVTCHN: 2,
  IOREQ_PFN: 5,
  BUFIOREQ_PFN: 6,
  VIRIDIAN: 9,
  IDENT_PT: 12,
  CONSOLE_PFN: 17,
  CONSOLE_EVTCHN: 18,
  ACPI_IOPORTS_LOCATION: 19,
  PAGING_RING_PFN: 27,
  MONITOR_RING_PFN: 28,
  SHARING_RING_PFN: 29,
  IOREQ_SERVER_PFN: 32,
  NR_IOREQ_SERVER_PAGES: 33,
  VM_GENERATION_ID_ADDR: 34,
  X87_FIP_WIDTH: 36,
  VM86_TSS_SIZED: 37,
  MCA_CAP: 38,
} as const;

const PARAM_COUNT = 39;

/** HVMOP_get_param; 0: it was never set. Errors: EINVAL. */
export function hvmParam(domain: DomainBase, index: number): bigint {
  check(domain, index);
  const info = domain.startInfo;
  switch (index) {
    case HVM_PARAM.STORE_PFN:
      return BigInt(info?.storeGfn ?? 0);
    case HVM_PARAM.STORE_EVTCHN:
      return BigInt(info?.storePort ?? 0);
    case HVM_PARAM.CONSOLE_PFN:
      return BigInt(info?.console?.gfn ?? 0);
    case HVM_PARAM.CONSOLE_EVTCHN:
      return BigInt(info?.console?.port ?? 0);
    default:
      return domain.hvmParams.get(index) ?? 0n;
  }
}

/** HVMOP_set_param. Errors: EINVAL. */
export function setHvmParam(domain: DomainBase, index: number, value: bigint): void {
  check(domain, index);
  switch (index) {
    case HVM_PARAM.STORE_PFN:
      domain.startInfo = { ...info(domain), storeGfn: Number(value) };
      break;
    case HVM_PARAM.STORE_EVTCHN:
      domain.startInfo = { ...info(domain), storePort: Number(value) };
      break;
    case HVM_PARAM.CONSOLE_PFN:
      domain.startInfo = { ...info(domain), console: { ...console(domain), gfn: Number(value) } };
      break;
    case HVM_PARAM.CONSOLE_EVTCHN:
      domain.startInfo = { ...info(domain), console: { ...console(domain), port: Number(value) } };
      break;
    default:
      domain.hvmParams.set(index, value);
  }
}

function info(domain: DomainBase) {
  return domain.startInfo ?? { storeGfn: 0, storePort: 0 };
}

function console(domain: DomainBase) {
  return domain.startInfo?.console ?? { gfn: 0, port: 0 };
}

function check(domain: DomainBase, index: number): void {
  if (!domain.memory.translated) fail('EINVAL', `domain ${domain.domid} is pv`);
  if (!(index >= 0 && index < PARAM_COUNT)) fail('EINVAL', `parameter ${index}`);
}
