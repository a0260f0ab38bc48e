import type { MigrationReport } from '../judge/migrations.ts';

/** Migrations that are told one by one; of more only those that did not succeed, and how many there were. */
const TOLD_MAX = 20;

type Bold = (s: string) => string;

/** Each migration in a line: what crossed the link, how long nobody ran, what was cut, who owned the guest, and how it ended at the
 *  source, at the destination, and in fact. `count`, `ms`: how numbers are written. */
export function migrationTable(
  migrations: readonly MigrationReport[],
  {
    count,
    ms,
    bold,
  }: { readonly count: (n: number) => string; readonly ms: (ns: number) => string; readonly bold: Bold },
): string[] {
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
    ['ran on', (m) => m.owners.map(([host]) => (host === '' ? 'nobody' : host)).join(' > ')],
    ['source said', (m) => m.outcome.source],
    ['target said', (m) => m.outcome.target],
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
  if (left > 0)
    lines.push(
      `  ${count(left)} migrations ${told.length === 0 ? '' : 'more '}that are not told one by one, ${count(failed.length)} of all failed`,
    );
  return lines;
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
