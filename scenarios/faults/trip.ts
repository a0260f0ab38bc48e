import type { MigrationNews, MigrationProcess, MigrationStep } from '../../guests/libxl/index.ts';
import type { Link, LinkTraits } from '../../sim/index.ts';

/** A migration that is about to begin: what a rule may do to it. */
export interface Trip {
  /** What the link is like; may be changed before it is there. */
  traits: LinkTraits;
  /** Each direction of the link ends by itself. */
  isHalved: boolean;
  /** Asked of each process before each of its steps: whether it is killed there. */
  readonly dies: ((process: MigrationProcess, step: MigrationStep) => boolean)[];
  /** Called with each thing that is said, and the link. */
  readonly told: ((news: MigrationNews, link: Link) => void)[];
  /** Called when the link is there. */
  readonly linked: ((link: Link) => void)[];
  /** End the guest at its source, as it would itself. */
  readonly endGuest: (reason: 'crash' | 'poweroff') => void;
}
