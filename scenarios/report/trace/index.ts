export { pcapngOf } from './pcapng.ts';
