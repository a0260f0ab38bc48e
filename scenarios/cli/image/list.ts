import { enclosingFormats } from '../../../store/format/enclosing/formats.ts';
import { KNOBS, type KnobSpec, knobsOf, usefulKnobs } from '../../../store/format/index.ts';
import { LAB_FORMATS, WISHES } from '../../../store/format/model/index.ts';
import { print, printJson } from '../terminal/output.ts';
import { namedFormat } from './named.ts';

/** One choice, as programs get it. */
interface KnobRow {
  readonly name: string;
  /** What the format has; of the writer, where its reader differs. */
  readonly value: string | boolean;
  readonly reader?: string | boolean;
  readonly values: readonly (string | boolean)[];
  readonly meaning: string;
}

/** Name the formats, or with `--knobs` the choices of one of them. */
export async function listCommand(options: { readonly json?: true; readonly knobs?: string }): Promise<number> {
  if (options.knobs !== undefined) return listKnobs(options.knobs, options.json === true);
  const list = [
    ...LAB_FORMATS.map(({ name, aliases, title }) => ({ name, aliases, title, isEnclosing: false })),
    ...enclosingFormats.map(({ name, title }) => ({ name, aliases: [], title, isEnclosing: true })),
  ];
  if (options.json) printJson(list);
  else
    for (const { name, aliases, title, isEnclosing } of list)
      print(
        `${[name, ...aliases].join(', ').padEnd(24)} ${title}${isEnclosing ? ' (for doc, header and compare)' : ''}\n`,
      );
  return 0;
}

async function listKnobs(name: string, isJson: boolean): Promise<number> {
  const { format } = await namedFormat(name);
  const own =
    format === undefined
      ? []
      : usefulKnobs(format).map((knob): KnobRow => {
          const reader = format.reads?.[knob];
          const readBy = reader === undefined ? {} : { reader };
          return { name: knob, value: knobsOf(format)[knob], ...readBy, ...(KNOBS[knob] satisfies KnobSpec) };
        });
  const wishes = Object.entries(WISHES).map(
    ([wish, spec]): KnobRow => ({ name: wish, value: spec.values[0], ...(spec satisfies KnobSpec) }),
  );
  if (isJson) {
    printJson({ format: own, convert: wishes });
    return 0;
  }
  const show = ({ name: knob, value, reader, values, meaning }: KnobRow) => {
    const own = `${value}${reader === undefined || reader === value ? '' : `, its reader ${reader}`}`;
    return `${knob} = ${own}\n    one of ${values.join(', ')}\n    ${meaning}\n`;
  };
  print(own.map(show).join(''));
  print(`\nimage convert has besides:\n${wishes.map(show).join('')}`);
  return 0;
}
