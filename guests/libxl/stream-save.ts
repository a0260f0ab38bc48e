import type { Actor, OctetWriter } from '../../sim/index.ts';
import type { LibxlRecord } from '../../store/format/enclosing/layouts.ts';
import { libxlHeaderOctets, libxlRecordOctets } from '../../store/format/enclosing/leaving.ts';
import {
  type Failure,
  Helper,
  type PrecopyPolicy,
  type SaveQuestion,
  SaveStats,
  type SaveStep,
  saveDomain,
} from '../save-helper/index.ts';
import type { Call } from './call.ts';
import type { DomainType } from './domain-config.ts';
import { physmapPairs } from './emulator-data.ts';

/** The device model that libxl runs. Source: EMULATOR_QEMU_UPSTREAM in libxl_sr_stream_format.h. */
export const QEMU_UPSTREAM = 2;
/** What CHECKPOINTs of a stream are at least apart. Source: xl remus -i, 200 ms. */
export const REMUS_INTERVAL_NS = 200_000_000;

export interface SaveStreamOptions {
  readonly type: DomainType;
  readonly live: boolean;
  /** Written to a file, where a failed write is an error of V and not its death. */
  readonly isFile?: boolean;
  readonly debug?: boolean;
  readonly policy?: PrecopyPolicy;
  /** Have the guest suspend itself; true: it has. Done by whoever saves, not by V. */
  readonly askSuspend: () => Actor<boolean>;
  /** The guest has taken the request: without that a failure of V counts as no answer of the guest (SRC-6). Left out: it has once
   *  `askSuspend` was true. */
  readonly hasResponded?: () => boolean;
  /** HVM: what the device model saved of itself once the guest was parked. */
  readonly emulatorContext?: () => Uint8Array;
  /** [sim] Of a guest that is not to notice: asked once V has ended; sent behind the image, for a receiver that knows them. */
  readonly unnoticed?: () => { readonly image: Uint8Array; readonly platform: Uint8Array };
  /** Remus: let the guest go on after each checkpoint; false: it could not be. */
  readonly checkpointed?: {
    readonly resume: () => Actor<boolean>;
    readonly intervalNs?: number;
    /** False: this was the last one. */
    readonly goesOn?: () => boolean;
  };
  /** Asked before V starts, before it is answered about the suspend, and when it has ended: whether libxl's own process is killed
   *  there. V goes on without it until it has a question (FP-20). */
  readonly parentDies?: (step: 'SO6' | 'SO7' | 'SO12') => boolean;
  readonly onPass?: SaveStats['onPass'];
  /** Told of V as soon as it is there, so that it can be killed. */
  readonly helper?: (helper: Helper<Failure>) => void;
  /** Asked at each step of V: whether it is killed there. */
  readonly dies?: (step: SaveStep) => boolean;
}

export interface SaveEnd {
  /** 'killed': V died of a signal. 'guest timed out': V failed, and the guest has not answered, as far as libxl knows (SRC-6). */
  readonly rc: 0 | 'killed' | 'guest timed out' | 'failed' | 'parent killed';
  readonly reason: string;
  readonly stats: SaveStats;
}

/** Which Xen writes: the newest that there is here. */
const XEN = { major: 4, minor: 22 } as const;

/**
 * A libxl stream of a domain, with the libxc image that V writes into it: SO6 to SO12. The caller has the process' lock, which
 * others may have while it waits for V.
 * Source: tools/libs/light/libxl_dom_save.c, libxl_stream_write.c, libxl_save_callout.c.
 */
export function* saveStream(call: Call, domid: number, to: OctetWriter, options: SaveStreamOptions): Actor<SaveEnd> {
  const saving = new Saving(call, domid, to, options);
  return yield* saving.run();
}

class Saving {
  readonly #call: Call;
  readonly #domid: number;
  readonly #to: OctetWriter;
  readonly #options: SaveStreamOptions;
  readonly #stats = new SaveStats();
  #hasAnswered = false;
  #isBroken = false;

  constructor(call: Call, domid: number, to: OctetWriter, options: SaveStreamOptions) {
    this.#call = call;
    this.#domid = domid;
    this.#to = to;
    this.#options = options;
  }

