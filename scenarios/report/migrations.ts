import type { MigrationReport } from '../judge/migrations.ts';

/** Migrations that are told one by one; of more only those that did not succeed, and how many there were. */
const TOLD_MAX = 20;

type Bold = (s: string) => string;

/** How numbers are written. */
interface Written {
  readonly count: (n: number) => string;
  readonly ms: (ns: number) => string;
}

/** What the marks in the table mean: nobody has to know the source for it. */
const LEGEND = [
  'pages by pass: while the guest runs; marked ! those of the last, for which it is parked',
  'cut: what was under way between the guest and the store that it left, at the park; an heir registers its watches anew',
];

/** Each migration in a line, below what they come to together: what crossed the link, how long nobody ran, what was cut, who owned the guest, and how it ended at the
 *  source, at the destination, and in fact. `count`, `ms`: how numbers are written. */
export function migrationTable(
  migrations: readonly MigrationReport[],
  { count, ms, bold }: Written & { readonly bold: Bold },
): string[] {
  if (migrations.length === 0) return [];
  const failed = migrations.filter(({ outcome }) => outcome.source !== 'success');
  const told = migrations.length <= TOLD_MAX ? migrations : failed.slice(0, TOLD_MAX);
  const columns: readonly (readonly [string, (m: MigrationReport) => string])[] = [
    ['migration', (m) => `#${m.n} ${m.guest} ${m.from} > ${m.to} ${m.mode}`],
    ['at ms', (m) => ms(m.atNs)],
    ['took ms', (m) => ms(m.tookNs)],
    [
      'pages by pass',
      (m) => m.passes.map(({ pages, isFinal }) => `${count(pages)}${isFinal ? '!' : ''}`).join('+') || '-',
    ],
    ['octets there', (m) => count(m.octets[0])],
    ['back', (m) => count(m.octets[1])],
    ['down ms', (m) => (m.downtimeNs === undefined ? '-' : ms(m.downtimeNs))],
    ['cut: requests', (m) => cell(m, (cut) => cut.requests, count)],
    ['octets unread', (m) => cell(m, (cut) => cut.octetsUnread, count)],
    ['open tx', (m) => cell(m, (cut) => cut.transactions, count)],
    ['watches', (m) => cell(m, (cut) => cut.watches, count)],
    ['who ran it, from ms', (m) => m.owners.map(ownerFrom(ms)).join(' > ')],
    ['source ended', (m) => m.outcome.source],
    ['target ended', (m) => m.outcome.target],
    ['in fact', (m) => m.outcome.fact],
  ];
  const rows = [columns.map(([head]) => head), ...told.map((m) => columns.map(([, of]) => of(m)))];
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  const lines = rows.map((row, r) => {
    const line = `  ${row.map((text, i) => (i === 0 || i >= LEFT_FROM ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join('  ')}`;
    return r === 0 ? bold(line.trimEnd()) : line.trimEnd();
  });
  for (const { n, said } of failed.slice(0, TOLD_MAX))
    lines.push(
      `  #${n} source: ${oneLine(said.source)}`,
      `  ${' '.repeat(String(n).length + 1)} target: ${oneLine(said.target)}`,
    );
  const left = migrations.length - told.length;
  if (told.length === 0) lines.length = 0;
  else lines.push(...LEGEND.map((line) => `  ${line}`));
  lines.unshift(summary(migrations, { count, ms }));
  if (left > 0)
    lines.push(
      `  ${count(left)} migrations ${told.length === 0 ? '' : 'more '}that are not told one by one, ${count(failed.length)} of all failed`,
    );
  return lines;
}

/** What all of them come to. */
function summary(migrations: readonly MigrationReport[], { count, ms }: Written): string {
  const moved = migrations.filter(({ outcome }) => outcome.source === 'success').length;
  const down = migrations.flatMap(({ downtimeNs = 0 }) => (downtimeNs > 0 ? [downtimeNs] : [])).sort((a, b) => a - b);
  const pages = migrations.reduce((sum, { passes }) => sum + passes.reduce((n, pass) => n + pass.pages, 0), 0);
  const octets = migrations.reduce((sum, m) => sum + m.octets[0] + m.octets[1], 0);
  const [least, median, most] = [down[0], down[down.length >> 1], down.at(-1)];
  const stood =
    least === undefined || median === undefined || most === undefined
      ? 'no guest stood still'
      : `guests stood still for ${ms(least)} to ${ms(most)} ms, half of them for ${ms(median)} at most`;
  return `  ${count(moved)} of ${count(migrations.length)} migrations succeeded; ${stood}; ${count(pages)} pages in ${count(octets)} octets`;
}

function ownerFrom(ms: Written['ms']): (owner: MigrationReport['owners'][number], i: number) => string {
  return ([host, fromNs], i) => {
    const who = host === '' ? 'nobody' : host;
    return i === 0 ? who : `${who} ${ms(fromNs)}`;
  };
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ');
}

/** From here on columns hold words. */
const LEFT_FROM = 11;

function cell(
  { cut }: MigrationReport,
  of: (cut: NonNullable<MigrationReport['cut']>) => number,
  count: (n: number) => string,
): string {
  return cut === undefined ? '-' : count(of(cut));
}
