import type { Verdict, Violation } from '../history.ts';

/** A guest's memory at one moment: a checksum for each page that is its own, by gfn, and into which of them others could write. */
export interface MemorySnap {
  readonly pages: ReadonlyMap<number, string>;
  readonly shared: ReadonlySet<number>;
}

/** A guest's memory on its way: as it was at the park, and as it is where it goes on. */
export interface MovedMemory {
  readonly timeNs: number;
  /** Whose, and how it went. */
  readonly what: string;
  readonly parked: MemorySnap;
  readonly arrived: MemorySnap;
  /** Pages that it had since the saving began, and gave back before the park; left out: none. */
  readonly givenBack?: ReadonlySet<number>;
  /** HVM: the restorer zeroes the store's page and begins the console's ring anew (SUS-7); PV: the console's `connection` alone. */
  readonly restorers: readonly number[];
}

/** What a guest itself found of its memory when it went on. */
export interface MemoryFinding {
  readonly timeNs: number;
  readonly what: string;
  readonly detail: string;
}

const CLAIM = 'Every page of a guest that goes on elsewhere holds what it held when the guest parked';
const SOURCE = 'tools/libs/guest/xg_sr_save.c, xg_sr_restore.c';

/**
 * INV-M9 of guests that were moved with their knowledge. Pages into which others could write at the park may be of another moment:
 * 1. A backend, or the store, has a page mapped to write. 2. A look finds the page dirty, and it is sent. 3. The backend stores.
 * 4. Nobody sees that before it takes the mapping down (GNT-13). Or: 1. A page is granted for packets. 2. The guest parks. 3. The
 * backend, which nobody has stopped, copies one into it. In either way it is no loss: the guest makes its rings anew (PC-5).
 * A page that arrives may be one that the guest no longer had: 1. It is sent in a pass. 2. The guest gives it back, as the page of
 * a ring that it withdraws. 3. The guest parks. 4. The restorer has populated it, and no record of the stream takes a page away.
 */
export function memoryMoved(moves: readonly MovedMemory[], found: readonly MemoryFinding[]): Verdict {
  const violations: Violation[] = [];
  let pages = 0;
  let shared = 0;
  let givenBack = 0;
  const bad = (timeNs: number, what: string, detail: string) =>
    violations.push({ invariant: 'memory', seq: 0, timeNs, actor: what, request: '', detail: `INV-M9: ${detail}` });
  for (const { timeNs, what, parked, arrived, restorers, givenBack: gone } of moves) {
    for (const gfn of new Set([...parked.pages.keys(), ...arrived.pages.keys()])) {
      if (restorers.includes(gfn)) continue;
      if (parked.shared.has(gfn)) {
        shared++;
        continue;
      }
      if (gone?.has(gfn) === true && !parked.pages.has(gfn)) {
        givenBack++;
        continue;
      }
      pages++;
      const [before, after] = [parked.pages.get(gfn), arrived.pages.get(gfn)];
      if (before === after) continue;
      const how =
        after === undefined ? 'is not there' : before === undefined ? 'was not there' : 'holds something else';
      bad(timeNs, what, `page 0x${gfn.toString(16)} ${how}`);
    }
  }
  for (const { timeNs, what, detail } of found) bad(timeNs, what, detail);
  return {
    invariant: 'memory',
    claim: CLAIM,
    source: SOURCE,
    checked: [
      ['guests moved', moves.length],
      ['pages compared', pages],
      ['pages into which others could write', shared],
      ...(givenBack > 0 ? [['pages that came though their guest had given them back', givenBack] as const] : []),
    ],
    violations,
  };
}
