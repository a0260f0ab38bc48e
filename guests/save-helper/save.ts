import {
  type Actor,
  type DirtyPages,
  type Gfn,
  PAGE_BYTES,
  SHUTDOWN_REASONS,
  XEN_DOMINF_hvm_guest,
  XEN_DOMINF_shutdown,
  XEN_DOMINF_shutdownshift,
} from '../../sim/index.ts';
import { libxcHeaderOctets } from '../../store/format/enclosing/leaving.ts';
import type { GuestOs } from '../kernel/index.ts';
import { CALL_NS, CLEAN_NS, CLEAN_PAGE_NS } from './costs.ts';
import { simplePolicy } from './precopy.ts';
import type { Helper } from './process.ts';
import { BATCH_PAGES, batchRecord } from './save-batch.ts';
import { type Failure, type Pass, SaveContext, type SaveRequest, type SaverOps, Unwritten } from './save-context.ts';
import { hvmSaver } from './save-hvm.ts';
import { pvSaver } from './save-pv.ts';

const SUSPEND = SHUTDOWN_REASONS.indexOf('suspend');

/**
 * V, `libxl-save-helper --save-domain`: writes a libxc image of the domain. `undefined`: it is written. A failure is found in
 * the text; log-dirty is off then, which it is not if V is killed (XM-3).
 * Source: xc_domain_save, save in tools/libs/guest/xg_sr_save.c.
 */
export function* saveDomain(helper: Helper<Failure>, os: GuestOs, request: SaveRequest): Actor<Failure> {
  const info = os.hyper.domctl.getDomainInfo(request.domid);
  yield CALL_NS;
  if (!info.ok) return 'Failed to get domain info';
  const ops = (info.value.flags & XEN_DOMINF_hvm_guest) === 0 ? pvSaver() : hvmSaver();
  const save = new Save(new SaveContext(helper, os, request, ops.type), ops);
  const failure = yield* written(save);
  yield* save.cleanUp();
  return failure;
}

function* written(save: Save): Actor<Failure> {
  try {
    return yield* save.run();
  } catch (error) {
    if (error instanceof Unwritten) return 'Unable to write record to stream';
    throw error;
  }
}

/** The parts of a save in their order. */
class Save {
  readonly #save: SaveContext;
  readonly #ops: SaverOps;

  constructor(save: SaveContext, ops: SaverOps) {
    this.#save = save;
    this.#ops = ops;
  }

  *run(): Actor<Failure> {
    const { request } = this.#save;
    yield* this.#save.step('setup');
    let failure = yield* this.#ops.setup(this.#save);
    if (failure !== undefined) return failure;
    yield* this.#save.step('headers');
    yield* this.#save.write(libxcHeaderOctets(this.#ops.type, request.xen));
    yield* this.#save.step('static data');
    failure = yield* this.#ops.staticData(this.#save);
    if (failure !== undefined) return failure;
    yield* this.#save.record({ kind: 'STATIC_DATA_END' });
    failure = yield* this.#ops.startOfStream(this.#save);
    if (failure !== undefined) return failure;
    do {
      failure = this.#ops.check(this.#save) ?? (yield* this.#memory());
      if (failure !== undefined) return failure;
      yield* this.#save.step('contexts');
      failure = yield* this.#ops.endOfCheckpoint(this.#save);
      if (failure !== undefined) return failure;
      if (request.checkpointed === true) {
        failure = yield* this.#checkpoint();
        if (failure !== undefined) return failure;
      }
    } while (request.checkpointed === true);
    yield* this.#save.step('end');
    yield* this.#save.record({ kind: 'END' });
    return undefined;
  }

  *cleanUp(): Actor {
    yield* this.#save.step('clean up');
    this.#save.os.hyper.paging.logDirty(this.#save.domid, 'off');
    yield CALL_NS;
    yield* this.#ops.cleanUp(this.#save);
  }

