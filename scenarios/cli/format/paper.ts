import type { Command } from 'commander';
import type { Format } from '../../../store/format/index.ts';
import { headerOf } from '../../../store/format/paper/c-header.ts';
import { docOf } from '../../../store/format/paper/doc.ts';
import { orUnusable, writeOctets } from '../image/io.ts';
import { addKnob, KNOB, KNOB_TEXT } from '../image/knob.ts';
import { print } from '../terminal/output.ts';
import { recordFormat } from './named.ts';

/** Adds `doc` and `header` to the command `format`. `done` takes the exit code. */
export function addFormatPaper(format: Command, done: (code: number) => void): void {
  const add = (name: string, description: string, write: (format: Format) => string) =>
    format
      .command(name)
      .description(description)
      .argument('<name>', 'name of a format of records, or path of a module that exports one')
      .option(KNOB, KNOB_TEXT, addKnob, [])
      .option('--out <file>', 'where to write (default: standard output)')
      .action(async (named, options) => done(await orUnusable(() => paperCommand(named, options, write))));
  add('doc', 'write the specification of a format, in Markdown', (one) => docOf(one));
  add('header', 'write the C header of a format', (one) => headerOf(one));
}

async function paperCommand(
  name: string,
  options: { readonly out?: string; readonly knob: readonly string[] },
  write: (format: Format) => string,
): Promise<number> {
  const text = write(await recordFormat(name, options.knob));
  if (options.out === undefined) print(text);
  else writeOctets(options.out, new TextEncoder().encode(text));
  return 0;
}
