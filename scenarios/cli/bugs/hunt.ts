import type { Bug } from '../../bugs/index.ts';
import { type HuntPlan, huntOne } from './hunt-one.ts';
import type { Hunted } from './protocol.ts';

/**
 * Hunt bugs, `jobs` at a time. Each result goes to `each` as soon as it is there. Errors: rejects with what `each` throws.
 */
export async function huntAll<B extends Bug | undefined>(
  bugs: readonly B[],
  jobs: number,
  plan: HuntPlan,
  each: (bug: B, hunted: Hunted) => void,
): Promise<void> {
  const todo = bugs.values();
  async function work() {
    for (const bug of todo) each(bug, await huntOne(bug, plan));
  }
  await Promise.all(Array.from({ length: Math.min(jobs, bugs.length) }, work));
}
