import type { GuestOs } from '../kernel/index.ts';
import type { XsLink } from '../xenstore/index.ts';
import { GrantPool } from './grant-pool.ts';
import type { DeviceObserver } from './observer.ts';

/** What the drivers of one kernel share. */
export class DeviceKernel {
  readonly os: GuestOs;
  readonly link: XsLink;
  readonly grants: GrantPool;
  observer: DeviceObserver | undefined = undefined;

  constructor(os: GuestOs, link: XsLink) {
    this.os = os;
    this.link = link;
    this.grants = new GrantPool(os);
  }
}
