import { type Actor, PAGE_BYTES } from '../../sim/index.ts';
import { DOMAIN_TYPE } from '../../store/format/enclosing/leaving.ts';
import { CALL_NS, CONTEXT_NS } from './costs.ts';
import { policyRecords, tscRecord } from './save-common.ts';
import type { Failure, SaveContext, SaverOps } from './save-context.ts';

/** A 64 bit guest with four levels of page tables. */
const WIDTH = 8;
const LEVELS = 4;
/** Entries of the guest's list of its pages that one page holds. */
const PFNS_PER_FRAME = PAGE_BYTES / WIDTH;
/** struct xen_domctl_ext_vcpucontext, x86, 64 bit. */
const EXTENDED_BYTES = 128;

/** Entries of a page of a guest's list. */
const LIST_ENTRIES = 512;

/** Entries of the list of a guest with so many pages: its kernel has made it, in whole pages, for more than it has now. What it
 *  allocates while it is on its way must have a place in it. */
function listSize(pages: number): number {
  return (Math.ceil(pages / LIST_ENTRIES) + 1) * LIST_ENTRIES;
}

/** Guests that keep the list of their pages themselves. Source: tools/libs/guest/xg_sr_save_x86_pv.c. */
export function pvSaver(): SaverOps {
  let generation = 0;
  return {
    type: DOMAIN_TYPE.PV,
    *setup(save): Actor<Failure> {
      const max = save.os.hyper.paging.maximumGfn(save.domid);
      const found = save.os.hyper.paging.p2mGeneration(save.domid);
      yield CALL_NS;
      if (!max.ok || !found.ok) return 'Failed to map p2m frames';
      save.p2mSize = listSize(max.value + 1);
      save.lastPage = max.value;
      generation = found.value;
      return undefined;
    },
    *staticData(save): Actor<Failure> {
      yield* save.record({ kind: 'X86_PV_INFO', width: WIDTH, levels: LEVELS });
      return yield* policyRecords(save);
    },
    startOfStream: framesRecord,
    check(save) {
      const now = save.os.hyper.paging.p2mGeneration(save.domid);
      return now.ok && now.value === generation ? undefined : 'p2m generation count changed. Migration aborted.';
    },
    *endOfCheckpoint(save): Actor<Failure> {
      return (yield* tscRecord(save)) ?? (yield* sharedInfoRecord(save)) ?? (yield* vcpuRecords(save));
    },
    *cleanUp(): Actor<Failure> {
      return undefined;
    },
  };
}

/**
 * Where the guest's list of its pages is: `frames` of it, one for so many pages. Here no page holds that list; it lies where a
 * guest's kernel does, below all that is handed out.
 */
function* framesRecord(save: SaveContext): Actor<Failure> {
  const end = save.p2mSize - 1;
  const count = Math.floor(end / PFNS_PER_FRAME) + 1;
  const frames = new Uint8Array(count * 8);
  const view = new DataView(frames.buffer);
  for (let i = 0; i < count; i++) view.setBigUint64(i * 8, BigInt(i + 1), true);
  yield* save.record({ kind: 'X86_PV_P2M_FRAMES', start: 0, end, frames });
  return undefined;
}

function* sharedInfoRecord(save: SaveContext): Actor<Failure> {
  const page = save.os.hyper.paging.sharedInfo(save.domid);
  yield CALL_NS;
  if (!page.ok) return 'Failed to map shared info frame';
  yield* save.record({ kind: 'SHARED_INFO', page: page.value });
  return undefined;
}

function* vcpuRecords(save: SaveContext): Actor<Failure> {
  const info = save.os.hyper.domctl.getDomainInfo(save.domid);
  if (!info.ok) return 'Unable to refresh domain information';
  for (let vcpu = 0; vcpu < info.value.onlineVcpus; vcpu++) {
    const context = save.os.hyper.paging.vcpuContext(save.domid, vcpu);
    yield CONTEXT_NS;
    if (!context.ok) return `Failed to get vcpu${vcpu} context`;
    yield* save.record({ kind: 'X86_PV_VCPU_BASIC', vcpu, context: context.value });
    const extended = new Uint8Array(EXTENDED_BYTES);
    const view = new DataView(extended.buffer);
    view.setUint32(0, vcpu, true);
    view.setUint32(4, EXTENDED_BYTES, true);
    yield* save.record({ kind: 'X86_PV_VCPU_EXTENDED', vcpu, context: extended });
  }
  return undefined;
}
