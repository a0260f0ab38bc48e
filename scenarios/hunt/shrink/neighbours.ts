import type { RunFacts } from '../facts.ts';
import { failsLike } from '../facts.ts';
import type { RunSpec } from '../spec.ts';
import { type Failing, lookAt, type Search } from './attempts.ts';

/** Between which moments an image must be written for the run to fail, and what it does outside of them. */
export interface UpdateWindow {
  /** When the image was written in runs that fail, virtual ns. */
  readonly firstNs: number;
  readonly lastNs: number;
  /** In the nearest runs that do not; `undefined`: none was found. */
  readonly before: { readonly atNs: number; readonly facts: RunFacts } | undefined;
  readonly after: { readonly atNs: number; readonly facts: RunFacts } | undefined;
}

/** Moments that are tried on each side. */
const STEPS_MAX = 16;
/** From one moment to the next, virtual ns. */
const STEP_NS = 500;

/**
 * Move the one update of a run that fails, step by step to both sides, until it fails no more. `undefined`: there is no update, or
 * more than one.
 */
export function* updateWindow({ spec, facts }: Failing, key: string): Search<UpdateWindow | undefined> {
  const [atNs] = facts.updatesNs;
  if (atNs === undefined || facts.updatesNs.length > 1 || spec.cuts?.updatesAtNs === undefined) return undefined;
  function* toward(sign: 1 | -1): Search<{ readonly last: number; readonly other: UpdateWindow['before'] }> {
    let last = atNs as number;
    for (let step = 1; step <= STEPS_MAX; step++) {
      // Steps grow, so that a wide window is measured too, and shrink no more: its edge is told as far as it is known.
      const moved = shifted(spec, sign * STEP_NS * step * Math.ceil(step / 4));
      if (moved === undefined) break;
      const seen = yield* lookAt(moved);
      const [dumpNs] = seen.updatesNs;
      if (dumpNs === undefined) continue;
      if (!failsLike(seen, key)) return { last, other: { atNs: dumpNs, facts: seen } };
      last = dumpNs;
    }
    return { last, other: undefined };
  }
  const before = yield* toward(-1);
  const after = yield* toward(1);
  return { firstNs: before.last, lastNs: after.last, before: before.other, after: after.other };
}

/** The run in which the operator asks so much later. */
export function shifted(spec: RunSpec, byNs: number): RunSpec | undefined {
  const { cuts } = spec;
  const asked = cuts?.requests?.['dom0/operator'];
  if (cuts?.updatesAtNs === undefined || asked === undefined) return undefined;
  if (cuts.updatesAtNs.some((ns) => ns + byNs < 0)) return undefined;
  const moved = asked.replace(/@(\d+)/g, (_, ns: string) => `@${Math.max(0, Number(ns) + byNs)}`);
  const updatesAtNs = cuts.updatesAtNs.map((ns) => ns + byNs);
  return { ...spec, cuts: { ...cuts, updatesAtNs, requests: { ...cuts.requests, 'dom0/operator': moved } } };
}
