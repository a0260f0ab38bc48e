export { MessageLines, type Running } from './lines.ts';
export { pcapngOf } from './pcapng.ts';
export { perfettoOf } from './perfetto.ts';
