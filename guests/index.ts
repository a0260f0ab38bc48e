export { octetsOf as octets, textOf as text } from '../store/octets.ts';
export { XS } from '../store/wire.ts';
export { type OperatorPlan, operator, quiesce, readTree, type SeenNode } from './operator.ts';
export { GuestOs, Me } from './os.ts';
export { split, strings } from './payload.ts';
export { type BuiltDomain, buildDomain, type ToolstackPlan, toolstack } from './toolstack.ts';
export { Traffic } from './traffic.ts';
export { type MonitorPlan, monitor, type WorkerPlan, worker } from './worker.ts';
export {
  type ClientHabits,
  type ClientObserver,
  type EventQueue,
  LINUX_HABITS,
  type Pending,
  type Reply,
  type WatchEvent,
  XsClient,
} from './xs-client.ts';
export { Xs } from './xs-ops.ts';
