import { Streams } from '../../sim/index.ts';
import { damageFile, decodeFile, encodeFile } from '../../store/format/index.ts';
import { LAB_FORMATS, type LabFormat } from '../../store/format/model/index.ts';

// Run by survive.test.ts in a process of its own: `node --expose-gc survive.js COUNT` makes COUNT files of each format and
// as many damaged ones, puts each through all that a format does with a file, and prints a line for each format: by how much
// what is held for good has grown, and what was ever taken from the host, by all formats so far.

const [count = '0'] = process.argv.slice(2);
const collect = (globalThis as { readonly gc?: () => void }).gc;
if (collect === undefined) throw new Error('wants --expose-gc');

/** What the program holds, once what nobody needs any more is gone. */
function heldBytes(): number {
  collect?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

/** Whether the file could be read. */
function isRead(format: LabFormat, octets: Uint8Array): boolean {
  const read = format.read(octets);
  const findings = format.validate(octets);
  if (!read.ok) {
    const { offset, reason } = read.failure;
    if (offset < 0 || offset > octets.length || reason === '') throw new Error('a failure without place or reason');
    if (findings.length === 0) throw new Error('refused, and nothing found');
  }
  const { rows } = format.annotate(octets);
  if (rows.reduce((sum, { bytes }) => sum + bytes.length, 0) !== octets.length) throw new Error('an octet without row');
  return read.ok;
}

/** A sound file comes back octet by octet. */
function comesBack({ format }: LabFormat, octets: Uint8Array): boolean {
  if (format === undefined) return true;
  const decoded = decodeFile(format, octets, {}, byteOrder(octets));
  const encoded = decoded.ok ? encodeFile(format, decoded.file) : decoded;
  return (
    encoded.ok && encoded.octets.every((octet, i) => octet === octets[i]) && encoded.octets.length === octets.length
  );
}

/** Of a format whose files do not tell it, what reads: records of a small type first. */
function byteOrder(octets: Uint8Array): 'little' | 'big' {
  return (octets[0] ?? 0) === 0 && octets.length > 0 ? 'big' : 'little';
}

const streams = new Streams('1');
const resident = process.memoryUsage().rss;
for (const format of LAB_FORMATS) {
  const { name } = format;
  const draws = streams.for(`survive/${name}`);
  const damage = streams.for(`survive/${name}/damage`);
  const counts = { read: 0, refused: 0 };
  const before = heldBytes();
  let most = before;
  for (let i = 0; i < Number(count); i++) {
    const made = format.generate(draws, 1 + (i % 8));
    if (!made.ok) throw new Error(made.failure.reason);
    if (!comesBack(format, made.value)) throw new Error(`${name}: file ${i} comes back as another`);
    for (const octets of [made.value, damageFile(made.value, damage)])
      counts[isRead(format, octets) ? 'read' : 'refused']++;
    if (i % 50 === 49) most = Math.max(most, heldBytes());
  }
  const residentBytes = process.resourceUsage().maxRSS * 1024 - resident;
  process.stdout.write(`${JSON.stringify({ name, ...counts, grownBytes: most - before, residentBytes })}\n`);
}
