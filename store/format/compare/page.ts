import { AREAS, type Area, type Category, COMPARE_RULES } from './table.ts';

const TITLES: Readonly<Record<Area, string>> = {
  header: 'Header and versions',
  framing: 'Framing and end',
  records: 'Records',
  fields: 'Fields',
  strings: 'Strings, lists and tables',
  unions: 'Unions and optional parts',
  rules: 'Rules among records',
  readers: 'Readers',
  texts: 'Text dumps',
};

/** The page about all rules, in Markdown. */
export function rulesPage(): string {
  const rules = Object.entries(COMPARE_RULES);
  const parts = [
    '# What can change between two formats',
    `\`xenarium format compare OLD NEW\` knows ${rules.length} kinds of change. For each one that it finds it writes a file with the one format's writer that shows the change, gives it to the other format's reader, and prints the octets and what came of them: *refused* at an offset and why, *misread*, *lost*, or the *same meaning*. The verdict is that of the reading; the tables below say what to expect.`,
    [
      '- **wire**: the octets do not fit, they are refused or misread.',
      '- **meaning**: read without complaint, but something is lost or means another thing.',
      '- **stricter**: files at the edge of what was allowed are refused.',
      '- **compatible**: reads the same.',
    ].join('\n'),
    'Where several are named, the first is the usual one; the framing and what stands around the change decide. A reader is given the header, the framing and the end marker of the writer when a change inside of records is looked at, since those have rules of their own. Changes of one record hide each other: each is told, together with those that stand beside it.',
    'A text dump is read line by line, and a line that a reader does not take is skipped: there a state is written by the one daemon and read by the other.',
    'This page is what `xenarium format rules` prints.',
    ...AREAS.map((area) => {
      const rows = rules
        .filter(([, rule]) => rule.area === area)
        .map(
          ([id, { text, oldReadsNew, newReadsOld }]) =>
            `| \`${id}\` | ${text} | ${told(oldReadsNew)} | ${told(newReadsOld)} |`,
        );
      return [
        `## ${TITLES[area]}\n`,
        '| rule | what changed | old reads new | new reads old |',
        '| --- | --- | --- | --- |',
        ...rows,
      ].join('\n');
    }),
  ];
  return `${parts.join('\n\n')}\n`;
}

function told(categories: readonly Category[]): string {
  return categories.join(', or ');
}
