import { type Actor, HVM_PARAM } from '../../sim/index.ts';
import { DOMAIN_TYPE } from '../../store/format/enclosing/leaving.ts';
import { CALL_NS, CONTEXT_NS } from './costs.ts';
import { policyRecords, tscRecord } from './save-common.ts';
import type { Failure, SaveContext, SaverOps } from './save-context.ts';

/** In the order of the stream; those that are 0 are left out. Source: write_hvm_params in xg_sr_save_x86_hvm.c. */
const PARAMS = [
  HVM_PARAM.STORE_PFN,
  HVM_PARAM.IOREQ_PFN,
  HVM_PARAM.BUFIOREQ_PFN,
  HVM_PARAM.PAGING_RING_PFN,
  HVM_PARAM.MONITOR_RING_PFN,
  HVM_PARAM.SHARING_RING_PFN,
  HVM_PARAM.VM86_TSS_SIZED,
  HVM_PARAM.CONSOLE_PFN,
  HVM_PARAM.ACPI_IOPORTS_LOCATION,
  HVM_PARAM.VIRIDIAN,
  HVM_PARAM.IDENT_PT,
  HVM_PARAM.VM_GENERATION_ID_ADDR,
  HVM_PARAM.IOREQ_SERVER_PFN,
  HVM_PARAM.NR_IOREQ_SERVER_PAGES,
  HVM_PARAM.X87_FIP_WIDTH,
  HVM_PARAM.MCA_CAP,
] as const;

/** Guests whose physmap Xen keeps: HVM and PVH. Source: tools/libs/guest/xg_sr_save_x86_hvm.c. */
export function hvmSaver(): SaverOps {
  let qemuLogs = false;
  return {
    type: DOMAIN_TYPE.HVM,
    *setup(save): Actor<Failure> {
      const max = save.os.hyper.paging.maximumGfn(save.domid);
      yield CALL_NS;
      if (!max.ok) return 'Unable to obtain the guest p2m size';
      save.p2mSize = max.value + 1;
      if ((yield* save.ask('qemu-log-dirty-on')) !== 0) return "Couldn't enable qemu log-dirty mode";
      qemuLogs = true;
      return undefined;
    },
    staticData: policyRecords,
    *startOfStream(): Actor<Failure> {
      return undefined;
    },
    check: () => undefined,
    *endOfCheckpoint(save): Actor<Failure> {
      return (yield* tscRecord(save)) ?? (yield* contextRecord(save)) ?? (yield* paramsRecord(save));
    },
    *cleanUp(save): Actor<Failure> {
      if (!qemuLogs) return undefined;
      return (yield* save.ask('qemu-log-dirty-off')) === 0 ? undefined : "Couldn't disable qemu log-dirty mode";
    },
  };
}

function* contextRecord(save: SaveContext): Actor<Failure> {
  const context = save.os.hyper.paging.hvmContext(save.domid);
  yield CONTEXT_NS;
  if (!context.ok) return "Couldn't get HVM context from Xen";
  yield* save.record({ kind: 'HVM_CONTEXT', context: context.value });
  return undefined;
}

function* paramsRecord(save: SaveContext): Actor<Failure> {
  const params: { readonly index: bigint; readonly value: bigint }[] = [];
  for (const index of PARAMS) {
    const value = save.os.hyper.paging.hvmParam(save.domid, index);
    if (!value.ok) return `Failed to get HVMPARAM at index ${index}`;
    if (value.value !== 0n) params.push({ index: BigInt(index), value: value.value });
  }
  yield CALL_NS * PARAMS.length;
  if (params.length > 0) yield* save.record({ kind: 'HVM_PARAMS', params });
  return undefined;
}
