import type { Transfer } from '../../guests/libxl/index.ts';
import type { Domain } from '../../sim/index.ts';
import type { MemorySnap, MovedMemory } from '../judge/invariants/index.ts';
import { snapOf } from './memory-snap.ts';

/** Looks at the memory of guests that are moved with their knowledge: at the park, and when all of it has arrived. */
export class MovedMemories {
  readonly moves: MovedMemory[] = [];
  readonly #nowNs: () => number;

  constructor(nowNs: () => number) {
    this.#nowNs = nowNs;
  }

  /** The same transfer, watched. `what`: who is moved, for messages. */
  watched(transfer: Transfer, what: string): Transfer {
    const self = this;
    let parked: MemorySnap | undefined;
    let givenBack: ReadonlySet<number> = new Set();
    return {
      *save(call, plan) {
        const source = call.xl.os.machine.domain(plan.domid);
        const before = gfnsOf(source);
        const maxGfn = source?.memory.maxGfn ?? -1;
        return yield* transfer.save(call, {
          ...plan,
          *park() {
            const found = yield* plan.park();
            parked = found.kind === 'parked' && source !== undefined ? snapOf(source) : undefined;
            if (source === undefined) return found;
            // Gfns are handed out in order: those above have come since.
            for (let gfn = maxGfn + 1; gfn <= source.memory.maxGfn; gfn++) before.add(gfn);
            for (const gfn of gfnsOf(source)) before.delete(gfn);
            givenBack = before;
            return found;
          },
        });
      },
      *load(call, plan): ReturnType<Transfer['load']> {
        const loaded = yield* transfer.load(call, plan);
        if (typeof loaded === 'object' && 'built' in loaded && parked !== undefined)
          self.#add(what, parked, givenBack, plan.domain);
        return loaded;
      },
    };
  }

  #add(what: string, parked: MemorySnap, givenBack: ReadonlySet<number>, heir: Domain): void {
    const { startInfo, memory } = heir;
    const [storeGfn, consoleGfn] = [startInfo?.storeGfn ?? 0, startInfo?.console?.gfn ?? 0];
    const restorers = memory.translated ? [storeGfn, consoleGfn] : [consoleGfn]; // SUS-6, SUS-7
    this.moves.push({ timeNs: this.#nowNs(), what, parked, arrived: snapOf(heir), restorers, givenBack });
  }
}

function gfnsOf(domain: Domain | undefined): Set<number> {
  return new Set((domain?.memory.frames ?? []).map(({ gfn }) => gfn));
}
