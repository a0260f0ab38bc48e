export type { StartStore, StoreProcess, StoreSetup } from './contract/process.ts';
export type { UpdateRecord } from './contract/update-record.ts';
export type { CompatName } from './daemon/compat.ts';
export type { StorePolicy } from './daemon/state.ts';
export { type ProcessOptions, startXenstored } from './live-update/process.ts';
