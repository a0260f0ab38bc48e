export type { StartStore, StoreProcess, StoreSetup, UpdateRecord } from './contract.ts';
export type { CompatName } from './daemon/compat.ts';
export { DAEMON_COSTS } from './daemon/costs.ts';
export { DEFAULT_QUOTAS } from './daemon/quota.ts';
export { WRITE_CREDIT_NS } from './daemon/rate.ts';
export type { StorePolicy } from './daemon/state.ts';
export { type ProcessOptions, startXenstored } from './live-update/process.ts';
