import type { Actor, Domain, OctetReader, Port } from '../../sim/index.ts';
import { arrivingLibxl } from '../../store/format/enclosing/arriving.ts';
import { GUEST_PLATFORM, type LibxlRecord, XENSTORE_IMAGE } from '../../store/format/enclosing/layouts.ts';
import {
  CHECKPOINT_FAILOVER,
  CHECKPOINT_SUCCESS,
  Helper,
  nextOf,
  type Restored,
  type RestoreFailure,
  type RestoreQuestion,
  type RestoreResult,
  RestoreStats,
  type RestoreStep,
  restoreDomain,
} from '../save-helper/index.ts';
import type { BuiltDomain, Daemons } from './build.ts';
import type { Call } from './call.ts';
import type { DomainType } from './domain-config.ts';
import { parsePairs, writePairs } from './emulator-data.ts';

export interface RestoreStreamOptions {
  readonly type: DomainType;
  readonly ports: { readonly store: Port; readonly console: Port };
  readonly daemons: Daemons;
  /** The stream may end at any time; what its last whole checkpoint had is restored then. */
  readonly checkpointed?: boolean;
  /** [sim] The guest is not to notice: special pages stay as they were sent, no reserved grant is made, and records that no
   *  release knows may come (NC-3). */
  readonly isUnnoticed?: boolean;
  readonly helper?: (helper: Helper<RestoreResult>) => void;
  readonly dies?: (step: RestoreStep) => boolean;
}

export interface RestoreEnd {
  readonly rc: 0 | 'failed';
  /** Where the stream was not what it should be: octets from its first one. */
  readonly failure: RestoreFailure | undefined;
  /** Ring pages and ports as the daemons are to find them; what a build leaves of a new domain. */
  readonly built: BuiltDomain | undefined;
  readonly restored: Restored | undefined;
  /** HVM: for the device model. */
  readonly emulatorContext: Uint8Array | undefined;
  /** Of a guest that is not to notice: its part of the store, and its ports and grants, as they were sent. */
  readonly image: Uint8Array | undefined;
  readonly platform: Uint8Array | undefined;
  readonly stats: RestoreStats;
  /** Of the whole stream that were read. */
  readonly octets: number;
}

const BIG_ENDIAN = 1;

/**
 * A libxl stream into a new, paused domain that has a tree and its two ports, and no page yet: DE7 to DE9. Whoever called it
 * destroys what a failure leaves. The caller has the process' lock, which others may have while it waits.
 * Source: tools/libs/light/libxl_stream_read.c, libxl_save_callout.c.
 */
export function* restoreStream(
  call: Call,
  heir: Domain,
  from: OctetReader,
  options: RestoreStreamOptions,
): Actor<RestoreEnd> {
  const restoring = new Restoring(call, heir, from, options);
  return yield* restoring.run();
}

class Restoring {
  readonly #call: Call;
  readonly #heir: Domain;
  readonly #from: OctetReader;
  readonly #options: RestoreStreamOptions;
  readonly #stream = arrivingLibxl();
  readonly #stats = new RestoreStats();
  #restored: Restored | undefined;
  #emulatorContext: Uint8Array | undefined;
  #image: Uint8Array | undefined;
  #platform: Uint8Array | undefined;

  constructor(call: Call, heir: Domain, from: OctetReader, options: RestoreStreamOptions) {
    this.#call = call;
    this.#heir = heir;
    this.#from = from;
    this.#options = options;
  }

  *run(): Actor<RestoreEnd> {
    const failure = yield* this.#records('END');
    const { ports } = this.#options;
    const built = failure === undefined ? this.#built(ports) : undefined;
    return {
      rc: built === undefined ? 'failed' : 0,
      failure: failure ?? (built === undefined ? { reason: 'no libxc image' } : undefined),
      built,
      restored: this.#restored,
      emulatorContext: this.#emulatorContext,
      image: this.#image,
      platform: this.#platform,
      stats: this.#stats,
      octets: this.#stream.taken + this.#inner,
    };
  }

