import { checkImage } from '../check.ts';
import type { FormatFailure } from '../cursor.ts';
import { type Dialect, v1, v2 } from '../dialect.ts';
import { dumpImage, dumpJson } from '../dump.ts';
import { decodeImage, encodeImage } from '../image.ts';
import type { StateRecord } from '../records.ts';
import { imageRows } from '../rows.ts';
import { type Carrier, carriageOf } from './carriage.ts';
import { recordsOfState, stateOfRecords } from './image-model.ts';
import type { LabFormat } from './lab-format.ts';
import type { LooseRecord } from './loose.ts';

/** Images of one dialect: `v1` or `v2`. */
export function imageFormat(dialect: Dialect, carrier: Carrier): LabFormat {
  return {
    name: dialect.name,
    aliases: [],
    title: `${dialect.generation}, as ${dialect.daemon} writes it`,
    carriage: carriageOf(carrier),
    read(octets) {
      const decoded = decodeImage(octets, { dialect });
      if (!decoded.ok) return decoded;
      const warnings = checkImage(decoded.value, { dialect });
      return {
        ok: true,
        value: {
          state: stateOfRecords(
            decoded.value.records as readonly StateRecord[] as readonly LooseRecord[],
            decoded.value.bigEndian,
          ),
          warnings,
        },
      };
    },
    write(state, options) {
      const { version = dialect.version, bigEndian = false } = options;
      const { records, assumptions } = recordsOfState(state, {
        specialsFirst: dialect === v1,
        ports: ['port'],
        hasMfn: false,
      });
      const encoded = encodeImage(
        { version, bigEndian, records: records as unknown as readonly StateRecord[] },
        dialect,
      );
      if (!encoded.ok) return encoded;
      return { ok: true, value: { octets: encoded.value, assumptions } };
    },
    show: (octets) => dumpImage(octets, { dialect }),
    json(octets) {
      const decoded = decodeImage(octets, { dialect });
      return decoded.ok ? { ok: true, value: dumpJson(decoded.value) } : decoded;
    },
    rows: (octets) => imageRows(octets, { dialect }),
    validate(octets): readonly FormatFailure[] {
      const decoded = decodeImage(octets, { dialect });
      return decoded.ok ? checkImage(decoded.value, { dialect }) : [decoded.failure];
    },
  };
}

export const imageFormats: readonly LabFormat[] = [imageFormat(v1, 'G3.2'), imageFormat(v2, 'G4.1')];
