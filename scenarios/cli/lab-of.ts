import type { LabFormat } from '../../store/format/model/index.ts';
import { namedFormat } from './image/named.ts';

/**
 * The format whose files updates go through; undefined for `v1` and `v2`, for which the daemon has images of its own (G3.2
 * and G4.1, the same formats, go through the neutral state like all others). Errors: Unusable.
 */
export async function labOf(name: string): Promise<LabFormat | undefined> {
  return name === 'v1' || name === 'v2' ? undefined : namedFormat(name);
}
