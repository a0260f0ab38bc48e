export type { StartStore, StoreProcess, StoreSetup } from './contract/process.ts';
export type { UpdateRecord } from './contract/update-record.ts';
export type { CompatName } from './daemon/compat.ts';
export { MESSAGE_NS, PASS_NS, WRITE_NS } from './daemon/costs.ts';
export type { StorePolicy } from './daemon/options.ts';
export { DEFAULT_QUOTAS } from './daemon/quota.ts';
export { WRITE_CREDIT_NS } from './daemon/rate.ts';
export { startXenstored } from './live-update/process.ts';
