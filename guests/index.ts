export { octetsOf as octets, textOf as text } from '../store/protocol/octets.ts';
export { XS } from '../store/protocol/wire.ts';
export { type ConsoleHabits, type ConsolePage, GuestConsole, HVC_HABITS } from './console/console.ts';
export { Xenconsoled, type XenconsoledOptions } from './console/xenconsoled.ts';
export { GuestOs, Me } from './kernel/os.ts';
export { type BuiltDomain, buildDomain } from './libxl/index.ts';
export { type Mishaps, type ToolstackPlan, toolstack } from './load/toolstack.ts';
export { handOver, type RestorePlan, removeDomain, restoreGuest } from './libxl/restore.ts';
export {
  PATIENCE_NS,
  type ResumeRequest,
  resumeGuest,
  type SuspendOutcome,
  type SuspendRequest,
  suspendGuest,
} from './libxl/suspend.ts';
export { type OperatorPlan, operator, quiesce, readTree, type SeenNode } from './load/operator.ts';
export { Traffic } from './load/traffic.ts';
export { type MonitorPlan, monitor, type WorkerPlan, worker } from './load/worker.ts';
export { type XenstoreScriptsPlan, xenstoreScripts } from './load/xenstore-scripts.ts';
export { type ControlHooks, GuestControl, type ShutdownCommand } from './power/control.ts';
export { type SuspenderPlan, suspender, suspendSelf, takeCommand } from './power/suspender.ts';
export { type ClientObserver, XsClient } from './xenstore/client.ts';
export { XsDevice } from './xenstore/device.ts';
export type { ClientHabits } from './xenstore/habits.ts';
export type { EventQueue, Pending, Reply, WatchEvent, XsLink, XsProgram } from './xenstore/link.ts';
export { LINUX_HABITS, LINUX_OLD_HABITS, MINIOS_HABITS, WINDOWS_HABITS } from './xenstore/named.ts';
export { split, strings } from './xenstore/payload.ts';
export { LIBXENSTORE_HABITS, type SocketHabits, XsSocket } from './xenstore/socket.ts';
export { Xs } from './xenstore/xs.ts';
