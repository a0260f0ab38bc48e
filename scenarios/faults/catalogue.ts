import { DELAY_RULES } from './events.ts';
import { GRANT_RULES } from './grants.ts';
import { LIFE_RULES } from './life.ts';
import { PORT_RULES } from './ports.ts';
import type { FaultRule } from './rule.ts';
import { STORE_RULES } from './store.ts';
import { SUSPEND_RULES } from './suspend.ts';
import { TOOL_RULES } from './tools.ts';
import { TRIP_GUEST_RULES } from './trip-guests.ts';
import { TRIP_RULES } from './trips.ts';
import { WINDOW_RULES } from './windows.ts';

/** Those that come together in about every second swarm; of the others each is in one of four. */
export const COMMON_RULES: readonly FaultRule[] = [...DELAY_RULES, ...LIFE_RULES, ...TOOL_RULES];

/** Every fault that a plan may enable, in the order in which plans draw. A new one goes to the end: it moves no other's draws. */
export const FAULT_RULES: readonly FaultRule[] = [
  ...COMMON_RULES,
  ...PORT_RULES,
  ...GRANT_RULES,
  ...WINDOW_RULES,
  ...SUSPEND_RULES,
  ...STORE_RULES,
  ...TRIP_RULES,
  ...TRIP_GUEST_RULES,
];
