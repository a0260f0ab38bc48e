export { GuestOs, Thread } from './os.ts';
