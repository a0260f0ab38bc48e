import type { KeyValues } from '../xenstore/index.ts';
import type { ConsoleNOptions, Device } from './device-kinds.ts';

export type DomainType = 'pv' | 'pvh' | 'hvm';

/** A domain as its configuration file asks for it. */
export interface DomainPlan {
  readonly name: string;
  /** Left out: the next free one, in Xen's order. `random`: drawn from the caller's stream. */
  readonly domid?: number | 'random';
  /** Left out: made of the domain's unique id. A domain that is started again has its old one. */
  readonly uuid?: string;
  /** Left out: pvh. */
  readonly type?: DomainType;
  /** Left out: one. */
  readonly vcpus?: number;
  /** Of `vcpus`, those that are online at first; left out: all. */
  readonly vcpusOnline?: number;
  readonly memoryKb?: number;
  readonly targetKb?: number;
  readonly videoKb?: number;
  /** What a PV guest's builder was told. */
  readonly kernel?: string;
  readonly cmdline?: string;
  readonly disks?: readonly Device[];
  readonly nics?: readonly Device[];
  /** Consoles beside the primary one. */
  readonly channels?: readonly ConsoleNOptions[];
  /** Primary console: its nodes alone, or with a daemon whose tty libxl waits for. Left out: no console at all. */
  readonly console?: 'nodes' | 'attended';
  readonly xsdata?: KeyValues;
  readonly platform?: KeyValues;
  readonly isDriverDomain?: boolean;
  /** Bits of the store's features that the domain may see; left out: it is not asked about. */
  readonly featureMask?: number;
  /** Quota of the domain by name; left out: the store's own. */
  readonly quota?: KeyValues;
}

/** Memory of a guest whose plan does not say. */
export const MEMORY_KB = 131_072;
