export type { Cuts, Kept } from './cuts.ts';
export { GuestOs, Thread, type Waiting, type Waits } from './os.ts';
