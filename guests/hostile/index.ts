import { ADVISORY_KINDS } from './advisories.ts';
import type { HostileKind } from './attacker.ts';
import { BIRTH_KINDS } from './birth.ts';
import { REQUEST_KINDS } from './requests.ts';
import { RING_KINDS } from './rings.ts';

export { entrustedTo } from './advisories.ts';
export { Attacker, type Consequence, type HostileKind, type StoreVersion } from './attacker.ts';
export { requestOctets, said } from './raw-ring.ts';
export { BAD_SUSPENDERS, type BadSuspender } from './suspends.ts';

/** Every kind of hostile guest. */
export const HOSTILE_KINDS: readonly HostileKind[] = [
  ...RING_KINDS,
  ...REQUEST_KINDS,
  ...BIRTH_KINDS,
  ...ADVISORY_KINDS,
];
