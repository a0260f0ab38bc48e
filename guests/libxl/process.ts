import type { GuestOs, Thread } from '../kernel/index.ts';
import type { XsLink } from '../xenstore/index.ts';
import type { HotplugScripts } from './hotplug-script.ts';
import { Lock } from './lock.ts';
import type { Mishaps } from './mishaps.ts';
import type { LibxlObserver } from './observer.ts';
import type { SharedFiles } from './shared-files.ts';
import { WatchSlots } from './watch-slots.ts';

/** How long each wait may take. Source: LIBXL_*_TIMEOUT in tools/libs/light/libxl_internal.h. */
export const INIT_TIMEOUT_NS = 10_000_000_000;
export const DESTROY_TIMEOUT_NS = 10_000_000_000;
export const HOTPLUG_TIMEOUT_NS = 40_000_000_000;

/** The domain that a toolstack runs in. Source: LIBXL_TOOLSTACK_DOMID. */
export const TOOLSTACK_DOMID = 0;

/** How an operation of libxl ends; 0 is success. Source: libxl_error in tools/libs/light/libxl_types.idl. */
export type Rc =
  | 0
  | 'ERROR_FAIL'
  | 'ERROR_INVAL'
  | 'ERROR_TIMEDOUT'
  | 'ERROR_DEVICE_EXISTS'
  | 'ERROR_DOMAIN_NOTFOUND'
  | 'ERROR_NOPARAVIRT';

export interface LibxlOptions {
  /** Rounds of a transaction before libxl gives up; left out: it never does (TS-3). */
  readonly roundsMax?: number;
  /** Goes before each watch's token where other programs share the connection. */
  readonly tokenPrefix?: string;
  /** Whether backends are there to answer; if not, nobody waits for their states. Left out: they are. */
  readonly hasBackends?: boolean;
  /** Left out: no device has a script. */
  readonly hotplug?: HotplugScripts;
  /** What the processes of one host share. */
  readonly shared: SharedFiles;
  /** Told what is done; left out: nobody. */
  readonly observer?: LibxlObserver | undefined;
  /** What comes between its steps; left out: nothing. */
  readonly mishaps?: Mishaps | undefined;
  /** Domains are made bare, with the store in this domain; left out: as libxl makes them. */
  readonly bareBeside?: number | undefined;
}

/**
 * One process that uses libxl, with its own connection to xenstore (TS-1). Calls to the store are synchronous in life: while
 * one part of the process does a transaction, every other part of it stands still. They overlap in their waits only.
 */
export class Libxl {
  readonly os: GuestOs;
  readonly link: XsLink;
  readonly lock = new Lock();
  readonly watches: WatchSlots;
  readonly roundsMax: number;
  readonly hasBackends: boolean;
  readonly hotplug: HotplugScripts | undefined;
  readonly shared: SharedFiles;
  readonly observer: LibxlObserver | undefined;
  readonly mishaps: Mishaps | undefined;
  /** Whether domains are made with nothing but a ring and a home. */
  readonly isBare: boolean;
  /** Where such domains find the store; libxl reads it there. */
  readonly storeDomid: number;
  #actors = 0;

  constructor(os: GuestOs, link: XsLink, options: LibxlOptions) {
    this.os = os;
    this.link = link;
    this.watches = new WatchSlots(options.tokenPrefix ?? '');
    this.hasBackends = options.hasBackends ?? true;
    this.hotplug = options.hotplug;
    this.shared = options.shared;
    this.observer = options.observer;
    this.mishaps = options.mishaps;
    this.isBare = options.bareBeside !== undefined;
    this.storeDomid = options.bareBeside ?? 0;
    this.roundsMax = options.roundsMax ?? Number.POSITIVE_INFINITY;
  }

  /** A name for one more actor of this process. */
  actorName(of: Thread, what: string): string {
    const prefix = `${this.os.domain.name}/`;
    const parent = of.name.startsWith(prefix) ? of.name.slice(prefix.length) : of.name;
    return `${parent}/${what}-${++this.#actors}`;
  }
}
