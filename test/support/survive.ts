import { Streams } from '../../sim/index.ts';
import { damageFile, decodeFile, encodeFile } from '../../store/format/index.ts';
import { formatOf, LAB_FORMATS } from '../../store/format/model/index.ts';

// Run by survive.test.ts in a process of its own: `node --expose-gc survive.js FORMAT COUNT` makes COUNT files and as many
// damaged ones, puts each through all that a format does with a file, and prints by how
// much the memory has grown: what was held for good, and what was ever taken from the host.

const [name = '', count = '0'] = process.argv.slice(2);
const format = formatOf(name);
if (format === undefined) throw new Error(`no format ${name}; ${LAB_FORMATS.map((one) => one.name).join(', ')}`);
const collect = (globalThis as { readonly gc?: () => void }).gc;
if (collect === undefined) throw new Error('wants --expose-gc');

/** What the program holds, once what nobody needs any more is gone. */
function heldBytes(): number {
  collect?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

const streams = new Streams('1');
const draws = streams.for(`survive/${name}`);
const damage = streams.for(`survive/${name}/damage`);
const counts = { read: 0, refused: 0 };

function use(octets: Uint8Array): void {
  const read = format?.read(octets);
  const findings = format?.validate(octets) ?? [];
  if (read?.ok) counts.read++;
  else {
    counts.refused++;
    const { offset, reason } = read?.failure ?? { offset: -1, reason: '' };
    if (offset < 0 || offset > octets.length || reason === '') throw new Error(`a failure without place or reason`);
    if (findings.length === 0) throw new Error('refused, and nothing found');
  }
  const { rows } = format?.annotate(octets) ?? { rows: [] };
  if (rows.reduce((sum, { bytes }) => sum + bytes.length, 0) !== octets.length) throw new Error('an octet without row');
}

/** A sound file comes back octet by octet. */
function comesBack(octets: Uint8Array): boolean {
  if (format?.format === undefined) return true;
  const decoded = decodeFile(format.format, octets, {}, byteOrder(octets));
  const encoded = decoded.ok ? encodeFile(format.format, decoded.file) : decoded;
  return (
    encoded.ok && encoded.octets.every((octet, i) => octet === octets[i]) && encoded.octets.length === octets.length
  );
}

/** Of a format whose files do not tell it, what reads: records of a small type first. */
function byteOrder(octets: Uint8Array): 'little' | 'big' {
  return (octets[0] ?? 0) === 0 && octets.length > 0 ? 'big' : 'little';
}

const before = heldBytes();
const resident = process.memoryUsage().rss;
let most = before;
for (let i = 0; i < Number(count); i++) {
  const made = format.generate(draws, 1 + (i % 8));
  if (!made.ok) throw new Error(made.failure.reason);
  if (!comesBack(made.value)) throw new Error(`file ${i} comes back as another`);
  use(made.value);
  use(damageFile(made.value, damage));
  if (i % 50 === 49) most = Math.max(most, heldBytes());
}
process.stdout.write(
  `${JSON.stringify({ ...counts, grownBytes: most - before, residentBytes: process.resourceUsage().maxRSS * 1024 - resident })}\n`,
);
