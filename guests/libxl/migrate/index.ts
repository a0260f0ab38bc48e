export { configFromJson, configToJson } from './config-json.ts';
export { type Handover, HandoverLog, type HandoverNames } from './handover-log.ts';
export type { MigrationNews, MigrationObserver, MigrationProcess, MigrationStep } from './news.ts';
export { PLAIN_TRANSFER } from './plain-transfer.ts';
export { migrateReceive, type ReceiveEnd, type ReceivePlan } from './receiver.ts';
export { type MigrateEnd, type MigratePlan, migrate, type Transport } from './sender.ts';
export { type StreamTransferOptions, streamTransfer } from './stream-transfer.ts';
export { HANDOVER_OCTETS, TEXTS } from './texts.ts';
export type { Transfer } from './transfer.ts';
