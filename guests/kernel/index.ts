export type { Cuts, Kept, RequestNoted, RequestPlan, Tear, TearNoted } from './cuts.ts';
export { type Freezable, Freezer } from './freezer.ts';
export { GuestOs, Thread, type Waiting, type Waits } from './os.ts';
