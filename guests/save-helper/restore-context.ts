import type { Actor, Gfn, OctetReader, Port } from '../../sim/index.ts';
import type { LibxcRecord } from '../../store/format/enclosing/layouts.ts';
import type { GuestOs } from '../kernel/index.ts';
import type { Helper } from './process.ts';

/** What W asks R. */
export const RESTORE_QUESTIONS = ['static-data-done', 'checkpoint'] as const;
export type RestoreQuestion = (typeof RESTORE_QUESTIONS)[number];

/** Answers to 'checkpoint': all that belongs to it has come; the sender is gone, go on from the last one; anything else is an error. */
export const CHECKPOINT_SUCCESS = 1;
export const CHECKPOINT_FAILOVER = 2;

/** Where W is, in the order in which it comes there; each may be its last. */
export const RESTORE_STEPS = ['headers', 'record', 'populate', 'copy', 'checkpoint', 'complete'] as const;
export type RestoreStep = (typeof RESTORE_STEPS)[number];

export interface RestoreRequest {
  /** New, paused, without a page of its own yet. */
  readonly domid: number;
  /** Read from alone, and not one octet behind END. */
  readonly from: OctetReader;
  readonly isHvm: boolean;
  readonly ports: { readonly store: Port; readonly console: Port };
  readonly storeDomid: number;
  readonly consoleDomid: number;
  /** Buffer what comes behind the first CHECKPOINT, and go on from the last one if the stream breaks. */
  readonly checkpointed?: boolean;
  /** [sim] Leave special pages as they were sent, and grant nothing (NC-3). */
  readonly isUnnoticed?: boolean;
  /** Asked at each step: whether W is killed there. */
  readonly dies?: (step: RestoreStep) => boolean;
  /** Kept current. */
  readonly stats?: RestoreStats;
}

/** What a restore came to so far. */
export class RestoreStats {
  octets = 0;
  records = 0;
  pages = 0;
  checkpoints = 0;
  /** Pages that were not as the saver had them when it sent all once more (`--debug`). */
  readonly differing: Gfn[] = [];
  verified = 0;
  /** The sender broke off, and the last whole checkpoint was taken. */
  hasFailedOver = false;
}

/** Why an image was not taken: where in it, if it was what it says, and why. */
export interface RestoreFailure {
  /** Octets from the image's first one; absent: it was not the image. */
  readonly offset?: number;
  readonly record?: number;
  readonly path?: string;
  readonly reason: string;
}

/** What the restorer has found of the guest's rings, and of who runs in it. */
export interface Restored {
  readonly storeGfn: Gfn;
  /** 0: none. */
  readonly consoleGfn: Gfn;
  /** Its threads go on when it runs; if not, they are not to be had, and `program` says what it was. */
  readonly hasThreads: boolean;
  readonly program: string;
}

export type RestoreResult =
  | { readonly ok: true; readonly value: Restored }
  | { readonly ok: false; readonly failure: RestoreFailure };

/** `undefined`: go on. 'not mine': nobody of this kind of guest knows the record. */
export type Handled = RestoreFailure | 'not mine' | undefined;

/** What differs between PV and HVM. */
export interface RestorerOps {
  readonly type: number;
  /** Whether a page may be there. */
  isValid(gfn: Gfn): boolean;
  record(restore: RestoreContext, record: LibxcRecord): Actor<Handled>;
  complete(restore: RestoreContext): Actor<Restored | RestoreFailure>;
}

/** One restore under way, as its parts see it. */
export class RestoreContext {
  readonly helper: Helper<RestoreResult>;
  readonly os: GuestOs;
  readonly request: RestoreRequest;
  readonly stats: RestoreStats;
  /** Types of the pages that have come, by gfn. */
  readonly types = new Map<Gfn, number>();
  readonly populated = new Set<Gfn>();
  version = 3;
  hasStaticData = false;
  isVerifying = false;

  constructor(helper: Helper<RestoreResult>, os: GuestOs, request: RestoreRequest) {
    this.helper = helper;
    this.os = os;
    this.request = request;
    this.stats = request.stats ?? new RestoreStats();
  }

  get domid(): number {
    return this.request.domid;
  }

  /** W comes to that step, which may be its last. */
  *step(step: RestoreStep): Actor {
    if (this.request.dies?.(step) === true) yield* this.helper.die('killed');
  }

  /** Source: handle_static_data_end in tools/libs/guest/xg_sr_restore.c. */
  *staticDataEnd(): Actor<RestoreFailure | undefined> {
    if (this.hasStaticData) return { reason: 'Multiple STATIC_DATA_END records found' };
    this.hasStaticData = true;
    const answer = yield* this.helper.ask('static-data-done' satisfies RestoreQuestion);
    return answer === 0 ? undefined : { reason: `static_data_done() callback failed: ${answer}` };
  }

  /** A record of version 3's first part has to come first; of version 2 it is where pages begin. */
  *needsStaticData(): Actor<RestoreFailure | undefined> {
    if (this.version < 3 && !this.hasStaticData) return yield* this.staticDataEnd();
    return this.hasStaticData ? undefined : { reason: 'No STATIC_DATA_END seen' };
  }
}
