import type { Actor } from '../../sim/index.ts';
import { type Arrived, type ArrivingStream, arrivingLibxc } from '../../store/format/enclosing/arriving.ts';
import type { LibxcRecord } from '../../store/format/enclosing/layouts.ts';
import type { GuestOs } from '../kernel/index.ts';
import { CALL_NS } from './costs.ts';
import { nextOf } from './next-of.ts';
import type { Helper } from './process.ts';
import {
  CHECKPOINT_FAILOVER,
  CHECKPOINT_SUCCESS,
  RestoreContext,
  type RestoreFailure,
  type RestoreQuestion,
  type RestoreRequest,
  type RestoreResult,
  type RestorerOps,
} from './restore-context.ts';
import { hvmRestorer } from './restore-hvm.ts';
import { takePages } from './restore-pages.ts';
import { pvRestorer } from './restore-pv.ts';

type Stream = ReturnType<typeof arrivingLibxc>;
type ItemOf<S> = S extends ArrivingStream<infer H, infer V> ? Arrived<H, V> : never;
type Item = ItemOf<Stream>;
type Come = NonNullable<Item['record']>;

const OPTIONAL = 0x8000_0000;
const BIG_ENDIAN = 1;
const TYPE_NAMES: Readonly<Record<number, string>> = { 1: 'x86 PV', 2: 'x86 HVM' };

/** What a record leads to: an error, the end of what the sender can say, or nothing. */
type Outcome = RestoreFailure | 'broken channel' | undefined;

/**
 * W, `libxl-save-helper --restore-domain`: a libxc image into a new domain, with the special pages and ports as they have to be
 * there. What it cannot take is told with the place in the image. The caller destroys the domain of a restore that failed.
 * Source: xc_domain_restore, restore in tools/libs/guest/xg_sr_restore.c.
 */
export function* restoreDomain(
  helper: Helper<RestoreResult>,
  os: GuestOs,
  request: RestoreRequest,
): Actor<RestoreResult> {
  const restore = new Restore(new RestoreContext(helper, os, request), request.isHvm ? hvmRestorer() : pvRestorer());
  return yield* restore.run();
}

class Restore {
  readonly #restore: RestoreContext;
  readonly #ops: RestorerOps;
  readonly #stream: Stream = arrivingLibxc();
  /** Of a checkpointed stream: what came since the last CHECKPOINT. */
  #buffered: Come[] = [];
  #isBuffering = false;

  constructor(restore: RestoreContext, ops: RestorerOps) {
    this.#restore = restore;
    this.#ops = ops;
  }

  *run(): Actor<RestoreResult> {
    const failed = (yield* this.#headers()) ?? (yield* this.#records());
    this.#restore.stats.octets = this.#stream.taken;
    if (failed !== undefined) return { ok: false, failure: failed };
    yield* this.#restore.step('complete');
    const completed = yield* this.#ops.complete(this.#restore);
    return 'reason' in completed ? { ok: false, failure: completed } : { ok: true, value: completed };
  }

  *#next(): Actor<Item | RestoreFailure> {
    const next = yield* nextOf(this.#restore.request.from, this.#stream);
    this.#restore.stats.octets = this.#stream.taken;
    return next;
  }

  *#headers(): Actor<RestoreFailure | undefined> {
    yield* this.#restore.step('headers');
    for (;;) {
      const next = yield* this.#next();
      if ('reason' in next) return next;
      const { header } = next;
      if (header === undefined) return { reason: 'a record before the headers' };
      if (header.kind === 'LIBXC_HEADER') {
        if (header.version > 3)
          return at(next, 'version', `Invalid Version: Expected 2 <= ver <= 3, Got ${header.version}`);
        if ((header.options & BIG_ENDIAN) !== 0) return at(next, 'options', 'Unable to handle big endian streams');
        this.#restore.version = header.version;
        continue;
      }
      if (header.type === this.#ops.type) return undefined;
      const [found, wanted] = [header.type, this.#ops.type].map((type) => TYPE_NAMES[type] ?? 'Reserved');
      return at(next, 'type', `Unable to restore ${found} domain into an ${wanted} domain`);
    }
  }

  /** To END; of a checkpointed stream, to where the sender breaks off, too. */
  *#records(): Actor<RestoreFailure | undefined> {
    for (;;) {
      yield* this.#restore.step('record');
      const next = yield* this.#next();
      if ('reason' in next) return this.#isBuffering ? this.#failOver() : next;
      const { record } = next;
      if (record === undefined) return { reason: 'a header among the records' };
      this.#restore.stats.records++;
      if (this.#isBuffering && record.kind !== 'END' && record.kind !== 'CHECKPOINT') {
        this.#buffered.push(record);
        continue;
      }
      const outcome = yield* this.#take(record);
      if (outcome === 'broken channel') return this.#failOver();
      if (outcome !== undefined) return { offset: next.offset, record: this.#restore.stats.records - 1, ...outcome };
      if (record.kind === 'END') return undefined;
    }
  }

  #failOver(): undefined {
    this.#restore.stats.hasFailedOver = true;
    return undefined;
  }

  /** Source: process_record. */
  *#take(record: Come): Actor<Outcome> {
    const restore = this.#restore;
    switch (record.kind) {
      case 'END':
        return undefined;
      case 'UNKNOWN': {
        const isOptional = record.type >= OPTIONAL;
        return isOptional ? undefined : { reason: `Mandatory record 0x${record.type.toString(16)} not handled` };
      }
      case 'PAGE_DATA':
        return yield* takePages(restore, this.#ops, record);
      case 'VERIFY':
        restore.isVerifying = true;
        return undefined;
      case 'CHECKPOINT':
        return yield* this.#checkpoint();
      case 'STATIC_DATA_END':
        return yield* restore.staticDataEnd();
      default: {
        yield CALL_NS;
        const handled = yield* this.#ops.record(restore, record as LibxcRecord);
        return handled === 'not mine' ? { reason: `Mandatory record ${record.kind} not handled` } : handled;
      }
    }
  }

  /** Source: handle_checkpoint. */
  *#checkpoint(): Actor<Outcome> {
    const restore = this.#restore;
    if (restore.request.checkpointed !== true) return { reason: 'Found checkpoint in non-checkpointed stream' };
    yield* restore.step('checkpoint');
    const answer = yield* restore.helper.ask('checkpoint' satisfies RestoreQuestion);
    if (answer === CHECKPOINT_FAILOVER && this.#isBuffering) return 'broken channel';
    if (answer !== CHECKPOINT_SUCCESS) return { reason: 'no consistent state to go on from' };
    restore.stats.checkpoints++;
    for (const record of this.#buffered) {
      const outcome = yield* this.#take(record);
      if (outcome !== undefined) return outcome;
    }
    this.#buffered = [];
    this.#isBuffering = true;
    return undefined;
  }
}

function at({ offset }: Item, path: string, reason: string): RestoreFailure {
  return { offset, record: -1, path, reason };
}
