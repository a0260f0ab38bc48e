import { daemons } from './dialects/daemons.ts';
import type { Format } from './file/format.ts';
import { d1 } from './generations/d1.ts';
import { d4 } from './generations/d4.ts';
import { g1 } from './generations/g1.ts';
import { g2 } from './generations/g2.ts';
import { g30 } from './generations/g3-0.ts';
import { g31 } from './generations/g3-1.ts';
import { g32 } from './generations/g3-2.ts';
import { g40 } from './generations/g4-0.ts';
import { g41 } from './generations/g4-1.ts';
import { r1 } from './generations/r1.ts';

const GENERATIONS: readonly Format[] = [g1, g2, r1, d1, d4, g30, g31, g32, g40, g41];
const ALL: readonly Format[] = [...GENERATIONS, ...daemons];

/** Generations of the document in the order of history, then the daemons, oldest first. */
export function allFormats(): readonly Format[] {
  return ALL;
}

/** The format of that name or alias, upper or lower case alike. `undefined` = there is none. */
export function formatNamed(name: string): Format | undefined {
  const wanted = name.toLowerCase();
  return ALL.find((one) => [one.name, ...(one.aliases ?? [])].some((known) => known.toLowerCase() === wanted));
}