  *run(): Actor<SaveEnd> {
    yield* this.#write(libxlHeaderOctets());
    yield* this.#record({ kind: 'LIBXC_CONTEXT' });
    if (this.#isBroken) return this.#end('failed', 'cannot write the stream header');
    const { checkpointed } = this.#options;
    const failure = yield* this.#helper();
    if (failure !== undefined) return failure;
    if (this.#options.parentDies?.('SO12') === true) return this.#end('parent killed', '');
    if (checkpointed !== undefined) return this.#end(0, ''); // what ended it was said when it did
    const unnoticed = this.#options.unnoticed?.();
    if (unnoticed !== undefined) {
      yield* this.#record({ kind: 'XENSTORE_IMAGE', image: unnoticed.image });
      yield* this.#record({ kind: 'GUEST_PLATFORM', blob: unnoticed.platform });
    }
    yield* this.#emulator();
    yield* this.#record({ kind: 'END' });
    return this.#isBroken ? this.#end('failed', 'cannot write the end of the stream') : this.#end(0, '');
  }

  #end(rc: SaveEnd['rc'], reason: string): SaveEnd {
    return { rc, reason, stats: this.#stats };
  }

  *#write(octets: Uint8Array): Actor {
    if (this.#isBroken) return;
    this.#call.leave();
    this.#isBroken = (yield* this.#to.write(octets)) === 'broken';
    yield* this.#call.enter();
  }

  *#record(record: LibxlRecord): Actor {
    yield* this.#write(libxlRecordOctets(record));
  }

  /** V, from its start to its end. */
  *#helper(): Actor<SaveEnd | undefined> {
    const { os } = this.#call.xl;
    const { live, isFile = false, debug = false, policy, checkpointed, dies } = this.#options;
    const name = this.#call.xl.actorName(this.#call.me, 'save-helper');
    const helper = Helper.start<Failure>(os, this.#call.me, name, (v) =>
      saveDomain(v, os, {
        domid: this.#domid,
        to: this.#to,
        isFile,
        live,
        debug,
        checkpointed: checkpointed !== undefined,
        ...(policy !== undefined && { policy }),
        ...(dies !== undefined && { dies }),
        xen: XEN,
        stats: this.#stats,
      }),
    );
    this.#options.helper?.(helper);
    this.#stats.onPass = this.#options.onPass;
    if (this.#options.parentDies?.('SO6') === true) return this.#killed(helper);
    for (;;) {
      this.#call.leave();
      const news = yield* helper.news();
      yield* this.#call.enter();
      if (news.kind === 'asks') {
        if (news.what === 'suspend' && this.#options.parentDies?.('SO7') === true) return this.#killed(helper);
        news.answer(yield* this.#answer(news.what as SaveQuestion));
        continue;
      }
      if (news.kind === 'killed') return this.#end('killed', `the save helper died: ${news.by}`);
      if (news.value === undefined) return undefined;
      const hasResponded = this.#options.hasResponded?.() ?? this.#hasAnswered;
      return this.#end(hasResponded ? 'failed' : 'guest timed out', news.value);
    }
  }

  #killed(helper: Helper<Failure>): SaveEnd {
    helper.orphan();
    return this.#end('parent killed', '');
  }

  /** As libxl's callbacks do: 1 is yes, but for QEMU, whose 0 is success. */
  *#answer(question: SaveQuestion): Actor<number> {
    switch (question) {
      case 'suspend':
        this.#hasAnswered = yield* this.#options.askSuspend();
        return this.#hasAnswered ? 1 : 0;
      case 'qemu-log-dirty-on':
      case 'qemu-log-dirty-off':
        if (this.#options.type === 'hvm') yield* this.#call.read(`/libxl/${this.#domid}/dm-version`);
        return 0;
      case 'postcopy':
        return (yield* this.#options.checkpointed!.resume()) ? 1 : 0;
      case 'checkpoint':
        return yield* this.#checkpoint();
    }
  }

  /** SO8's result, and what QEMU keeps in the store: SO12. */
  *#emulator(): Actor {
    if (this.#options.type !== 'hvm') return;
    const emulator = { emulatorId: QEMU_UPSTREAM, index: 0 } as const;
    const pairs = yield* physmapPairs(this.#call, this.#domid);
    if (pairs.length > 0) yield* this.#record({ kind: 'EMULATOR_XENSTORE_DATA', ...emulator, pairs });
    const context = this.#options.emulatorContext?.() ?? new Uint8Array(0);
    yield* this.#record({ kind: 'EMULATOR_CONTEXT', ...emulator, context });
  }

  /** The rest of a checkpoint, and the pause to the next one. Source: libxl_remus.c, remus_checkpoint_stream_written. */
  *#checkpoint(): Actor<number> {
    const { intervalNs = REMUS_INTERVAL_NS, goesOn } = this.#options.checkpointed!;
    yield* this.#emulator();
    yield* this.#record({ kind: 'CHECKPOINT_END' });
    if (this.#isBroken || goesOn?.() === false) return 0;
    this.#call.leave();
    yield intervalNs;
    yield* this.#call.enter();
    return 1;
  }
}
