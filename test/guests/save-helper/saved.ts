import { LINUX_HABITS, suspender } from '../../../guests/index.ts';
import {
  createDomain,
  type DomainType,
  type RestoreFileEnd,
  type RestoreFilePlan,
  restoreFromFile,
  type SaveFileEnd,
  type SaveFilePlan,
  saveToFile,
} from '../../../guests/libxl/index.ts';
import { DirtyMemory, type DirtyPlan } from '../../../guests/load/index.ts';
import { SavedFile } from '../../../guests/save-helper/index.ts';
import type { Guest } from '../../../scenarios/engine/host.ts';
import { pass, run } from '../../support/host.ts';
import { type LibxlBench, libxlBench } from '../libxl/host.ts';

export const BUSY: DirtyPlan = { pages: 60, hot: 10, hotPeriodNs: 5_000_000, background: 2_000, burstsOf100: 10 };

/** A host with one guest that writes to its memory and suspends itself when it is asked. */
export interface SavedBench extends LibxlBench {
  readonly guest: Guest;
  readonly memory: DirtyMemory;
  readonly file: SavedFile;
}

export function savedBench(type: DomainType, plan: DirtyPlan = BUSY): SavedBench {
  const bench = libxlBench({ hasBackends: false });
  const { host, xl } = bench;
  let guest: Guest | undefined;
  let memory: DirtyMemory | undefined;
  const made = run(bench, 'create', (me) =>
    createDomain(
      me,
      xl,
      { name: 'guest', type, console: 'nodes' },
      {
        boot: (built) => {
          guest = host.boot(built, { ...LINUX_HABITS, tornOneIn: 0 });
          memory = DirtyMemory.create(guest.os, plan);
        },
      },
    ),
  );
  if (made.rc !== 0 || guest === undefined || memory === undefined) throw new Error(`not created: ${made.rc}`);
  const { os, client } = guest;
  const dirty = memory;
  os.start('suspend', (me) => suspender(me, os, client, { hasChannel: false }));
  os.start('dirty', (me) => dirty.run(me));
  pass(bench, 20_000_000);
  return { ...bench, guest, memory: dirty, file: new SavedFile() };
}

export function save(bench: SavedBench, plan: Partial<SaveFilePlan> = {}): SaveFileEnd {
  const { xl, guest, file } = bench;
  return run(bench, 'save', (me) => saveToFile(me, xl, { domid: guest.os.domain.domid, file, ...plan }));
}

export function restore(bench: SavedBench, plan: Partial<RestoreFilePlan> = {}): RestoreFileEnd {
  const { xl, file } = bench;
  return run(bench, 'restore', (me) => restoreFromFile(me, xl, { file, ...plan }));
}
