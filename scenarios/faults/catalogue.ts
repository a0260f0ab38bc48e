import { DELAY_RULES } from './events.ts';
import { LIFE_RULES } from './life.ts';
import type { FaultRule } from './rule.ts';
import { TOOL_RULES } from './tools.ts';

/** Every fault that a plan may enable, in the order in which plans draw. A new one goes to the end: it moves no other's draws. */
export const FAULT_RULES: readonly FaultRule[] = [...DELAY_RULES, ...LIFE_RULES, ...TOOL_RULES];
