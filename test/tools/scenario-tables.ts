import { FAULT_TAKERS, SCENARIOS } from '../../scenarios/catalogue/index.ts';
import type { Settings } from '../../scenarios/engine/settings.ts';
import { FAULT_RULES } from '../../scenarios/faults/catalogue.ts';
import { DOINGS, lacking } from '../../scenarios/faults/doings.ts';
import { MARKS, type MarkName } from '../../scenarios/judge/marks.ts';

/** Which scenario can meet which fault with its default settings, and what it lacks for the others. */
function faultsTable(): string {
  const head = ['fault', 'what it needs', ...FAULT_TAKERS.map(({ name }) => `\`${name}\``)];
  const rows = FAULT_RULES.map(({ id, needs = [] }) => [
    id,
    needs.join(', '),
    ...FAULT_TAKERS.map((scenario) => (lacking(needs, scenario.does({})).length === 0 ? 'yes' : '-')),
  ]);
  return table(head, rows);
}

function needsTable(): string {
  return table(
    ['need', 'what a run has to have'],
    Object.entries(DOINGS).map(([name, what]) => [name, what]),
  );
}

/** Which run, and which sweep, has to reach which mark. */
function marksTable(): string {
  const plans = SCENARIOS.map(({ name, marks, settings }) => ({
    name,
    ...marks({}),
    daemon: 'policy' in settings ? marks({ policy: 'daemon' } as Settings) : undefined,
  }));
  const rows = (Object.keys(MARKS) as MarkName[]).map((mark) => [
    mark,
    MARKS[mark].what,
    plans.flatMap(({ name, run }) => (run.includes(mark) ? [`\`${name}\``] : [])).join(', '),
    plans
      .flatMap(({ name, run, sweep, daemon }) => {
        if (sweep.includes(mark) && !run.includes(mark)) return [`\`${name}\``];
        return daemon?.sweep.includes(mark) === true && !sweep.includes(mark)
          ? [`\`${name}\` (policy \`daemon\`)`]
          : [];
      })
      .join(', '),
  ]);
  return table(['mark', 'what is counted', 'each run', 'each sweep'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** Which worry of real life a scenario stands for. */
function worriesTable(): string {
  return table(
    ['worry', 'scenario'],
    SCENARIOS.map(({ name, worry = '' }) => [worry, `\`${name}\``]),
  );
}

const TABLES = { faults: faultsTable, needs: needsTable, marks: marksTable, worries: worriesTable } as const;

/** `page` with its tables as they are now: each stands between two marks of its name. */
export function withTables(page: string): string {
  return Object.entries(TABLES).reduce((text, [name, made]) => {
    const [begin, end] = [`<!-- ${name}: written by \`npm run tables\` -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) return text;
    return `${text.slice(0, from + begin.length)}\n\n${made()}\n\n${text.slice(to)}`;
  }, page);
}

/** Pages that have any. */
export const PAGES = ['docs/faults.md', 'docs/marks.md', 'docs/worries.md'] as const;
