import { DirtyMemory, LINUX_HABITS, SavedFile, type Thread } from '../../../guests/index.ts';
import {
  destroyDomain,
  type Libxl,
  type RestoreFileEnd,
  renameDomain,
  restoreFromFile,
  type SaveFileEnd,
  saveToFile,
} from '../../../guests/libxl/index.ts';
import type { Actor, Domain } from '../../../sim/index.ts';
import type { Host } from '../../engine/host.ts';
import { snapOf } from '../../engine/memory-snap.ts';
import type { MemoryFinding, MemorySnap, MovedMemory } from '../../judge/invariants/memory.ts';
import { nameOf, type SavedGuest, typeOf } from './saved-guest.ts';

/** What the keepers of all guests did and saw. */
export class SavesTally {
  saves = 0;
  kept = 0;
  paused = 0;
  restores = 0;
  again = 0;
  /** Refused by its name while the first lived. */
  refused = 0;
  cut = 0;
  full = 0;
  readonly moves: MovedMemory[] = [];
  readonly findings: MemoryFinding[] = [];
  readonly surprises: { readonly timeNs: number; readonly actor: string; readonly detail: string }[] = [];
}

export interface KeeperPlan {
  readonly host: Host;
  readonly xl: Libxl;
  readonly tally: SavesTally;
  /** Of 100 saves, those after which the guest goes on where it was, those with a file that is cut before it is restored, those with
   *  a disk that is full, and those that are restored twice. */
  readonly keepsOf100: number;
  readonly cutsOf100: number;
  readonly fullOf100: number;
  readonly twiceOf100: number;
  /** Faults may come between: what is not as it should be is not told. */
  readonly hasFaults: boolean;
}

/** Between two saves of a guest, ns. */
const PAUSE_NS = [1_000_000, 8_000_000] as const;
/** How long a file lies before it is restored, ns. */
const LIE_NS_MAX = 5_000_000;
/** What a device model has of itself. */
const EMULATOR_OCTETS = 600;

/** Somebody in dom0 who saves a guest again and again, and restores what he saved. */
export class Keeper {
  readonly #me: Thread;
  readonly #saved: SavedGuest;
  readonly #plan: KeeperPlan;
  readonly #file = new SavedFile();
  /** Octets of the last whole save. */
  #size = 100_000;

  constructor(me: Thread, saved: SavedGuest, plan: KeeperPlan) {
    this.#me = me;
    this.#saved = saved;
    this.#plan = plan;
  }

