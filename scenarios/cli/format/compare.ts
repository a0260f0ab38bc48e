import { type Command, Option } from 'commander';
import {
  compareFormats,
  comparisonText,
  DIRECTIONS,
  type Direction,
  isBreaking,
  rulesPage,
} from '../../../store/format/compare/index.ts';
import { orUnusable } from '../image/io.ts';
import { addKnob } from '../image/knob.ts';
import { print, printJson } from '../terminal/output.ts';
import { comparable } from './named.ts';

const CHOICES = ['backward', 'forward', 'both'] as const;

interface CompareOptions {
  readonly direction: (typeof CHOICES)[number];
  readonly json?: true;
  readonly oldKnob: readonly string[];
  readonly newKnob: readonly string[];
}

const HELP = `
Each change is carried out: a file by the one format's writer that shows it, given to the other format's reader.
  backward  the new reader on the old writer's files: can an update be read?
  forward   the old reader on the new writer's files: can one go back?
Exit code 0: no reader refuses a file or takes it for something else, in the directions asked for; 1: one does.
What a reader passes over is told as a change of meaning and does not count.
`;

/** Adds `compare` and `rules` to the command `format`. `done` takes the exit code. */
export function addFormatCompare(format: Command, done: (code: number) => void): void {
  format
    .command('compare')
    .description('say what changed from one format to another, and prove what breaks')
    .argument('<old>', 'name of a format, or path of a module that exports one')
    .argument('<new>', 'another')
    .addOption(new Option('--direction <which>', 'who reads whose files').choices(CHOICES).default('both'))
    .option('--old-knob <name=value>', 'a choice of the old format (repeatable)', addKnob, [])
    .option('--new-knob <name=value>', 'a choice of the new format (repeatable)', addKnob, [])
    .option('--json', 'for programs')
    .addHelpText('after', HELP)
    .action(async (old, fresh, options) => done(await orUnusable(() => compareCommand(old, fresh, options))));
  format
    .command('rules')
    .description('write the rules that compare knows, in Markdown')
    .action(() => {
      print(rulesPage());
      done(0);
    });
}

async function compareCommand(old: string, fresh: string, options: CompareOptions): Promise<number> {
  const comparison = compareFormats(await comparable(old, options.oldKnob), await comparable(fresh, options.newKnob));
  const directions = directionsOf(options.direction);
  if (options.json) printJson(comparison);
  else print(comparisonText(comparison, directions));
  return isBreaking(comparison, directions) ? 1 : 0;
}

function directionsOf(choice: CompareOptions['direction']): readonly Direction[] {
  if (choice === 'both') return DIRECTIONS;
  return choice === 'forward' ? ['old reads new'] : ['new reads old'];
}
