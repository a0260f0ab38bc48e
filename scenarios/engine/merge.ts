import type { Verdict } from '../judge/history.ts';
import { MARKS, type MarkCounts, type MarkName } from '../judge/marks.ts';
import type { MarksSeen } from './scenario.ts';

/** Verdicts of several hosts as one each: counts together, violations with the number of their host. */
export function mergeVerdicts(perHost: readonly (readonly Verdict[])[]): Verdict[] {
  const merged = new Map<string, Verdict>();
  for (const [host, verdicts] of perHost.entries())
    for (const verdict of verdicts) {
      const own = { ...verdict, violations: verdict.violations.map((violation) => ({ ...violation, host })) };
      const before = merged.get(verdict.invariant);
      merged.set(verdict.invariant, before === undefined ? own : added(before, own));
    }
  return [...merged.values()];
}

function added(a: Verdict, b: Verdict): Verdict {
  const counts = new Map(a.checked);
  for (const [what, count] of b.checked) counts.set(what, (counts.get(what) ?? 0) + count);
  const known = [...(a.known ?? []), ...(b.known ?? [])];
  return {
    ...a,
    checked: [...counts],
    violations: [...a.violations, ...b.violations],
    ...(known.length === 0 ? {} : { known }),
  };
}

/** Marks of several hosts as those of one run. `more`: what is counted of none of them alone. */
export function addMarks(perHost: readonly MarksSeen[], more: Partial<MarkCounts>): MarksSeen | undefined {
  const [first] = perHost;
  if (first === undefined) return undefined;
  const names = Object.keys(MARKS) as MarkName[];
  const counts = Object.fromEntries(
    names.map((name) => [name, perHost.reduce((sum, { counts: c }) => sum + c[name], more[name] ?? 0)]),
  ) as MarkCounts;
  return { ...first, counts, missing: first.ofRun.filter((name) => counts[name] === 0) };
}
