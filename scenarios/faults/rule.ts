import type {
  BuiltDomain,
  ClientHabits,
  GuestOs,
  SocketHabits,
  Traffic,
  XsClient,
  XsSocket,
} from '../../guests/index.ts';
import type { Domain, EdgeVerdict, Machine, Port, Stream } from '../../sim/index.ts';
import type { StoreProcess } from '../../store/index.ts';
import type { Doing } from './doings.ts';
import type { Trip } from './trip.ts';

/** As much of a host as faults have to do with. */
export interface FaultHost {
  readonly machine: Machine;
  readonly dom0: { readonly os: GuestOs; readonly client: XsClient };
  /** Those that were booted; rules strike no others. */
  readonly guests: readonly { readonly os: GuestOs }[];
  readonly store: Pick<StoreProcess, 'ports' | 'allocationFails' | 'jumpWallClock'>;
  /** The domain in which the store runs. */
  readonly storeDomid: number;
  readonly storeDomain: Domain;
  readonly traffic: Pick<Traffic, 'conflicts'>;
  /** A program of dom0 opens the daemon's socket. */
  socket(program: string, habits?: SocketHabits): XsSocket;
}

/** What can be broken, and what must hold all the same. Names are those of the specification's injection catalogue. */
export interface FaultRule {
  readonly id: string;
  /** What happens to whom. */
  readonly what: string;
  readonly mustHold: string;
  /** Without all of these it never strikes, and is not offered; left out: it strikes anywhere. */
  readonly needs?: readonly Doing[];
  /** It strikes in every run that has what it needs, however short. */
  readonly isSure?: true;
  /** Rarest and most frequent weight: one in so many of its occasions. */
  readonly oneIn: readonly [most: number, least: number];
  readonly arm: (armed: Armed) => Hooks;
}

/** One enabled rule of a run. */
export interface Armed {
  readonly host: FaultHost;
  /** A stream of the rule's own: another rule's draws do not move its. */
  readonly draws: Stream;
  /** Whether this occasion is one. */
  readonly strikes: () => boolean;
  /** Whether traffic is coming to its end. */
  readonly isOver: () => boolean;
  /** To be called with each injection: it goes into the trace and is counted. */
  readonly injected: (detail: string) => void;
  /** What an injection had changed for a while is as it was: from now on it excuses nothing. */
  readonly over: () => void;
}

/** Where a rule comes in; absent ones cost nothing. */
export interface Hooks {
  /** An event on its way; `undefined`: no matter of this rule. */
  readonly edge?: (domain: Domain, port: Port) => EdgeVerdict | undefined;
  readonly virqContended?: () => boolean;
  /** Something done now and then by nobody in particular: called after each pause that it gives itself, in ns. */
  readonly now?: { readonly everyNs: readonly [min: number, max: number]; readonly act: () => void };
  /** A guest boots. */
  readonly habits?: (habits: ClientHabits) => ClientHabits;
  /** A domain was built and is about to be introduced. */
  readonly beforeIntroduce?: (built: BuiltDomain) => void;
  /** A domain is about to be destroyed. */
  readonly beforeDestroy?: (domain: Domain) => void;
  /** The toolstack's process dies here. */
  readonly toolstackDies?: () => boolean;
  /** Whether the next domain is to take the id of the one that went last; told of it when it has. */
  readonly reusesDomid?: () => ((domid: number) => void) | undefined;
  /** The image of a live update on its way to the successor. */
  readonly passImage?: (image: Uint8Array) => Uint8Array;
  /** exec(2) of the successor fails, when the VIRQ was let go of already. */
  readonly execFails?: () => boolean;
  /** Whether the store's accesses to rings are each a step of its own. */
  readonly storeMovesInSteps?: () => boolean;
  /** A migration is about to begin at this host. */
  readonly trip?: (trip: Trip) => void;
  /** Moments of live updates, in requests or ns. */
  readonly updates?: (moments: readonly number[]) => readonly number[];
}

/** A rule as it was drawn: what is printed before the run, and how often it struck. */
export interface PlannedFault {
  readonly id: string;
  readonly what: string;
  readonly mustHold: string;
  readonly oneIn: number;
  readonly injected: number;
}
