import { decodeImage, encodeImage, type StateRecord, v1, v2 } from '../../store/format/index.ts';

/** A record of an image becomes another, or is lost (`undefined`). */
export type Change = (record: StateRecord, index: number) => StateRecord | undefined;

/**
 * A store that is broken on purpose: over an update each record of its image becomes what `change` makes of it. For `breaks` of a
 * story, to see its checks bark. Throws under the run for a format that has no records of this kind.
 */
export function losing(change: Change): { readonly passImage: (image: Uint8Array) => Uint8Array } {
  return {
    passImage: (image) => {
      const decoded = decodeImage(image);
      if (!decoded.ok) throw new Error('`losing` reads images of v1 and v2 alone');
      const records = decoded.value.records.flatMap((record, i) => change(record, i) ?? []);
      const encoded = encodeImage({ ...decoded.value, records }, decoded.value.version === 1 ? v1 : v2);
      if (!encoded.ok) throw new Error('`losing`: what became of the image cannot be written');
      return encoded.value.slice();
    },
  };
}
