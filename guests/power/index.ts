export { type ControlHooks, GuestControl, type ShutdownCommand } from './control.ts';
export { type SuspenderPlan, suspender, suspendSelf, takeCommand } from './suspender.ts';
