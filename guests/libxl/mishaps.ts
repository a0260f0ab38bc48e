import type { Domain } from '../../sim/index.ts';
import type { BuiltDomain } from './build.ts';

/** What can happen to a toolstack, and to domains in its hands; a host gives it to every process of its toolstack. */
export interface Mishaps {
  /** Asked between two operations: whether the process that builds this domain dies here (TS-8). */
  toolstackDies(): boolean;
  /** Whether the next domain is to have the id of the one that went last; told of it when it has. */
  reusesDomid(): ((domid: number) => void) | undefined;
  /** A domain was built, and is about to be introduced. */
  beforeIntroduce(built: BuiltDomain): void;
  /** A domain's nodes are gone, and its end is about to be asked for (TS-11). */
  beforeDestroy(domain: Domain): void;
}
