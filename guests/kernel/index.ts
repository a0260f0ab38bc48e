export { GuestOs, Thread, type Waits } from './os.ts';
