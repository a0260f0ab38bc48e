export { octetsOf as octets, textOf as text } from '../store/octets.ts';
export { XS } from '../store/wire.ts';
export type { ClientHabits } from './client/habits.ts';
export { LINUX_HABITS, LINUX_OLD_HABITS, MINIOS_HABITS, WINDOWS_HABITS } from './client/named.ts';
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
export { handOver, type RestorePlan, removeDomain, restoreGuest } from './restore.ts';
export { type SuspenderPlan, suspender, takeCommand } from './suspender.ts';
export { type BuiltDomain, buildDomain, mknod, type ToolstackPlan, toolstack, writeTree } from './toolstack.ts';
export { Traffic } from './traffic.ts';
export { type MonitorPlan, monitor, type WorkerPlan, worker } from './worker.ts';
export { type ClientObserver, XsClient } from './xs-client.ts';
export type { EventQueue, Pending, Reply, WatchEvent, XsLink } from './xs-link.ts';
export { Xs } from './xs-ops.ts';
