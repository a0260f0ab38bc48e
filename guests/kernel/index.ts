export { GuestOs, Thread, type Waiting, type Waits } from './os.ts';
