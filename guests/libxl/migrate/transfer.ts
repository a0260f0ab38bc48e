import type { Actor, Domain, OctetReader, OctetWriter } from '../../../sim/index.ts';
import type { BuiltDomain, BuiltPorts, Daemons } from '../build.ts';
import type { Call } from '../call.ts';
import type { MigrationObserver, MigrationStep } from './news.ts';

/** How the guest was brought to its rest, as the helper's callback says it. */
export type Parked =
  /** `responded`: whether libxl remembers that the guest did (SRC-6). */
  | { readonly kind: 'parked'; readonly responded: boolean }
  /** The helper is told of no error, and looks for itself (SRC-5). */
  | { readonly kind: 'not parked'; readonly responded: boolean }
  | { readonly kind: 'failed'; readonly responded: boolean };

/** What libxl_domain_suspend is asked for. */
export interface SavePlan {
  readonly domid: number;
  readonly to: OctetWriter;
  /** SO7: called by the helper when the final set is next. */
  readonly park: () => Actor<Parked>;
  /** [sim] Of a guest that is not to notice, once it is parked: what the stream carries besides. */
  readonly unnoticed?: () => { readonly image: Uint8Array; readonly platform: Uint8Array };
  readonly observer: MigrationObserver;
  /** Asked between two steps of the helper, and of S while the helper runs: whether that process is killed there. */
  readonly dies: (process: 'S' | 'V', step: MigrationStep) => boolean;
}

/**
 * How the helper ended: well; with an error that it said; killed by a signal, which a broken pipe is (XM-3); or without S, which
 * was killed meanwhile.
 */
export type Saved = 'ok' | 'error' | 'signal' | 'S killed';

export interface LoadPlan {
  readonly domain: Domain;
  readonly ports: BuiltPorts;
  readonly daemons: Daemons;
  readonly from: OctetReader;
  /** [sim] The guest is not to notice. */
  readonly isUnnoticed?: boolean;
  readonly observer: MigrationObserver;
  readonly dies: (process: 'R' | 'W', step: MigrationStep) => boolean;
}

/** 'R killed': the domain stays as it is. */
export type Loaded = LoadedDomain | { readonly failed: string } | 'R killed';

export interface LoadedDomain {
  readonly built: BuiltDomain;
  /** [sim] Of a guest that is not to notice: its part of the store, and its ports and grants. */
  readonly image?: Uint8Array;
  readonly platform?: Uint8Array;
}

/** libxl's stream from the first octet to END, both ways. */
export interface Transfer {
  readonly save: (call: Call, plan: SavePlan) => Actor<Saved>;
  readonly load: (call: Call, plan: LoadPlan) => Actor<Loaded>;
}
