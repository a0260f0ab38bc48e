import { liveUpdateMidTraffic } from '../../scenarios/catalogue/live-update-mid-traffic.ts';
import type { RunResult } from '../../scenarios/engine/scenario.ts';
import type { Setting } from '../../scenarios/engine/settings.ts';
import { losing } from '../../scenarios/story/index.ts';
import type { StateRecord } from '../../store/format/index.ts';
import type { StateFormat } from '../../store/format/model/index.ts';

/** The headline scenario, shorter by default: tests run many of them. */
export function headline(
  options: {
    readonly seed?: string;
    readonly format?: string;
    readonly lab?: StateFormat;
    readonly set?: Record<string, Setting>;
    readonly passImage?: (image: Uint8Array, n: number) => Uint8Array;
    readonly execFails?: (n: number) => boolean;
  } = {},
): RunResult {
  return liveUpdateMidTraffic.run({
    seed: options.seed ?? '1',
    format: options.format ?? options.lab?.name ?? 'v2',
    lab: options.lab,
    settings: { requests: 3_000, ...options.set },
    passImage: options.passImage,
    execFails: options.execFails,
    checks: true,
    judgesUnfinished: options.lab !== undefined,
  });
}

/** A successor that is handed another image than was written: each record changed, dropped (`undefined`) or kept. */
export function tamper(
  change: (record: StateRecord, index: number) => StateRecord | undefined,
): (image: Uint8Array) => Uint8Array {
  return losing(change).passImage;
}

/** Names of the broken invariants. */
export function broken(result: RunResult): string[] {
  return result.verdicts.filter((v) => v.violations.length > 0).map((v) => v.invariant);
}
