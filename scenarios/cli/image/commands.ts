import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Fills, LAB_FORMATS, LOSS_POLICIES } from '../../../store/format/model/index.ts';
import { addFormatCompare } from '../format/compare.ts';
import { addFormatPaper } from '../format/paper.ts';
import { addFill, convertCommand } from './convert.ts';
import { encloseCommand, extractCommand, verifyCommand } from './enclose.ts';
import { generateCommand } from './generate.ts';
import { orUnusable } from './io.ts';
import { annotateCommand, decodeCommand, diffCommand, validateCommand } from './look.ts';

const FORMAT = '--format <name>';
const FORMAT_TEXT = 'name of a format, or path of a module that exports one (default: what the first octets tell)';

/** Adds `image` and `format` with their commands. `done` takes the exit code. */
export function addImageCommands(program: Command, done: (code: number) => void): void {
  const image = program.command('image').description('look into images of daemon state, and turn them into others');
  const look = (name: string, description: string) =>
    image.command(name).description(description).argument('<file>', 'the image').option(FORMAT, FORMAT_TEXT);
  look('decode', 'print an image record by record')
    .option('--json', 'for programs')
    .action(async (file, options) => done(await orUnusable(() => decodeCommand(file, options))));
  look('annotate', 'print every octet with the field that it belongs to')
    .option('--json', 'for programs')
    .action(async (file, options) => done(await orUnusable(() => annotateCommand(file, options))));
  look('validate', 'say what is wrong with an image').action(async (file, options) =>
    done(await orUnusable(() => validateCommand(file, options))),
  );
  image
    .command('diff')
    .description('compare what two images say, whatever their formats')
    .argument('<a>', 'an image')
    .argument('<b>', 'another')
    .option(FORMAT, FORMAT_TEXT)
    .option('--format-b <name>', 'of the second, when it is another')
    .option('--json', 'for programs')
    .action(async (a, b, options) => done(await orUnusable(() => diffCommand(a, b, options))));
  image
    .command('convert')
    .description('write an image in another format, and say what is lost')
    .argument('<file>', 'the image')
    .requiredOption('--to <name>', 'format to write, a name or the path of a module')
    .option('--from <name>', 'format to read (default: what the first octets tell)')
    .requiredOption('--out <file>', 'where to write')
    .addOption(new Option('--on-loss <policy>', 'what to do about losses').choices(LOSS_POLICIES).default('refuse'))
    .option('--domid <n>', 'the domain to write, for formats that have one in each file', number)
    .option('--from-domid <n>', 'whose image it is, for formats in which nothing says it', number)
    .option('--image-version <n>', 'version word to write, for formats that have several', number)
    .option(
      '--fill <what=n>',
      'what the image does not know: 5.mfn, 5.port, 5.guestPort, 5.uniqueId, features (repeatable)',
      fill,
      {},
    )
    .action(async (file, options) => done(await orUnusable(() => convertCommand(file, options))));

  image
    .command('generate')
    .description('write an image drawn at random')
    .requiredOption('--format <name>', 'format to write, a name or the path of a module')
    .requiredOption('--seed <n>', 'decimal digits; the same seed gives the same octets', digits)
    .option('--size <n>', 'about how many records', number, 20)
    .option('--damage', 'with one to three things broken')
    .requiredOption('--out <file>', 'where to write')
    .action(async (options) => done(await orUnusable(() => generateCommand(options))));

  image
    .command('enclose')
    .description('put an image into a saved guest, as an opaque record')
    .argument('<file>', 'the image')
    .addOption(new Option('--as <layer>', 'of the smallest guest').choices(['libxl', 'xl']).default('libxl'))
    .option('--into <file>', 'a saved guest, xl or libxl, in its place')
    .requiredOption('--out <file>', 'where to write')
    .action(async (file, options) => done(await orUnusable(async () => encloseCommand(file, options))));
  image
    .command('extract')
    .description('take an image out of a saved guest')
    .argument('<file>', 'the saved guest, xl or libxl')
    .option('--nth <n>', 'which one of a checkpointed stream, from 1 (default: the last)', number)
    .requiredOption('--out <file>', 'where to write')
    .action(async (file, options) => done(await orUnusable(async () => extractCommand(file, options))));
  image
    .command('verify')
    .description("say what Xen's verify-stream-v2 would refuse of a saved guest, images aside")
    .argument('<file>', 'the saved guest, xl or libxl')
    .action(async (file) => done(await orUnusable(async () => verifyCommand(file))));

  const format = program.command('format').description('the formats of daemon state');
  format
    .command('list')
    .description('name them')
    .option('--json', 'for programs')
    .action((options) => done(listCommand(options)));
  addFormatCompare(format, done);
  addFormatPaper(format, done);
}

function listCommand(options: { readonly json?: true }): number {
  const list = LAB_FORMATS.map(({ name, title }) => ({ name, title }));
  if (options.json) process.stdout.write(`${JSON.stringify(list, null, 2)}\n`);
  else for (const { name, title } of list) process.stdout.write(`${name.padEnd(8)} ${title}\n`);
  return 0;
}

function number(value: string): number {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(value)) throw new InvalidArgumentError('a whole number.');
  return Number(value);
}

function fill(value: string, before: Fills): Fills {
  const found = addFill(value, before);
  if (found === undefined) throw new InvalidArgumentError('as 5.mfn=1044476 or features=6.');
  return found;
}

function digits(value: string): string {
  if (!/^(0|[1-9][0-9]{0,17})$/.test(value)) throw new InvalidArgumentError('decimal digits without a leading zero.');
  return value;
}
