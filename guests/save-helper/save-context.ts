import type { Actor, Gfn, OctetWriter } from '../../sim/index.ts';
import type { LibxcRecord } from '../../store/format/enclosing/layouts.ts';
import { DOMAIN_TYPE, libxcRecordOctets } from '../../store/format/enclosing/leaving.ts';
import type { GuestOs } from '../kernel/index.ts';
import type { PrecopyPolicy } from './precopy.ts';
import type { Helper } from './process.ts';

/** What V asks S. `qemu-log-dirty-*`: HVM alone; `postcopy` and `checkpoint`: of a checkpointed stream alone. */
export const SAVE_QUESTIONS = ['suspend', 'qemu-log-dirty-on', 'qemu-log-dirty-off', 'postcopy', 'checkpoint'] as const;
export type SaveQuestion = (typeof SAVE_QUESTIONS)[number];

/** Where V is, in the order in which it comes there; each may be its last. */
export const SAVE_STEPS = [
  'setup',
  'headers',
  'static data',
  'log-dirty',
  'pass',
  'look',
  'suspend',
  'final look',
  'final set',
  'verify',
  'contexts',
  'checkpoint',
  'end',
  'clean up',
] as const;
export type SaveStep = (typeof SAVE_STEPS)[number];

export interface SaveRequest {
  readonly domid: number;
  /** Written to alone; never closed. */
  readonly to: OctetWriter;
  /** It is a file: what it does not take is an error, and no SIGPIPE. */
  readonly isFile?: boolean;
  /** Send memory while the guest runs; if not, it is asked to suspend first. */
  readonly live: boolean;
  /** Send every page once more when the guest is parked, for the restorer to compare. */
  readonly debug?: boolean;
  /** A stream without an end: CHECKPOINT after CHECKPOINT until somebody says no. */
  readonly checkpointed?: boolean;
  /** Left out: libxc's own (PC-2). */
  readonly policy?: PrecopyPolicy;
  /** Which Xen this is. */
  readonly xen: { readonly major: number; readonly minor: number };
  /** Asked at each step: whether V is killed there. */
  readonly dies?: (step: SaveStep) => boolean;
  /** Kept current; whoever asked for the save may look at it any time. */
  readonly stats?: SaveStats;
}

/** One sending of a set of pages. */
export interface Pass {
  /** Pages named, and pages whose octets were sent. */
  readonly pages: number;
  readonly withData: number;
  readonly octets: number;
  readonly fromNs: number;
  readonly toNs: number;
}

/** What a save came to so far. */
export class SaveStats {
  /** While the guest runs (PC-1), in order. */
  readonly passes: Pass[] = [];
  /** While it is parked; of a checkpointed stream the last one's. */
  final: Pass | undefined;
  verified: Pass | undefined;
  /** Pages that each look found, in order: n(1), n(2), … (PC-2). */
  readonly dirty: number[] = [];
  /** Pages that the last look found, with those put off. */
  deferred = 0;
  octets = 0;
  checkpoints = 0;
  /** V found the guest parked then. */
  parkedNs: number | undefined;
  /** Called when a set of pages is sent; `n`: which pass, from 0. */
  onPass: ((pass: Pass, n: number, isFinal: boolean) => void) | undefined;

  addPass(pass: Pass): void {
    this.passes.push(pass);
    this.onPass?.(pass, this.passes.length - 1, false);
  }

  setFinal(pass: Pass): void {
    this.final = pass;
    this.onPass?.(pass, this.passes.length, true);
  }
}

/** `undefined`: saved. Else why not, as libxc words it. */
export type Failure = string | undefined;

/** What differs between PV and HVM. Each step ends in a reason where it fails. */
export interface SaverOps {
  readonly type: number;
  setup(save: SaveContext): Actor<Failure>;
  staticData(save: SaveContext): Actor<Failure>;
  startOfStream(save: SaveContext): Actor<Failure>;
  /** Before each set of pages goes on: whether the guest is still what was mapped (PC-4). */
  check(save: SaveContext): Failure;
  endOfCheckpoint(save: SaveContext): Actor<Failure>;
  cleanUp(save: SaveContext): Actor<Failure>;
}

/** A file did not take what was written; saveDomain() makes a failure of it. */
export class Unwritten extends Error {}

/** One save under way, as its parts see it. */
export class SaveContext {
  readonly helper: Helper<Failure>;
  readonly os: GuestOs;
  readonly request: SaveRequest;
  readonly stats: SaveStats;
  /** Of the image: PV or HVM. */
  readonly type: number;
  /** Pages of the guest: all that have ever had one, from 0 on. */
  p2mSize = 0;
  /** Of a PV guest: the first page that was met, and the last that it had at the start. */
  firstPage: Gfn = Number.POSITIVE_INFINITY;
  lastPage: Gfn = -1;
  isLive: boolean;
  /** To be sent when the guest is parked, whether or not they change (PC-4). */
  readonly deferred = new Set<Gfn>();

  constructor(helper: Helper<Failure>, os: GuestOs, request: SaveRequest, type: number) {
    this.helper = helper;
    this.os = os;
    this.request = request;
    this.stats = request.stats ?? new SaveStats();
    this.isLive = request.live;
    this.type = type;
  }

  get domid(): number {
    return this.request.domid;
  }

  get isHvm(): boolean {
    return this.type === DOMAIN_TYPE.HVM;
  }

  /** Throws Unwritten where a file does not take it; where a pipe is broken it does not return. */
  *write(octets: Uint8Array): Actor {
    this.stats.octets += octets.length;
    if (this.request.isFile !== true) return yield* this.helper.write(this.request.to, octets);
    if ((yield* this.request.to.write(octets)) === 'broken') throw new Unwritten();
  }

  *record(record: LibxcRecord): Actor {
    yield* this.write(libxcRecordOctets(record));
  }

  *ask(question: SaveQuestion): Actor<number> {
    return yield* this.helper.ask(question);
  }

  /** V comes to that step, which may be its last. */
  *step(step: SaveStep): Actor {
    if (this.request.dies?.(step) === true) yield* this.helper.die('killed');
  }
}
