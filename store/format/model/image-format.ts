import type { Dialect } from '../dialect.ts';
import { decodeImage } from '../image.ts';
import { dumpImage, dumpJson } from './image-text.ts';
import type { LabFormat } from './lab-format.ts';

/** How images of versions 1 and 2 are shown: with the messages in their buffers. */
export function imageView(dialect: Dialect): Pick<LabFormat, 'show' | 'json'> {
  return {
    show: (octets) => dumpImage(octets, { dialect }),
    json(octets) {
      const decoded = decodeImage(octets, { dialect });
      return decoded.ok ? { ok: true, value: dumpJson(decoded.value) } : decoded;
    },
  };
}
