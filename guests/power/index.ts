export { type ControlHooks, GuestControl, type ShutdownCommand } from './control.ts';
export { isCommand, type SuspenderPlan, suspendChannel, suspender, suspendSelf } from './suspender.ts';
export { takeCommand } from './take-command.ts';
