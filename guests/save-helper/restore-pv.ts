import { type Actor, decodeContext, type Gfn, PAGE_BYTES, PAGE_TYPE } from '../../sim/index.ts';
import type { LibxcRecord } from '../../store/format/enclosing/layouts.ts';
import { DOMAIN_TYPE } from '../../store/format/enclosing/leaving.ts';
import { CALL_NS, CONTEXT_NS } from './costs.ts';
import { disconnectConsole, policyFailure, seedGrants, setTsc } from './restore-common.ts';
import type { Handled, RestoreContext, Restored, RestoreFailure, RestorerOps } from './restore-context.ts';

/** More pages than any PV guest's list has room for. */
const PFN_MAX = 2 ** 40;
const VCPUS_MAX = 8192;

/** Guests that keep the list of their pages themselves. Source: tools/libs/guest/xg_sr_restore_x86_pv.c. */
export function pvRestorer(): RestorerOps {
  let info: { readonly width: number } | undefined;
  let maxPfn = -1;
  const basic = new Map<number, Uint8Array>();

  function frames(
    { start, end, frames: list }: Extract<LibxcRecord, { kind: 'X86_PV_P2M_FRAMES' }>,
    width: number,
  ): RestoreFailure | undefined {
    if (start > end)
      return {
        path: 'end',
        reason: `End pfn in stream (0x${end.toString(16)}) exceeds Start (0x${start.toString(16)})`,
      };
    const perFrame = PAGE_BYTES / width;
    const count = Math.floor(end / perFrame) - Math.floor(start / perFrame) + 1;
    if (list.length !== count * 8 || end > PFN_MAX)
      return {
        path: 'frames',
        reason: `X86_PV_P2M_FRAMES record wrong size: ${list.length} octets for ${count} frames`,
      };
    maxPfn = end;
    return undefined;
  }

  return {
    type: DOMAIN_TYPE.PV,
    isValid: (gfn) => gfn <= maxPfn,
    *record(restore, record): Actor<Handled> {
      switch (record.kind) {
        case 'X86_PV_INFO':
          if (info !== undefined) return { reason: 'Already received X86_PV_INFO record' };
          if (!(record.width === 8 && record.levels === 4) && !(record.width === 4 && record.levels === 3))
            return { reason: `Invalid X86_PV_INFO combination: width ${record.width}, pt_levels ${record.levels}` };
          info = record;
          return undefined;
        case 'X86_PV_P2M_FRAMES': {
          const missing = yield* restore.needsStaticData();
          if (missing !== undefined) return missing;
          return info === undefined ? NO_INFO : frames(record, info.width);
        }
        case 'X86_PV_VCPU_BASIC':
        case 'X86_PV_VCPU_EXTENDED':
        case 'X86_PV_VCPU_XSAVE':
        case 'X86_PV_VCPU_MSRS':
          if (info === undefined) return NO_INFO;
          if (record.vcpu >= VCPUS_MAX)
            return { path: 'vcpu', reason: `${record.kind} record vcpu_id (${record.vcpu}) exceeds domain max` };
          if (record.kind === 'X86_PV_VCPU_BASIC') basic.set(record.vcpu, record.context);
          return undefined;
        case 'SHARED_INFO':
          if (info === undefined) return NO_INFO;
          if (record.page.length !== PAGE_BYTES)
            return { path: 'page', reason: `X86_PV_SHARED_INFO record wrong size: length ${record.page.length}` };
          if (restore.request.isUnnoticed !== true) restore.os.hyper.paging.clearSharedInfo(restore.domid); // SUS-6
          yield CALL_NS;
          return undefined;
        case 'X86_TSC_INFO':
          return setTsc(restore, record);
        case 'X86_CPUID_POLICY':
        case 'X86_MSR_POLICY':
          return policyFailure(record);
        default:
          return 'not mine';
      }
    },
    *complete(restore): Actor<Restored | RestoreFailure> {
      const octets = basic.get(0);
      if (octets === undefined) return { reason: "Sender didn't send vcpu0's basic state" };
      const { paging } = restore.os.hyper;
      const set = paging.setVcpuContext(restore.domid, octets);
      yield CONTEXT_NS;
      if (!set.ok) return { reason: "Failed to set vcpu0's basic info" };
      const { storeGfn, consoleGfn, program } = decodeContext(octets);
      for (const [what, gfn] of [
        ['XenStore', storeGfn],
        ['Console', consoleGfn],
      ] as const)
        if (gfn !== 0 && !isPage(restore, gfn)) return { reason: `${what} pfn has bad mfn` };
      const { store, console } = restore.request.ports;
      if (consoleGfn !== 0) disconnectConsole(restore, consoleGfn);
      const withConsole = consoleGfn === 0 ? {} : { console: { gfn: consoleGfn, port: console } };
      paging.setStartInfo(restore.domid, { storeGfn, storePort: store, ...withConsole });
      yield CALL_NS;
      return (
        (yield* seedGrants(restore, storeGfn, consoleGfn)) ?? { storeGfn, consoleGfn, hasThreads: set.value, program }
      );
    },
  };
}

const NO_INFO: RestoreFailure = { reason: 'Not yet received X86_PV_INFO record' };

function isPage(restore: RestoreContext, gfn: Gfn): boolean {
  return restore.types.get(gfn) === PAGE_TYPE.NOTAB;
}
