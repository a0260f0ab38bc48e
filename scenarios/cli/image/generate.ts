import { Streams } from '../../../sim/index.ts';
import { damageFile, formatFailure } from '../../../store/format/index.ts';
import { tell, writeOctets } from './io.ts';
import { formatTaken } from './named.ts';

export interface GenerateOptions {
  readonly format: string;
  readonly seed: string;
  readonly size: number;
  readonly damage?: true;
  readonly out: string;
  readonly knob: readonly string[];
}

/** Write a file drawn at random: a sound one, or one with a few things broken. The same seed gives the same octets. */
export async function generateCommand(options: GenerateOptions): Promise<number> {
  const format = await formatTaken(options.format, options);
  const streams = new Streams(options.seed);
  const made = format.generate(streams.for(`image/generate/${format.name}`), options.size);
  if (!made.ok) return tell([`${options.out}: ${formatFailure(made.failure)}`]);
  const octets = options.damage ? damageFile(made.value, streams.for(`image/damage/${format.name}`)) : made.value;
  writeOctets(options.out, octets);
  return 0;
}
