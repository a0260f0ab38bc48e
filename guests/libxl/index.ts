export {
  addDevice,
  controlDomain,
  createDomain,
  destroyDomain,
  introduceDomain,
  type Outcome,
  operation,
  removeDevice,
  renameDomain,
  setDomainMemory,
  setDomainVcpus,
  sysrqDomain,
  unpauseDomain,
  writeDomain,
} from './api.ts';
export { type BuiltDomain, buildDomain, type ReservedRing } from './build.ts';
export { Call } from './call.ts';
export type { Created, CreateHooks, Phase } from './create.ts';
export { DomainDeathCheck, DomainDeaths, type DomainEvent } from './deaths.ts';
export { type DestroyHooks, untilFree } from './destroy.ts';
export { devd } from './devd.ts';
export {
  type ConsoleNOptions,
  type ConsoleOptions,
  console0,
  consoleN,
  type Device,
  type DeviceName,
  type DevicePaths,
  devicePaths,
  type VbdOptions,
  type VifOptions,
  vbd,
  vif,
} from './device-kinds.ts';
export type { Force } from './device-remove.ts';
export { type DomainPlan, type DomainType, MEMORY_KB } from './domain-config.ts';
export { DomidHistory } from './domid-history.ts';
export {
  type HotplugScripts,
  majorMinor,
  type ScriptAction,
  type ScriptBridge,
  type ScriptFate,
} from './hotplug-script.ts';
export { initDom0 } from './init-dom0.ts';
export { initXenstoreDomain } from './init-xenstore-domain.ts';
export { configFromJson, configToJson } from './migrate/config-json.ts';
export { type AgentPlan, handoverAgent } from './migrate/handover-agent.ts';
export { type Handover, HandoverLog, type HandoverNames } from './migrate/handover-log.ts';
export type { MigrationNews, MigrationObserver, MigrationProcess, MigrationStep } from './migrate/news.ts';
export { migrateReceive, type ReceiveEnd, type ReceivePlan } from './migrate/receiver.ts';
export { type RestoreFileEnd, type RestoreFilePlan, restoreFromFile } from './migrate/restore.ts';
export { type SaveFileEnd, type SaveFilePlan, saveToFile } from './migrate/save.ts';
export { type MigrateEnd, type MigratePlan, migrate, type Transport } from './migrate/sender.ts';
export { type StreamTransferOptions, streamTransfer } from './migrate/stream-transfer.ts';
export { HANDOVER_OCTETS, TEXTS } from './migrate/texts.ts';
export type { Transfer } from './migrate/transfer.ts';
export type { ImageFiles, MovingBackends, Unnoticed } from './migrate/unnoticed.ts';
export type { Mishaps } from './mishaps.ts';
export type { LibxlNews, LibxlObserver } from './observer.ts';
export { Libxl, type LibxlOptions, type Rc } from './process.ts';
export { type Destroy, handOver, type RestorePlan, restoreGuest } from './restore.ts';
export { SharedFiles } from './shared-files.ts';
export {
  PATIENCE_NS,
  PATIENCE_NS as SUSPEND_PATIENCE_NS,
  type ResumeRequest,
  resumeGuest,
  type SuspendOutcome,
  type SuspendRequest,
  suspendGuest,
} from './suspend.ts';
export { type EndReason, type ShutdownAction, type XlEnd, type XlPlan, xlCreate } from './xl.ts';
