import { checkImage } from '../check.ts';
import type { Dialect } from '../dialect.ts';
import { dumpImage, dumpJson } from '../dump.ts';
import { decodeImage } from '../image.ts';
import { imageRows } from '../rows.ts';
import type { LabFormat } from './lab-format.ts';

/** How images of versions 1 and 2 are shown and checked. */
export function imageView(dialect: Dialect): Pick<LabFormat, 'show' | 'json' | 'rows' | 'validate'> {
  return {
    show: (octets) => dumpImage(octets, { dialect }),
    json(octets) {
      const decoded = decodeImage(octets, { dialect });
      return decoded.ok ? { ok: true, value: dumpJson(decoded.value) } : decoded;
    },
    rows: (octets) => imageRows(octets, { dialect }),
    validate(octets) {
      const decoded = decodeImage(octets, { dialect });
      return decoded.ok ? checkImage(decoded.value, { dialect }) : [decoded.failure];
    },
  };
}
