export { octetsOf as octets, textOf as text } from '../store/octets.ts';
export { XS } from '../store/wire.ts';
export type { ClientHabits } from './client/habits.ts';
export { LINUX_HABITS, LINUX_OLD_HABITS, MINIOS_HABITS, WINDOWS_HABITS } from './client/named.ts';
export { type ConsoleHabits, type ConsolePage, GuestConsole, HVC_HABITS } from './console.ts';
export { type ControlHooks, GuestControl, type ShutdownCommand } from './control.ts';
export { type HotplugPlan, hotplug } from './hotplug.ts';
export { type BuiltDomain, buildDomain, type ToolstackPlan, toolstack } from './libxl/index.ts';
export { handOver, type RestorePlan, removeDomain, restoreGuest } from './libxl/restore.ts';
export {
  PATIENCE_NS,
  type ResumeRequest,
  resumeGuest,
  type SuspendOutcome,
  type SuspendRequest,
  suspendGuest,
} from './libxl/suspend.ts';
export { type OperatorPlan, operator, quiesce, readTree, type SeenNode } from './operator.ts';
export { GuestOs, Me } from './os.ts';
export { split, strings } from './payload.ts';
export { type SuspenderPlan, suspender, suspendSelf, takeCommand } from './suspender.ts';
export { Traffic } from './traffic.ts';
export { type MonitorPlan, monitor, type WorkerPlan, worker } from './worker.ts';
export { Xenconsoled, type XenconsoledOptions } from './xenconsoled.ts';
export { type ClientObserver, XsClient } from './xs-client.ts';
export { XsDevice } from './xs-device.ts';
export type { EventQueue, Pending, Reply, WatchEvent, XsLink, XsProgram } from './xs-link.ts';
export { Xs } from './xs-ops.ts';
export { LIBXENSTORE_HABITS, type SocketHabits, XsSocket } from './xs-socket.ts';
