import { Digest, type Domain, writableByOthers } from '../../sim/index.ts';
import type { MemorySnap } from '../judge/invariants/index.ts';

/** What a domain's own pages hold now; those that Xen lends it are not among them. */
export function snapOf(domain: Domain): MemorySnap {
  const pages = new Map<number, string>();
  const shared = writableByOthers(domain.grants);
  for (const frame of domain.memory.frames) {
    if (frame.isSpecial) continue;
    const digest = new Digest();
    digest.octets(frame.bytes, 0, frame.bytes.length);
    pages.set(frame.gfn, digest.hex());
    if (frame.refs > 0) shared.add(frame.gfn);
  }
  return { pages, shared };
}
