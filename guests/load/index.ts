export { type CarelessPlan, careless } from './careless.ts';
export { DIRTY_PAGES_MAX, type DirtyFinding, DirtyMemory, type DirtyPlan } from './dirty-memory.ts';
export { type OperatorPlan, operator, quiesce, readTree, type SeenNode, type UpdateWay } from './operator.ts';
export { curious, deviceModel, type StandingPlan } from './standing.ts';
export { sharedNodes, type ToolstackPlan, toolstack } from './toolstack.ts';
export { Traffic } from './traffic.ts';
export { type MonitorPlan, monitor, type WorkerPlan, worker } from './worker.ts';
export { type XenstoreScriptsPlan, xenstoreScripts } from './xenstore-scripts.ts';
