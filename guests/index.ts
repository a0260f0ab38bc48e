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
export { type Cuts, GuestOs, type Kept, type RequestNoted, type RequestPlan, Thread } from './kernel/index.ts';
export {
  type BuiltDomain,
  buildDomain,
  handOver,
  type LibxlNews,
  type LibxlObserver,
  type MigrationNews,
  restoreGuest,
  resumeGuest,
  suspendGuest,
} from './libxl/index.ts';
export {
  type CarelessPlan,
  careless,
  curious,
  DirtyMemory,
  type DirtyPlan,
  deviceModel,
  monitor,
  operator,
  quiesce,
  readTree,
  type SeenNode,
  type StandingPlan,
  sharedNodes,
  type ToolstackPlan,
  Traffic,
  toolstack,
  type UpdateWay,
  worker,
  xenstoreScripts,
} from './load/index.ts';
export {
  type ControlHooks,
  GuestControl,
  suspendChannel,
  suspender,
  suspendSelf,
} from './power/index.ts';
export { SavedFile } from './save-helper/index.ts';
export {
  type ClientHabits,
  type ClientObserver,
  type EventQueue,
  type InFlight,
  LIBXENSTORE_HABITS,
  LINUX_HABITS,
  LINUX_OLD_HABITS,
  MINIOS_HABITS,
  type Pending,
  type Reply,
  type SocketHabits,
  split,
  strings,
  type WatchEvent,
  WINDOWS_HABITS,
  Xs,
  XsClient,
  XsDevice,
  type XsLink,
  type XsProgram,
  XsSocket,
} from './xenstore/index.ts';
