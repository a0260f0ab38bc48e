export { GuestOs, Me } from './os.ts';
