import type { Domain } from '../domains/domain.ts';
import { fail } from '../errors.ts';
import type { Gfn } from '../ids.ts';
import { PAGE_BYTES } from '../memory.ts';
import { GTF_permit_access, GTF_reading, GTF_type_mask, GTF_writing } from './abi.ts';
import { loadFlags, loadStatus, statusFramesFor, storeFlags, storeStatus } from './layout.ts';

/*
 * The grant table of a domain that is to be moved without its help (NC-11): entries are the guest's own octets, in frames that
 * are lent to it, so that no page of its memory has them. Xen 4.22 has no call for it.
 */

/** A frame of a grant table, and where the guest finds it. */
export interface CarriedFrame {
  readonly gfn: Gfn;
  /** 4096 of them. */
  readonly octets: Uint8Array;
}

export interface GrantsImage {
  readonly version: 1 | 2;
  readonly frames: readonly CarriedFrame[];
  /** Of version 2: as many as the frames need. */
  readonly statusFrames: readonly CarriedFrame[];
}

/** Take out the table of a domain that does not run. Errors: EBUSY it may run. */
export function takeGrants(domain: Domain): GrantsImage {
  if (domain.isRunning) fail('EBUSY', `domain ${domain.domid} runs`);
  const { version, frames, statusFrames } = domain.grants;
  const all = (list: typeof frames) => list.map(({ gfn, bytes }) => ({ gfn, octets: bytes.slice() }));
  return { version, frames: all(frames), statusFrames: all(statusFrames) };
}

/**
 * Put it into a new domain, octet for octet at the same gfns, but for the bits by which Xen shows that an entry is in use: nobody
 * has a page of this domain yet, and who maps one shows it again. Reserved entries are what they were: nothing is seeded.
 * All or nothing. Errors: EBUSY it has run, or an entry is in use; EINVAL what cannot be; ENOSPC more frames than it may have;
 * ENOSYS a version that it may not have.
 */
export function putGrants(domain: Domain, { version, frames, statusFrames }: GrantsImage): void {
  const { grants } = domain;
  if (domain.isCreationFinished || domain.dying !== 'alive') fail('EBUSY', `domain ${domain.domid} is no new one`);
  if (grants.pinned().length > 0) fail('EBUSY', `reference ${grants.pinned()[0]?.[0]} is in use`);
  if (version !== 1 && version !== 2) fail('EINVAL', `grant table version ${version}`);
  if (version > grants.limits.version) fail('ENOSYS', `grant table version ${version}`);
  if (frames.length < 1) fail('EINVAL', 'no grant frame');
  if (frames.length > grants.limits.grantFrames) fail('ENOSPC', `${frames.length} grant frames`);
  const needed = version === 2 ? statusFramesFor(frames.length) : 0;
  if (statusFrames.length !== needed) fail('EINVAL', `${statusFrames.length} status frames instead of ${needed}`);
  const all = [...frames, ...statusFrames];
  if (all.some(({ octets }) => octets.length !== PAGE_BYTES)) fail('EINVAL', 'a frame that is no page');
  if (new Set(all.map(({ gfn }) => gfn)).size !== all.length) fail('EINVAL', 'two frames at one gfn');
  grants.replace(
    version,
    frames.length,
    all.map(({ gfn }) => gfn),
  );
  for (const [i, { octets }] of frames.entries()) grants.frames[i]?.bytes.set(octets);
  for (const [i, { octets }] of statusFrames.entries()) grants.statusFrames[i]?.bytes.set(octets);
  for (let gref = 0; gref < grants.size; gref++) {
    if (version === 2) storeStatus(grants, gref, loadStatus(grants, gref) & ~(GTF_reading | GTF_writing));
    // The same bits of an offered transfer say how far that has come.
    else if ((loadFlags(grants, gref) & GTF_type_mask) === GTF_permit_access)
      storeFlags(grants, gref, loadFlags(grants, gref) & ~(GTF_reading | GTF_writing));
  }
}
