import { FileReader } from '../file/reader.ts';
import { allFormats } from '../formats.ts';
import { v1, v2 } from '../image.ts';
import { binaryFormat } from './binary-format.ts';
import { imageView } from './image-view.ts';
import type { LabFormat } from './lab-format.ts';
import { TEXT_DUMP_HEADER } from './text-dump.ts';
import { textFormat } from './text-format.ts';
import { TEXT_LAYOUTS } from './text-layout.ts';

/** The two that live update writes have a text of their own. */
const VIEWS: Readonly<Record<string, ReturnType<typeof imageView>>> = { 'G3.2': imageView(v1), 'G4.1': imageView(v2) };

/** Every format that can be read and written, oldest first. */
export const LAB_FORMATS: readonly LabFormat[] = [
  ...allFormats().map((format) => ({ ...binaryFormat(format), ...VIEWS[format.name] })),
  ...TEXT_LAYOUTS.map(textFormat),
];

/** The format of this name or alias, in capitals or not. */
export function formatOf(name: string): LabFormat | undefined {
  const is = (other: string) => other.toLowerCase() === name.toLowerCase();
  return LAB_FORMATS.find((format) => is(format.name) || format.aliases.some(is));
}

/**
 * What the first octets tell: `v1` and `v2` by their header, the latter also when an image of version 1 has records that
 * only its daemons write; `Ox-c`, which all readers take, by the first line of a dump. The others do not say.
 */
export function detectFormat(octets: Uint8Array): LabFormat | undefined {
  const first = TEXT_DUMP_HEADER.length;
  if ([...TEXT_DUMP_HEADER].every((c, i) => octets[i] === c.charCodeAt(0)) && (octets[first] ?? 0x0a) === 0x0a)
    return formatOf('Ox-c');
  const isImage = octets[0] === 0x78 && octets[1] === 0x65;
  if (!isImage) return undefined;
  const { header } = new FileReader(v2, octets);
  return formatOf(header?.version === 1 && !hasNewRecords(octets, header.byteOrder === 'big') ? 'v1' : 'v2');
}

/** Whether there is a record of types 6 to 8, as C-4.21 and later also write them under version 1. */
function hasNewRecords(octets: Uint8Array, bigEndian: boolean): boolean {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  for (let at = v2.headerBytes; at + 8 <= octets.length; ) {
    const type = view.getUint32(at, !bigEndian);
    if (type === 0) return false;
    if (type >= 6 && type <= 8) return true;
    const len = view.getUint32(at + 4, !bigEndian);
    at += 8 + len + (-len & 7);
  }
  return false;
}
