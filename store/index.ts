export type { StartStore, StoreProcess, StoreSetup, UpdateRecord } from './contract.ts';
export type { CompatName } from './daemon/compat.ts';
export type { StorePolicy } from './daemon/state.ts';
export { type ProcessOptions, startXenstored } from './live-update/process.ts';