  get #domain(): Domain {
    return this.#saved.guest.os.domain;
  }

  /** Until the work is done, and the guest runs. */
  *run(isOver: () => boolean): Actor {
    const { draws } = this.#me;
    for (;;) {
      yield draws.between(...PAUSE_NS);
      if (isOver()) return;
      const of100 = draws.below(100);
      const { keepsOf100, fullOf100 } = this.#plan;
      const isFull = draws.below(100) < fullOf100;
      if (of100 < keepsOf100) yield* this.#saveAndGoOn(draws.oneIn(3) ? 'pause' : 'resume', isFull);
      else if (!(yield* this.#saveAndRestore(isFull))) return;
    }
  }

  /** `xl save -c` or `-p`. */
  *#saveAndGoOn(afterwards: 'resume' | 'pause', isFull: boolean): Actor {
    const { tally, host } = this.#plan;
    const { domid } = this.#domain;
    const { end } = yield* this.#save(afterwards, isFull);
    if (end.exit !== 0) return;
    if (afterwards === 'resume') tally.kept++;
    else {
      tally.paused++;
      yield this.#me.draws.below(LIE_NS_MAX);
      host.dom0.os.hyper.unpause(domid);
    }
    if (!this.#me.draws.oneIn(2)) return;
    const back = yield* this.#restore(this.#file); // MIG-25
    if (back.exit === 1) tally.refused++;
    else this.#surprise('restored while the first one lived');
  }

  /** @returns false: the guest is lost, and nothing can be done with it any more. */
  *#saveAndRestore(isFull: boolean): Actor<boolean> {
    const { tally, cutsOf100, twiceOf100, hasFaults } = this.#plan;
    const { draws } = this.#me;
    const { end, parked } = yield* this.#save(undefined, isFull);
    if (end.exit !== 0 || parked === undefined) return true;
    yield draws.below(LIE_NS_MAX);
    if (draws.below(100) < cutsOf100) yield* this.#restoreCut();
    let arrived: MemorySnap | undefined;
    const back = yield* this.#restore(this.#file, (heir) => {
      arrived = snapOf(heir);
    });
    if (back.exit !== 0 || back.restored === undefined || arrived === undefined) {
      if (!hasFaults) this.#surprise(`not restored: ${back.says}`);
      return false;
    }
    tally.restores++;
    if (!back.restored.hasThreads) this.#surprise('restored without its threads');
    const { storeGfn, consoleGfn } = back.restored;
    const restorers = typeOf(this.#saved.slot) === 'pv' ? [consoleGfn] : [storeGfn, consoleGfn];
    tally.moves.push({ timeNs: this.#nowNs, what: this.#name, parked, arrived, restorers });
    if (draws.below(100) < twiceOf100 && back.built !== undefined) yield* this.#restoreAgain(back.built.domain.domid);
    return true;
  }

  *#save(
    afterwards: 'resume' | 'pause' | undefined,
    isFull: boolean,
  ): Actor<{ readonly end: SaveFileEnd; readonly parked: MemorySnap | undefined }> {
    const { tally, xl, hasFaults } = this.#plan;
    const { domid } = this.#domain;
    const source = this.#domain;
    const roomBytes = isFull ? this.#me.draws.below(this.#size) : undefined;
    let parked: MemorySnap | undefined;
    const end = yield* saveToFile(this.#me, xl, {
      domid,
      file: this.#file,
      ...(roomBytes !== undefined && { roomBytes }),
      ...(afterwards !== undefined && { afterwards }),
      emulatorContext: () => new Uint8Array(EMULATOR_OCTETS).fill(0x51),
      parked: () => {
        parked = snapOf(source);
      },
    });
    tally.saves++;
    if (end.exit === 0) this.#size = this.#file.size;
    else if (isFull) tally.full++;
    else if (!hasFaults) this.#surprise(`not saved: ${end.says}`);
    return { end, parked };
  }

  *#restore(file: SavedFile, loaded?: (heir: Domain) => void): Actor<RestoreFileEnd> {
    const { xl } = this.#plan;
    return yield* restoreFromFile(this.#me, xl, { file, ...(loaded !== undefined && { loaded }) });
  }

  /** FP-32: a file that ends anywhere is refused, and the whole one can be tried afterwards. */
  *#restoreCut(): Actor {
    const { tally } = this.#plan;
    const { octets } = this.#file;
    const cut = new SavedFile(octets.subarray(0, this.#me.draws.below(octets.length)));
    const back = yield* this.#restore(cut);
    if (back.exit === 1) tally.cut++;
    else this.#surprise(`restored from ${cut.size} of ${octets.length} octets`);
  }

  /** MIG-24: the first one gets another name, and the file is restored once more: a guest that has its memory, and begins in it. */
  *#restoreAgain(first: number): Actor {
    const { tally, xl, host, hasFaults } = this.#plan;
    const away = `${this.#name}--first`;
    if ((yield* renameDomain(this.#me, xl, first, { old: this.#name, new: away })).rc !== 0) return;
    let second: DirtyMemory | undefined;
    const back = yield* restoreFromFile(this.#me, xl, {
      file: this.#file,
      boot: (built, program) => {
        const { os } = host.boot(built, LINUX_HABITS);
        second = DirtyMemory.find(os, program);
        os.start('memory', (me) => second?.run(me) ?? nothing());
      },
    });
    if (back.exit === 0 && back.built !== undefined) {
      tally.again++;
      if (second === undefined) this.#surprise('restored again, and its program is not there');
      yield this.#me.draws.below(LIE_NS_MAX);
      this.#look(second, 'restored again');
      yield* destroyDomain(this.#me, xl, back.built.domain.domid);
    } else if (!hasFaults) this.#surprise(`not restored again: ${back.says}`);
    yield* renameDomain(this.#me, xl, first, { old: away, new: this.#name });
  }

  /** What the guest's own pages say of each other. */
  #look(memory: DirtyMemory | undefined, how: string): void {
    for (const { detail, gfn } of memory?.check() ?? []) {
      const what = `${this.#name}, ${how}`;
      this.#plan.tally.findings.push({ timeNs: this.#nowNs, what, detail: `page 0x${gfn.toString(16)} ${detail}` });
    }
  }

  /** At the end: whatever it went through, its memory is of one moment. */
  finish(): void {
    if (this.#domain.dying === 'alive') this.#look(this.#saved.memory, 'at the end');
  }

  get #name(): string {
    return nameOf(this.#saved.slot);
  }

  get #nowNs(): number {
    return this.#plan.host.machine.nowNs;
  }

  #surprise(detail: string): void {
    this.#plan.tally.surprises.push({ timeNs: this.#nowNs, actor: this.#me.name, detail });
  }
}

function* nothing(): Actor {}
