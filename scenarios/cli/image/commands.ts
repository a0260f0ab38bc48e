import { type Command, InvalidArgumentError, Option } from 'commander';
import { EMBED_POSITIONS, USUAL_EMBEDDING } from '../../../store/format/enclosing/libxl.ts';
import { type Fills, LOSS_POLICIES, type Renumbering } from '../../../store/format/model/index.ts';
import { addFormatCompare } from '../format/compare.ts';
import { addFormatPaper } from '../format/paper.ts';
import { addFill, convertCommand, renumberingOf } from './convert.ts';
import { encloseCommand, extractCommand, verifyCommand } from './enclose.ts';
import { generateCommand } from './generate.ts';
import { orUnusable } from './io.ts';
import { addKnob, KNOB, KNOB_TEXT } from './knob.ts';
import { listCommand } from './list.ts';
import { annotateCommand, decodeCommand, diffCommand, validateCommand } from './look.ts';
import { recordsCommand } from './stream-records.ts';

/** More records than this take minutes to draw. */
const SIZE_MAX = 100_000;
/** CHECKPOINT_STATE, the last type of the libxl stream that is taken. */
const LIBXL_TYPE_LAST = 5;
const EMBED_TYPE = '--embed-type <n>';
const EMBED_TYPE_TEXT = 'type of the libxl record that has the image, which no release tells';
const FORMAT = '--format <name>';
const FORMAT_TEXT = 'name of a format, or path of a module that exports one (default: what the first octets tell)';

/** Adds `image` and `format` with their commands. `done` takes the exit code. */
export function addImageCommands(program: Command, done: (code: number) => void): void {
  const image = program.command('image').description('look into images of daemon state, and turn them into others');
  const look = (name: string, description: string) =>
    image
      .command(name)
      .description(description)
      .argument('<file>', 'the image')
      .option(FORMAT, FORMAT_TEXT)
      .option(KNOB, KNOB_TEXT, addKnob, [])
      .option('--as-read', "as the format's own reader takes it, where that differs from what its writer writes");
  look('decode', 'print an image record by record')
    .option('--json', 'for programs')
    .action(async (file, options) => done(await orUnusable(() => decodeCommand(file, options))));
  look('annotate', 'print every octet with the field that it belongs to')
    .option('--json', 'for programs')
    .action(async (file, options) => done(await orUnusable(() => annotateCommand(file, options))));
  look('validate', 'say what is wrong with an image')
    .option('--json', 'for programs')
    .action(async (file, options) => done(await orUnusable(() => validateCommand(file, options))));
  image
    .command('diff')
    .description('compare what two images say, whatever their formats')
    .argument('<a>', 'an image')
    .argument('<b>', 'another')
    .option(FORMAT, FORMAT_TEXT)
    .option('--format-b <name>', 'of the second, when it is another')
    .option(KNOB, `${KNOB_TEXT}, for both`, addKnob, [])
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
    .option(KNOB, `${KNOB_TEXT}, for what is written`, addKnob, [])
    .option('--from-knob <name=value>', 'the same for what is read (repeatable)', addKnob, [])
    .option('--renumber <old=new>', 'another number for a domain; wants --knob renumberDomid=rewrite', renumber)
    .action(async (file, options) => done(await orUnusable(() => convertCommand(file, options))));

  image
    .command('generate')
    .description('write an image drawn at random')
    .requiredOption('--format <name>', 'format to write, a name or the path of a module')
    .requiredOption('--seed <n>', 'decimal digits; the same seed gives the same octets', digits)
    .option('--size <n>', 'about how many records', size, 20)
    .option('--damage', 'with one to three things broken')
    .option(KNOB, KNOB_TEXT, addKnob, [])
    .requiredOption('--out <file>', 'where to write')
    .action(async (options) => done(await orUnusable(() => generateCommand(options))));

  image
    .command('enclose')
    .description('put an image into a saved guest, as an opaque record')
    .argument('<file>', 'the image')
    .addOption(new Option('--as <layer>', 'of the smallest guest').choices(['libxl', 'xl']).default('libxl'))
    .option('--into <file>', 'a saved guest, xl or libxl, in its place')
    .option(EMBED_TYPE, EMBED_TYPE_TEXT, embedType, USUAL_EMBEDDING.type)
    .addOption(
      new Option('--embed-position <where>', 'where the record comes in the stream')
        .choices(EMBED_POSITIONS)
        .default(USUAL_EMBEDDING.position),
    )
    .requiredOption('--out <file>', 'where to write')
    .action(async (file, options) => done(await orUnusable(async () => encloseCommand(file, options))));
  image
    .command('extract')
    .description('take an image out of a saved guest')
    .argument('<file>', 'the saved guest, xl or libxl')
    .option('--nth <n>', 'which one of a checkpointed stream, from 1 (default: the last)', positive)
    .option(EMBED_TYPE, EMBED_TYPE_TEXT, embedType, USUAL_EMBEDDING.type)
    .requiredOption('--out <file>', 'where to write')
    .action(async (file, options) => done(await orUnusable(async () => extractCommand(file, options))));
  image
    .command('verify')
    .description("say what Xen's verify-stream-v2 would refuse of a saved guest, images aside")
    .argument('<file>', 'the saved guest, xl or libxl')
    .option(EMBED_TYPE, EMBED_TYPE_TEXT, embedType, USUAL_EMBEDDING.type)
    .action(async (file, options) => done(await orUnusable(async () => verifyCommand(file, options))));
  image
    .command('records')
    .description('print a saved guest record by record: offset, octets, layer, kind, and what of it')
    .argument('<file>', 'the saved guest, xl or libxl')
    .action(async (file) => done(await orUnusable(async () => recordsCommand(file))));

  const format = program.command('format').description('the formats of daemon state');
  format
    .command('list')
    .description('name them')
    .option('--knobs <name>', 'the choices that make a difference to one of them, with their values')
    .option('--json', 'for programs')
    .action(async (options) => done(await orUnusable(() => listCommand(options))));
  addFormatCompare(format, done);
  addFormatPaper(format, done);
}

function size(value: string): number {
  const found = number(value);
  if (found > SIZE_MAX) throw new InvalidArgumentError(`at most ${SIZE_MAX}.`);
  return found;
}

function positive(value: string): number {
  const found = number(value);
  if (found === 0) throw new InvalidArgumentError('a whole number from 1.');
  return found;
}

function embedType(value: string): number {
  const found = /^0x[0-9a-f]{1,8}$/i.test(value) ? Number(value) : number(value);
  if (found <= LIBXL_TYPE_LAST || found > 0xffffffff) throw new InvalidArgumentError('from 6: 0 to 5 are taken.');
  return found;
}

function renumber(value: string): Renumbering {
  const found = renumberingOf(value);
  if (found === undefined) throw new InvalidArgumentError('as 5=7.');
  return found;
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
