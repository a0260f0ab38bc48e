import type { MigrationNews, MigrationProcess, MigrationStep } from '../../guests/libxl/index.ts';
import type { Domain, Link, LinkTraits } from '../../sim/index.ts';

/** How a guest takes the request to suspend itself: it does; it does not hear it; it takes it, and runs on, or parks so late, ns. */
export type GuestWill = 'helps' | 'deaf' | 'runs on' | { readonly lateNs: number };

/** Somebody else who gives the domain another name for a while, ns. */
export interface Renamer {
  readonly at: 'source' | 'target';
  readonly afterNs: number;
  readonly holdNs: number;
}

/** A migration that is about to begin: what a rule may do to it. */
export interface Trip {
  /** The guest's, at its source. */
  readonly domain: Domain;
  will: GuestWill;
  /** From where S, or R, is about to rename the guest itself; `undefined`: nobody. */
  renamer: Renamer | undefined;
  /** A source that is resumed: its store is not told (XS_RESUME). */
  losesResume: boolean;
  /** What the link is like; may be changed before it is there. */
  traits: LinkTraits;
  /** Each direction of the link ends by itself. */
  isHalved: boolean;
  /** How long S waits for an answer of the guest, and how long it stands still before it destroys the source, ns; `undefined`: as in
   *  life. */
  patienceNs: number | undefined;
  destroysAfterNs: number | undefined;
  /** The destination has no memory for the guest; its store does not take it; a script of one of its devices ends so. */
  lacksMemory: boolean;
  isNotIntroduced: boolean;
  script: 'works' | 'error' | 'hangs';
  /** Asked of each process before each of its steps: whether it is killed there. */
  readonly dies: ((process: MigrationProcess, step: MigrationStep) => boolean)[];
  /** Called with each thing that is said, and the link. */
  readonly told: ((news: MigrationNews, link: Link) => void)[];
  /** Called when the link is there. */
  readonly linked: ((link: Link) => void)[];
  /** End the guest at its source, as it would itself. */
  readonly endGuest: (reason: 'crash' | 'poweroff') => void;
}
