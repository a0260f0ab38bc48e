export type { CompatName } from './daemon/compat.ts';
export type { StorePolicy } from './daemon/options.ts';
export { type ProcessOptions, startXenstored, type UpdateRecord, XenstoredProcess } from './live-update/process.ts';