  /** All of the guest's memory, and the guest parked. */
  *#memory(): Actor<Failure> {
    if (this.#save.isLive) {
      yield* this.#save.step('log-dirty');
      return (
        this.#enableLogDirty() ??
        (yield* this.#passes()) ??
        (yield* this.#suspendAndSendDirty()) ??
        (yield* this.#verify())
      );
    }
    if (this.#save.request.checkpointed === true) return yield* this.#suspendAndSendDirty();
    const failure = yield* this.#suspend();
    if (failure !== undefined) return failure;
    yield* this.#save.step('final set');
    const sent = yield* this.#send(this.#all());
    if (typeof sent === 'string') return sent;
    this.#save.stats.setFinal(sent);
    return undefined;
  }

  /** Found on: it was left so by one who was killed, or somebody watches the screen's pages; off and on again (XM-3). */
  #enableLogDirty(): Failure {
    const { paging } = this.#save.os.hyper;
    if (paging.logDirty(this.#save.domid, 'enable').ok) return undefined;
    const isOff = paging.logDirty(this.#save.domid, 'off').ok;
    return isOff && paging.logDirty(this.#save.domid, 'enable').ok ? undefined : 'Failed to enable logdirty';
  }

  /** PC-1, PC-2. Source: send_memory_live. */
  *#passes(): Actor<Failure> {
    const { stats } = this.#save;
    const policy = this.#save.request.policy ?? simplePolicy;
    let toSend: readonly Gfn[] = this.#all();
    let iteration = 0;
    let totalWritten = 0;
    for (let passes = 1; ; passes++) {
      let decision = policy({ iteration, totalWritten, dirtyCount: toSend.length });
      if (toSend.length > 0 && decision !== 'abort') {
        yield* this.#save.step('pass');
        const sent = yield* this.#send(toSend);
        if (typeof sent === 'string') return sent;
        stats.addPass(sent);
      }
      if (decision === 'abort') return 'Abort precopy loop';
      if (decision === 'stop-and-copy') return undefined;
      iteration = passes;
      totalWritten += toSend.length;
      decision = policy({ iteration, totalWritten, dirtyCount: -1 });
      if (decision === 'abort') return 'Abort precopy loop';
      if (decision === 'stop-and-copy') return undefined;
      yield* this.#save.step('look');
      const found = yield* this.#clean(false);
      if (found === undefined) return 'Failed to retrieve logdirty bitmap';
      stats.dirty.push(found.count);
      toSend = found.gfns;
    }
  }

  /** PC-3. Source: suspend_and_send_dirty. */
  *#suspendAndSendDirty(): Actor<Failure> {
    const failure = yield* this.#suspend();
    if (failure !== undefined) return failure;
    yield* this.#save.step('final look');
    const found = yield* this.#clean(true);
    if (found === undefined) return 'Failed to retrieve logdirty bitmap';
    yield* this.#save.step('final set');
    this.#save.stats.deferred = this.#save.deferred.size;
    const toSend = [...new Set([...found.gfns, ...this.#save.deferred])].sort((a, b) => a - b);
    this.#save.isLive = false;
    const sent = yield* this.#send(toSend);
    if (typeof sent === 'string') return sent;
    this.#save.stats.setFinal(sent);
    this.#save.deferred.clear();
    return undefined;
  }

  *#suspend(): Actor<Failure> {
    yield* this.#save.step('suspend');
    if ((yield* this.#save.ask('suspend')) === 0) return 'save callback suspend() failed: 0';
    const info = this.#save.os.hyper.domctl.getDomainInfo(this.#save.domid);
    yield CALL_NS;
    if (!info.ok) return 'Unable to refresh domain information';
    const { flags } = info.value;
    const code = flags >>> XEN_DOMINF_shutdownshift;
    if ((flags & XEN_DOMINF_shutdown) === 0 || code !== SUSPEND)
      return `Domain has not been suspended: shutdown ${flags & XEN_DOMINF_shutdown}, reason ${code}`;
    this.#save.stats.parkedNs = this.#save.os.machine.nowNs;
    this.#measure();
    return undefined;
  }

  /** In life a guest has all its pages from the start, and its kernel hands them out; here it gets them as it asks for them, and what it
   *  asked for since V looked is to be sent as well. A PV guest's list is long enough. */
  #measure(): void {
    const max = this.#save.os.hyper.paging.maximumGfn(this.#save.domid);
    if (this.#save.isHvm && max.ok) this.#save.p2mSize = Math.max(this.#save.p2mSize, max.value + 1);
  }

  /** `--debug`, and of a plain stream alone. Source: verify_frames. */
  *#verify(): Actor<Failure> {
    if (this.#save.request.debug !== true || this.#save.request.checkpointed === true) return undefined;
    yield* this.#save.step('verify');
    yield* this.#save.record({ kind: 'VERIFY' });
    const sent = yield* this.#send(this.#all());
    if (typeof sent === 'string') return sent;
    this.#save.stats.verified = sent;
    const look = this.#save.os.hyper.paging.logDirty(this.#save.domid, 'peek');
    yield CLEAN_NS;
    return look.ok ? undefined : 'Failed to retrieve logdirty bitmap';
  }

  *#checkpoint(): Actor<Failure> {
    this.#save.isLive = false;
    yield* this.#save.step('checkpoint');
    yield* this.#save.record({ kind: 'CHECKPOINT' });
    if ((yield* this.#save.ask('postcopy')) <= 0) return 'the guest was not resumed after a checkpoint';
    this.#save.stats.checkpoints++;
    return (yield* this.#save.ask('checkpoint')) <= 0 ? 'no further checkpoint is wanted' : undefined;
  }

  *#clean(isFinal: boolean): Actor<DirtyPages | undefined> {
    const found = this.#save.os.hyper.paging.logDirty(this.#save.domid, 'clean', isFinal);
    yield CLEAN_NS + CLEAN_PAGE_NS * this.#save.p2mSize;
    return found.ok ? found.value : undefined;
  }

  #all(): Gfn[] {
    return Array.from({ length: this.#save.p2mSize }, (_, gfn) => gfn);
  }

  /** Batch after batch. Source: send_dirty_pages. */
  *#send(gfns: readonly Gfn[]): Actor<Pass | string> {
    const fromNs = this.#save.os.machine.nowNs;
    const before = this.#save.stats.octets;
    let withData = 0;
    for (let at = 0; at < gfns.length; at += BATCH_PAGES) {
      const batch = yield* batchRecord(this.#save, gfns.slice(at, at + BATCH_PAGES));
      if (typeof batch === 'string') return batch;
      withData += batch.pages.length / PAGE_BYTES;
      yield* this.#save.record(batch);
    }
    const failure = this.#ops.check(this.#save);
    const toNs = this.#save.os.machine.nowNs;
    return failure ?? { pages: gfns.length, withData, octets: this.#save.stats.octets - before, fromNs, toNs };
  }
}
