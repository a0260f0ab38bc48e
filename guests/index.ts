export { octetsOf as octets, textOf as text } from '../store/protocol/octets.ts';
export { XS } from '../store/protocol/wire.ts';
export {
  type ConsoleHabits,
  type ConsolePage,
  GuestConsole,
  HVC_HABITS,
  Xenconsoled,
  type XenconsoledOptions,
} from './console/index.ts';
export { GuestOs, Me } from './kernel/index.ts';
export {
  type BuiltDomain,
  buildDomain,
  handOver,
  PATIENCE_NS,
  type RestorePlan,
  type ResumeRequest,
  removeDomain,
  restoreGuest,
  resumeGuest,
  type SuspendOutcome,
  type SuspendRequest,
  suspendGuest,
} from './libxl/index.ts';
export {
  type Mishaps,
  type MonitorPlan,
  monitor,
  type OperatorPlan,
  operator,
  quiesce,
  readTree,
  type SeenNode,
  type ToolstackPlan,
  Traffic,
  toolstack,
  type WorkerPlan,
  worker,
  type XenstoreScriptsPlan,
  xenstoreScripts,
} from './load/index.ts';
export {
  type ControlHooks,
  GuestControl,
  type ShutdownCommand,
  type SuspenderPlan,
  suspender,
  suspendSelf,
  takeCommand,
} from './power/index.ts';
export type { ClientHabits, EventQueue, Pending, Reply, WatchEvent, XsLink, XsProgram } from './xenstore/index.ts';
export {
  type ClientObserver,
  LIBXENSTORE_HABITS,
  LINUX_HABITS,
  LINUX_OLD_HABITS,
  MINIOS_HABITS,
  type SocketHabits,
  split,
  strings,
  WINDOWS_HABITS,
  Xs,
  XsClient,
  XsDevice,
  XsSocket,
} from './xenstore/index.ts';
