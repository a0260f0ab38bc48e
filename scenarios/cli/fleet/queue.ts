import { octets } from '../../../guests/index.ts';
import { Digest } from '../../../sim/index.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import type { SeedReport } from '../seed-report.ts';

/** Some runs of a campaign that one worker makes, in order; plain data. */
export interface Share {
  /** Of the campaign and of what is in it: the same share again has the same. */
  readonly id: string;
  readonly specs: readonly RunSpec[];
}

/**
 * A campaign's runs, between who wants them and who makes them: threads of this process, or a fleet. Whatever dies, each share is
 * reported once: runs are functions of their specs, and a share that is made twice has the same reports.
 */
export interface CampaignQueue {
  /** Put a share in. One that is in it already, waiting, claimed or reported, is not put in again. */
  submit(share: Share): Promise<void>;
  /** The share that has waited longest, once there is one; of one whose worker has gone silent, too. `undefined`: `leave` came first. */
  claim(leave: AbortSignal): Promise<Share | undefined>;
  /** What came of a share that was claimed. If somebody else has it by now nothing happens. */
  report(share: Share, reports: readonly SeedReport[]): Promise<void>;
  /** The reports on a share that was submitted, once they are there; after that it is forgotten. */
  merge(share: Share): Promise<readonly SeedReport[]>;
  /** Let go of it. What is in a fleet's stays there. */
  close(): Promise<void>;
}

/** @param campaign its name; sixteen hex digits of it and of the specs are the id. */
export function shareOf(campaign: string, specs: readonly RunSpec[]): Share {
  return { id: nameOf([campaign, specs]), specs };
}

/** Sixteen hex digits that tell plain data from other. */
export function nameOf(data: unknown): string {
  const bytes = octets(JSON.stringify(data).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`));
  const digest = new Digest();
  digest.octets(bytes, 0, bytes.length);
  return digest.hex();
}
