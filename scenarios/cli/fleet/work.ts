import type { RunSpec } from '../../hunt/spec.ts';
import type { SeedReport } from '../seed-report.ts';
import type { CampaignQueue } from './queue.ts';

/**
 * Claim shares, make their runs and report them, until `leave`: what was claimed by then is still made and reported.
 * @param told called with each report that is made.
 */
export async function work(
  queue: CampaignQueue,
  run: (spec: RunSpec) => Promise<SeedReport>,
  leave: AbortSignal,
  told: (report: SeedReport) => void = () => {},
): Promise<void> {
  for (let share = await queue.claim(leave); share !== undefined; share = await queue.claim(leave)) {
    const reports: SeedReport[] = [];
    for (const spec of share.specs) {
      const report = await run(spec);
      reports.push(report);
      told(report);
    }
    await queue.report(share, reports);
  }
}
