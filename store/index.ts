export type { CompatName } from './compat.ts';
export { type ProcessOptions, startXenstored, type UpdateRecord, XenstoredProcess } from './process.ts';
export type { StorePolicy } from './state.ts';
