import type { LoadHook } from 'node:module';
import { changedModules } from './modules.ts';
import { bugsOn } from './switch.ts';

const changed = changedModules(bugsOn());

/** Node's hook: the changed text of a module that a bug changes, and any other as it is. Errors: one that does not fit. */
export const load: LoadHook = (url, context, next) => {
  const applied = changed.get(url);
  if (applied === undefined) return next(url, context);
  if (!applied.ok) throw new Error(applied.reason);
  return { format: 'module', source: applied.text, shortCircuit: true };
};
