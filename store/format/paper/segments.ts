import type { Field, Fields } from '../schema/schema.ts';
import { fixedBytes } from '../schema/sizes.ts';

/** A field by its place: after some octets of fixed size, or after something whose size only the file tells. */
export interface Piece {
  readonly name: string;
  readonly field: Field;
  /** Octets, when it is always the same; a variant of equal cases is. */
  readonly bytes: number | undefined;
  /** Offset from the start of its run. */
  readonly at: number;
}

/** Fields that follow one another at fixed offsets; the last one may be of any size. */
export interface Run {
  /** The field of variable size before it; `undefined`: the run starts the body. */
  readonly after: string | undefined;
  readonly pieces: readonly Piece[];
}

/** Cut a layout at every field of variable size, which ends its run. */
export function runsOf(fields: Fields): readonly Run[] {
  const runs: { after: string | undefined; pieces: Piece[] }[] = [{ after: undefined, pieces: [] }];
  let at = 0;
  for (const [name, field] of Object.entries(fields)) {
    const bytes = fixedBytes(field);
    runs.at(-1)?.pieces.push({ name, field, bytes, at });
    if (bytes !== undefined) at += bytes;
    else {
      runs.push({ after: name, pieces: [] });
      at = 0;
    }
  }
  return runs.filter(({ pieces }) => pieces.length > 0);
}

/** A field as the document calls it. */
export function labelOf(name: string, field: Field | undefined): string {
  return field?.called ?? kebab(name);
}

/** `permCount` as the documents spell it: `perm-count`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
