export { addDevice, createDomain, destroyDomain, type Outcome, removeDevice, unpauseDomain } from './api.ts';
export { type BuiltDomain, buildDomain, type ReservedRing } from './build.ts';
export type { Created, CreateHooks, Phase } from './create.ts';
export { type DestroyHooks, untilGone } from './destroy.ts';
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
export type { Hotplug, ScriptAction, ScriptFate, ScriptHost } from './hotplug.ts';
export { initDom0 } from './init-dom0.ts';
export { Libxl, type LibxlOptions, type Rc } from './process.ts';
export { type Mishaps, type ToolstackPlan, toolstack } from './toolstack.ts';
