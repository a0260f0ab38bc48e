import type { Actor } from '../../sim/index.ts';
import { CALL_NS } from './costs.ts';
import type { Failure, SaveContext } from './save-context.ts';

/** Source: write_x86_cpu_policy_records in tools/libs/guest/xg_sr_common_x86.c. */
export function* policyRecords(save: SaveContext): Actor<Failure> {
  const policy = save.os.hyper.paging.cpuPolicy(save.domid);
  yield CALL_NS;
  if (!policy.ok) return `Unable to get d${save.domid} CPU Policy`;
  const { leaves, msrs } = policy.value;
  if (leaves.length > 0) yield* save.record({ kind: 'X86_CPUID_POLICY', leaves });
  if (msrs.length > 0) yield* save.record({ kind: 'X86_MSR_POLICY', entries: msrs });
  return undefined;
}

/** Source: write_x86_tsc_info. */
export function* tscRecord(save: SaveContext): Actor<Failure> {
  const tsc = save.os.hyper.paging.tscInfo(save.domid);
  yield CALL_NS;
  if (!tsc.ok) return 'Unable to obtain TSC information';
  yield* save.record({ kind: 'X86_TSC_INFO', ...tsc.value });
  return undefined;
}