  /** Octets that W has taken of the stream. */
  get #inner(): number {
    return this.#stats.octets;
  }

  #built(ports: RestoreStreamOptions['ports']): BuiltDomain | undefined {
    if (this.#restored === undefined) return undefined;
    const { storeGfn, consoleGfn } = this.#restored;
    const { memory } = this.#heir;
    const ring = memory.frame(storeGfn);
    const console = memory.frame(consoleGfn);
    if (ring === undefined) return undefined;
    const built = { domain: this.#heir, ring, port: ports.store };
    return console === undefined ? built : { ...built, console: { ring: console, port: ports.console } };
  }

  /** Up to a record of that kind. `undefined`: it has come. */
  *#records(until: 'END' | 'CHECKPOINT_END'): Actor<RestoreFailure | undefined> {
    for (;;) {
      this.#call.leave();
      const next = yield* nextOf(this.#from, this.#stream);
      yield* this.#call.enter();
      if ('reason' in next) return { ...next, offset: next.offset + this.#inner };
      const { header, record } = next;
      if (header !== undefined) {
        if ((header.options & BIG_ENDIAN) !== 0)
          return { offset: next.offset, record: -1, path: 'options', reason: 'Unable to handle big endian streams' };
        continue;
      }
      if (record.kind === until) return undefined;
      const failure = record.kind === 'UNKNOWN' ? unrecognised(record.type) : yield* this.#take(record);
      if (failure === undefined && record.kind === 'LIBXC_CONTEXT' && this.#stats.hasFailedOver) return undefined;
      if (failure !== undefined) return { offset: next.offset + this.#inner, ...failure };
    }
  }

  /** Source: process_record. */
  *#take(record: LibxlRecord): Actor<RestoreFailure | undefined> {
    const isHvm = this.#options.type === 'hvm';
    switch (record.kind) {
      case 'LIBXC_CONTEXT':
        return yield* this.#helper();
      case 'EMULATOR_XENSTORE_DATA': {
        if (!isHvm) return { reason: 'Received a xenstore emulator record when none was expected' };
        const pairs = parsePairs(record.pairs);
        if ('reason' in pairs) return { path: 'pairs', ...pairs };
        const isWritten = yield* writePairs(this.#call, this.#heir.domid, pairs);
        return isWritten ? undefined : { reason: 'cannot write the emulator’s nodes' };
      }
      case 'EMULATOR_CONTEXT':
        if (!isHvm) return { reason: 'Received an emulator context record when none was expected' };
        this.#emulatorContext = record.context;
        return undefined;
      case 'END':
      case 'CHECKPOINT_END':
      case 'CHECKPOINT_STATE':
        return { reason: `Unexpected ${record.kind} record in stream` };
      case 'XENSTORE_IMAGE':
        this.#image = record.image;
        return this.#options.isUnnoticed === true ? undefined : unrecognised(XENSTORE_IMAGE);
      case 'GUEST_PLATFORM':
        this.#platform = record.blob;
        return this.#options.isUnnoticed === true ? undefined : unrecognised(GUEST_PLATFORM);
    }
  }

  /** W, from its start to its end. */
  *#helper(): Actor<RestoreFailure | undefined> {
    if (this.#restored !== undefined) return { reason: 'a second libxc image' };
    const { os } = this.#call.xl;
    const { type, ports, daemons, checkpointed = false, isUnnoticed = false, dies } = this.#options;
    const base = this.#stream.taken;
    const name = this.#call.xl.actorName(this.#call.me, 'restore-helper');
    const helper = Helper.start<RestoreResult>(os, this.#call.me, name, (w) =>
      restoreDomain(w, os, {
        domid: this.#heir.domid,
        from: this.#from,
        isHvm: type !== 'pv',
        ports,
        ...daemons,
        checkpointed,
        isUnnoticed,
        ...(dies !== undefined && { dies }),
        stats: this.#stats,
      }),
    );
    this.#options.helper?.(helper);
    for (;;) {
      this.#call.leave();
      const news = yield* helper.news();
      yield* this.#call.enter();
      if (news.kind === 'asks') {
        news.answer(yield* this.#answer(news.what as RestoreQuestion));
        continue;
      }
      if (news.kind === 'killed') return { reason: `the restore helper died: ${news.by}` };
      if (news.value.ok) {
        this.#restored = news.value.value;
        return undefined;
      }
      const { failure } = news.value;
      // Where it stands in this stream; the one who reports it adds what the record before had.
      return failure.offset === undefined ? failure : { ...failure, offset: base + failure.offset };
    }
  }

  /** 'checkpoint': the emulators' records up to CHECKPOINT_END are libxl's, and then the stream is W's again. */
  *#answer(question: RestoreQuestion): Actor<number> {
    if (question === 'static-data-done') return 0;
    const failure = yield* this.#records('CHECKPOINT_END');
    return failure === undefined ? CHECKPOINT_SUCCESS : CHECKPOINT_FAILOVER;
  }
}

function unrecognised(type: number): RestoreFailure {
  return { reason: `Unrecognised record 0x${type.toString(16).padStart(8, '0')}` };
}
