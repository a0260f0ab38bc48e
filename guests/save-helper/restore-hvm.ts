import { type Actor, HVM_PARAM } from '../../sim/index.ts';
import type { LibxcRecord } from '../../store/format/enclosing/layouts.ts';
import { DOMAIN_TYPE } from '../../store/format/enclosing/leaving.ts';
import { CALL_NS, CONTEXT_NS } from './costs.ts';
import { clearPage, initConsole, policyFailure, seedGrants, setTsc } from './restore-common.ts';
import type { Handled, RestoreContext, Restored, RestoreFailure, RestorerOps } from './restore-context.ts';

/** Once told what CPUID should say; a stream of then may have it, and nobody wants it any more. Source: handle_hvm_params. */
const PAE_ENABLED = 4;

/** Guests whose physmap Xen keeps: HVM and PVH. Source: tools/libs/guest/xg_sr_restore_x86_hvm.c. */
export function hvmRestorer(): RestorerOps {
  let context: Uint8Array | undefined;
  let storeGfn = 0;
  let consoleGfn = 0;

  function* params(restore: RestoreContext, record: Extract<LibxcRecord, { kind: 'HVM_PARAMS' }>): Actor<Handled> {
    for (const { index, value } of record.params) {
      const gfn = Number(value);
      switch (Number(index)) {
        case HVM_PARAM.CONSOLE_PFN:
          consoleGfn = gfn;
          initConsole(restore, gfn);
          break;
        case HVM_PARAM.STORE_PFN:
          storeGfn = gfn;
          clearPage(restore, gfn);
          break;
        case HVM_PARAM.IOREQ_PFN:
        case HVM_PARAM.BUFIOREQ_PFN:
          clearPage(restore, gfn);
          break;
        case PAE_ENABLED:
          continue;
      }
      const set = restore.os.hyper.paging.setHvmParam(restore.domid, Number(index), value);
      yield CALL_NS;
      if (!set.ok) return { path: 'params', reason: `set HVM param ${index} = 0x${value.toString(16)}: ${set.errno}` };
    }
    return undefined;
  }

  return {
    type: DOMAIN_TYPE.HVM,
    isValid: () => true,
    *record(restore, record): Actor<Handled> {
      switch (record.kind) {
        case 'X86_TSC_INFO':
          return setTsc(restore, record);
        case 'HVM_CONTEXT':
          context = record.context;
          return undefined;
        case 'HVM_PARAMS':
          return yield* params(restore, record);
        case 'X86_CPUID_POLICY':
        case 'X86_MSR_POLICY':
          return policyFailure(record);
        default:
          return 'not mine';
      }
    },
    *complete(restore): Actor<Restored | RestoreFailure> {
      const { paging } = restore.os.hyper;
      const { ports } = restore.request;
      if (!paging.setHvmParam(restore.domid, HVM_PARAM.STORE_EVTCHN, BigInt(ports.store)).ok)
        return { reason: 'Failed to set HVM_PARAM_STORE_EVTCHN' };
      if (!paging.setHvmParam(restore.domid, HVM_PARAM.CONSOLE_EVTCHN, BigInt(ports.console)).ok)
        return { reason: 'Failed to set HVM_PARAM_CONSOLE_EVTCHN' };
      yield 2 * CALL_NS;
      const set = paging.setHvmContext(restore.domid, context ?? new Uint8Array(0));
      yield CONTEXT_NS;
      if (!set.ok) return { reason: 'Unable to restore HVM context' };
      const program = restore.os.machine.domain(restore.domid)?.program ?? '';
      return (
        (yield* seedGrants(restore, storeGfn, consoleGfn)) ?? { storeGfn, consoleGfn, hasThreads: set.value, program }
      );
    },
  };
}
