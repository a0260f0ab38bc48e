import { type AnyRecord, type Format, type Framing, knobsOf, pick, recordsOf, type Stage } from '../file/format.ts';
import { usefulKnobs } from '../file/useful-knobs.ts';
import { describe, type FieldDescription } from '../schema/describe.ts';
import { KNOBS, type Knobs } from '../schema/knobs.ts';
import type { Rule } from '../schema/rules.ts';
import type { Field, Fields } from '../schema/schema.ts';
import { diagram } from './diagram.ts';
import { kebab, labelOf } from './segments.ts';

/** The specification page of a format, in Markdown: header, framing, every record with its picture and fields, rules. */
export function docOf(format: Format, given: Partial<Knobs> = {}): string {
  const knobs = knobsOf(format, given);
  const records = recordsOf(format, knobs).toSorted((a, b) => a.type - b.type);
  const framing = pick(format.framing, knobs);
  const parts = [
    `# ${format.name}: ${format.title}`,
    sentence(format.note),
    `Source: ${format.source}. Status: ${STATUS[format.status]}.`,
    format.generation === undefined ? '' : `Speaks generation ${format.generation}.`,
    ...(format.about ?? []),
    ...headerPart(format),
    ...(framing === undefined ? [] : framingPart(framing, format, records, knobs)),
    ...orderPart(format, records),
    ...records.flatMap((record) => recordPart(record, format)),
    ...rulesPart(format.rules, records),
    ...knobsPart(format, knobs),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const STATUS = {
  draft: 'a draft that was never merged',
  document: 'a merged document',
  daemon: 'what a daemon does',
  prototype: 'a prototype',
  own: 'a format of your own',
} as const;

function sentence(text: string): string {
  return text === '' || text.endsWith('.') ? text : `${text}.`;
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(8, '0')}`;
}

function picture(fields: Fields): string {
  return `\`\`\`\n${diagram(fields)}\n\`\`\``;
}

function headerPart(format: Format): string[] {
  const { header } = format;
  if (header === undefined) return ['## Header', 'There is none: the records begin at the first octet.'];
  const { byteOrder, layout } = header;
  const order =
    byteOrder === undefined
      ? ''
      : `Bit ${byteOrder.bit} of \`${kebab(byteOrder.field)}\` tells the byte order of everything behind the header: 0 little endian, 1 big endian. The other bits must be zero.`;
  const versions =
    format.versions.length === 0
      ? ''
      : `Versions read: ${format.versions.toSorted((a, b) => a - b).join(', ')}; written unless told otherwise: ${format.versions[0]}.`;
  const isBig = Object.values(layout.fields).every((field) => field.what !== 'int' || field.order === 'big');
  const fixed = isBig ? 'Its own fields are big endian, whatever it announces.' : '';
  const gate =
    format.versions.length < 2
      ? ''
      : 'What names no version belongs to all of them. What is of version 2 and up belongs to that and later ones: in an earlier one it is written as zero, and ignored when read.';
  return ['## Header', picture(layout.fields), fieldTable(layout), fixed, order, versions, gate];
}

const RECORD_HEADER = {
  type: { what: 'int', type: 'u32' },
  len: { what: 'int', type: 'u32' },
  body: { what: 'rest' },
  padding: { what: 'align', to: 8 },
} as const satisfies Fields;

function framingPart(framing: Framing, format: Format, records: readonly AnyRecord[], knobs: Knobs): string[] {
  const types = [
    ...records.map(
      ({ type, name, since }) => `| ${hex(type)} | ${name}${since === undefined ? '' : ` (version ${since} and up)`} |`,
    ),
    '| all others | reserved for future use |',
  ];
  const table = ['| type | record |', '|---|---|', ...types].join('\n');
  switch (framing.how) {
    case 'typed':
      return [
        '## Records',
        'Records follow the header directly, and one another. What another record depends on comes before it.',
        picture(RECORD_HEADER),
        `\`len\` counts the octets of \`body\`${knobs.lenIncludesPad ? ' with the padding behind it: that is how daemons write it. The document does not count the padding; a reader that advances by 8 and `len` rounded up to a multiple of 8 understands both' : '; the padding is extra'}. Padding is written as zero${knobs.nonZeroPad === 'fatal' ? ' and must be zero' : ' and ignored when read'}.`,
        table,
        format.end === undefined ? 'The end of the file ends it.' : `The last record is ${format.end}.`,
      ];
    case 'bare':
      return [
        '## Records',
        'Records follow one another without any framing: each begins with its type and tells its own end. The end of the file ends it.',
        table,
      ];
    case 'wrapped':
      return [
        '## Records',
        `Each record is the body of one record of type ${hex(framing.type)} of the libxl stream: u32 type, u32 length, body, padding to a multiple of 8. The length counts the body alone.`,
        table,
      ];
  }
}

function orderPart(format: Format, records: readonly AnyRecord[]): string[] {
  const names = new Set(records.map(({ name }) => name));
  const stageText = (stage: Stage) => {
    const of = stage.of.filter((name) => names.has(name));
    if (of.length === 0) return undefined;
    const which =
      stage.nodes === undefined
        ? ''
        : { special: ' of the special nodes', tree: ' of the tree, parents first', pending: ' of open transactions' }[
            stage.nodes
          ];
    return of.join(', ') + which;
  };
  const stages = format.order.flatMap((stage) => stageText(stage) ?? []);
  if (stages.length === 0) return [];
  return ['### Order', stages.map((text, i) => `${i + 1}. ${text}`).join('\n')];
}

function recordPart(record: AnyRecord, format: Format): string[] {
  const since = record.since === undefined ? '' : `Only in images of version ${record.since} and up.`;
  const unwritten =
    record.unwritten === undefined
      ? ''
      : `The length in the record's header counts ${record.unwritten} octets that the writer leaves out.`;
  const fields = Object.entries(record.fields);
  const body =
    fields.length === 0
      ? ['The record has no fields; the length of its body is 0.']
      : [picture(record.fields), fieldTable(record)];
  const inner = fields.flatMap(([name, field]) => innerPart(name, field));
  const rules = format.rules.filter((rule) => rule.of.includes(record.name)).map((rule) => `* ${ruleText(rule)}`);
  return [
    `## ${record.name} (${record.type})`,
    sentence(
      record.note.replace(NAME, (word) => (word in record.fields ? `\`${labelOf(word, record.fields[word])}\`` : word)),
    ),
    since,
    unwritten,
    ...body,
    ...inner,
    ...(rules.length === 0 ? [] : [rules.join('\n')]),
  ];
}

/** The cases of a variant and the entries of a list, each with a picture of its own. */
function innerPart(name: string, field: Field): string[] {
  if (field.what === 'list')
    return [
      `An entry of \`${labelOf(name, field)}\`:`,
      picture(field.of),
      fieldTable({ name, type: -1, fields: field.of, note: '' }),
    ];
  if (field.what !== 'variant') return [];
  return Object.entries(field.cases).flatMap(([kind, one]) => [
    `\`${labelOf(name, field)}\` when \`${kebab(field.on)}\` is ${one.tag} (${kind}):`,
    picture(one.fields),
    fieldTable({ name: kind, type: -1, fields: one.fields, note: '' }),
  ]);
}

function fieldTable(layout: Pick<AnyRecord, 'name' | 'type' | 'fields' | 'note'>): string {
  const rows = describe(layout).fields.filter(({ path }) => !path.includes('.') && !path.includes('['));
  const lines = rows.map(
    (row) =>
      `| \`${labelOf(row.path, layout.fields[row.path])}\` | ${row.offset ?? ''} | ${typeOf(row, layout.fields)} | ${meaning(row, layout.fields)} |`,
  );
  return ['| Field | Offset | Type | Description |', '|---|---|---|---|', ...lines].join('\n');
}

function typeOf({ type }: FieldDescription, fields: Fields): string {
  if (type.startsWith('"')) return type;
  return type.replaceAll('|', '\\|').replace(NAME, (word) => labelOf(word, fields[word]));
}

/** Words that may be names of fields: `outRespLen`, not `zero`. */
const NAME = /[a-z]+[A-Z][A-Za-z]*/g;

function meaning(row: FieldDescription, fields: Fields): string {
  const field = fields[row.path];
  const tells = row.describes === undefined ? '' : tellsText(row.describes, fields);
  const since = field?.since === undefined ? '' : `Version ${field.since} and up; zero before.`;
  const rest = field?.what === 'reserved' || field?.what === 'align' ? 'Written as zero.' : '';
  const noted = row.note.replace(NAME, (word) => (word in fields ? `\`${labelOf(word, fields[word])}\`` : word));
  return [noted, tells, since, row.note === '' ? rest : '']
    .filter((one) => one !== '')
    .map(sentence)
    .join(' ');
}

function tellsText(described: string, fields: Fields): string {
  const field = fields[described];
  const name = `\`${labelOf(described, field)}\``;
  switch (field?.what) {
    case 'list':
      return `Number of entries of ${name}.`;
    case 'variant':
      return `${Object.entries(field.cases)
        .map(([kind, one]) => `${one.tag}: ${kind}`)
        .join(', ')}; all others reserved.`;
    case 'cstring':
      return `Length of ${name} in octets, the NUL ${field.uncounted === true ? 'not counted' : 'included'}.`;
    case 'octets':
      return `Length of ${name} in octets.`;
    default:
      return `Number of ${name}.`;
  }
}

function ruleText(rule: Rule): string {
  const kind = rule.isNote === true ? ' (advice)' : '';
  return `\`${rule.rule}\`${kind}: ${sentence(rule.text)}`;
}

function rulesPart(rules: readonly Rule[], records: readonly AnyRecord[]): string[] {
  const names = new Set(records.map(({ name }) => name));
  const known = rules.filter((rule) => rule.of.some((name) => names.has(name)));
  if (known.length === 0) return [];
  const texts = [...new Set(known.map((rule) => `* ${ruleText(rule)}`))];
  return [
    '## Rules',
    'What must hold among the records; `xenarium image validate` names a breach by the rule.',
    texts.join('\n'),
  ];
}

function knobsPart(format: Format, knobs: Knobs): string[] {
  const rows = usefulKnobs(format).map((name) => {
    const reads = format.reads?.[name];
    const others = KNOBS[name].values.filter((value) => value !== knobs[name]);
    const cells = [`\`${name}\``, knobs[name], reads ?? '', others.join(', '), KNOBS[name].meaning];
    return `| ${cells.join(' | ')} |`;
  });
  if (rows.length === 0) return [];
  return [
    '## Choices',
    'Where the sources leave a hole, or a daemon differs from the document: `--knob name=value` of the commands takes another.',
    [
      '| choice | as written | its own reader, where different | other values | what it is about |',
      '|---|---|---|---|---|',
      ...rows,
    ].join('\n'),
  ];
}
