import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { BUGS, type Bug, FAMILIES, LEFT_OUT } from '../../bugs/index.ts';
import { replayArguments } from '../../report/text.ts';
import { ownCommand } from '../command.ts';
import { orUnusable, writeOctets } from '../image/io.ts';
import { Progress } from '../progress.ts';
import { print, printJson } from '../terminal/output.ts';
import { huntAll } from './hunt.ts';
import type { HuntPlan } from './hunt-one.ts';
import { bugsHtml, bugsPage } from './page.ts';
import { portfolioRuns } from './portfolio.ts';
import type { Hunted } from './protocol.ts';
import { withReaches } from './reaches.ts';
import { recheckCommand } from './recheck.ts';
import { usableBugs } from './restart.ts';
import { HuntResults } from './results.ts';
import { kindsOf, type Row, summary } from './table.ts';

/** So many bugs are worth that all runs are made once more beforehand, to see which of them can find which bug. */
const WORTH_A_LOOK = 6;

interface HuntOptions extends TableOptions {
  readonly seeds: number;
  readonly minutes: number;
  readonly jobs?: number;
  readonly shrink?: true;
  readonly clean?: true;
  readonly results?: string;
  readonly again?: true;
}

/** Add `bugs` and its commands. `done` takes the exit code. */
export function addBugCommands(program: Command, done: (code: number) => void): void {
  const bugs = program.command('bugs').description('mistakes that can be switched on, and how they are found');
  bugs
    .command('list')
    .description('name them, family by family')
    .option('--json', 'for programs')
    .action((options) => done(listBugs(options.json === true)));
  bugs
    .command('show')
    .description('tell what one of them changes')
    .argument('<bug>', 'its id')
    .action(async (id) => done(await orUnusable(async () => showBug(id))));
  bugs
    .command('hunt')
    .description('run the same scenarios with each bug on, until the checks find it; exit 1 if one is not found')
    .argument('[bug...]', 'ids, or names of families (default: all)')
    .option('--seeds <n>', 'of each scenario, at most', whole, 100)
    .option('--minutes <n>', 'of a core for each bug, at most, and the run that is under way then', minutes, 0.75)
    .option('--jobs <n>', 'processes (default: one for each core)', whole)
    .option('--shrink', 'make each run small that finds one')
    .option('--clean', 'without any bug: what is found then is a false alarm, exit 1')
    .option('--results <file>', 'what became of each is kept there; what is known already is not hunted again')
    .option('--again', 'hunt those that are known not to be found')
    .option('--out <file>', 'write a page')
    .option('--html <file>', 'write a page for a browser')
    .option('--json', 'for programs')
    .action(async (ids: string[], options) => done(await orUnusable(() => huntCommand(ids, options))));
  bugs
    .command('table')
    .description('what is known of all, without a hunt')
    .requiredOption('--results <file>', 'what bugs hunt has kept')
    .option('--out <file>', 'write a page')
    .option('--html <file>', 'write a page for a browser')
    .option('--json', 'for programs')
    .action(async (options) => done(await orUnusable(async () => tableCommand(options))));
  bugs
    .command('recheck')
    .description('make the run once more that has found each bug; exit 1 if one passes now')
    .requiredOption('--results <file>', 'what bugs hunt has kept')
    .option('--minutes <n>', 'in all: as many as there is time for, of each family some', minutes, 30)
    .option('--jobs <n>', 'processes (default: one for each core)', whole)
    .action(async (options) => done(await orUnusable(() => recheckCommand(options))));
}

function listBugs(isJson: boolean): number {
  if (isJson) {
    printJson({ bugs: BUGS, leftOut: LEFT_OUT });
    return 0;
  }
  for (const family of FAMILIES) {
    const those = BUGS.filter((bug) => bug.family === family);
    print(`${family} (${those.length})\n${those.map(({ id, title }) => `  ${id}  ${title}\n`).join('')}`);
    for (const { id, title, why } of LEFT_OUT.filter((each) => each.family === family))
      print(`  ${id}  ${title}: not here, since ${why}\n`);
  }
  return 0;
}

function showBug(id: string): number {
  for (const { family, title, source, observable, note, changes } of usableBugs([id])) {
    print(`${id}  ${family}: ${title}\n  ${source}; observable in ${observable}\n`);
    if (note !== undefined) print(`  ${note}\n`);
    for (const { file, from, to } of changes) print(`\n  ${file}\n${lines('-', from)}${lines('+', to)}`);
    print(`\n  ${ownCommand()} --bug ${id} run\n`);
  }
  return 0;
}

function lines(sign: string, text: string): string {
  const trimmed = text.trim();
  return trimmed === '' ? '' : `${trimmed.replace(/^/gm, `  ${sign} `)}\n`;
}

/** Errors: Unusable. */
async function huntCommand(names: readonly string[], options: HuntOptions): Promise<number> {
  const { seeds, minutes: most, jobs = availableParallelism() } = options;
  const plan: HuntPlan = { runs: () => portfolioRuns(seeds), minutes: most, shrink: options.shrink === true };
  if (options.clean) return huntNothing(plan);
  const bugs = usableBugs(idsOf(names));
  const results = new HuntResults(options.results);
  const todo = bugs.filter((bug) => isToDo(results.of(bug), options));
  const progress = new Progress();
  let done = 0;
  const each = (bug: Bug, hunted: Hunted) => {
    results.add(bug, hunted);
    done++;
    progress.clear();
    if (!options.json) print(`${huntedText(bug, hunted)}\n`);
    progress.at(() => `${done}/${todo.length} bugs`);
  };
  if (todo.length < WORTH_A_LOOK) await huntAll(todo, jobs, plan, each);
  else await withReaches(jobs, (reaches) => huntAll(todo, jobs, { ...plan, reaches }, each));
  progress.clear();
  const rows: Row[] = bugs.map((bug) => ({ bug, hunted: results.of(bug) }));
  tellRows(rows, options);
  return rows.every(({ hunted }) => hunted?.found !== undefined) ? 0 : 1;
}

interface TableOptions {
  readonly out?: string;
  readonly html?: string;
  readonly json?: true;
}

/** What is known of all bugs, where it is asked for. Errors: Unusable. */
function tellRows(rows: readonly Row[], { out, html, json }: TableOptions): void {
  const write = (file: string | undefined, text: string) =>
    file === undefined || writeOctets(file, new TextEncoder().encode(text));
  write(out, bugsPage(rows));
  write(html, bugsHtml(rows));
  if (json) printJson({ record: 'xenarium-hunt', version: 1, hunted: rows.flatMap(({ hunted }) => hunted ?? []) });
  else for (const kind of kindsOf(rows)) print(`${kind.name}: ${summary(kind.rows)}\n`);
}

/** Errors: Unusable. */
function tableCommand(options: TableOptions & { readonly results: string }): number {
  const results = new HuntResults(options.results);
  tellRows(
    BUGS.map((bug) => ({ bug, hunted: results.of(bug) })),
    options,
  );
  return 0;
}

function isToDo(known: Hunted | undefined, { again }: HuntOptions): boolean {
  return known === undefined || (again === true && known.found === undefined);
}

function idsOf(names: readonly string[]): readonly string[] {
  if (names.length === 0) return BUGS.map(({ id }) => id);
  return names.flatMap((name) => {
    const those = BUGS.filter(({ family }) => family === name);
    return those.length === 0 ? [name] : those.map(({ id }) => id);
  });
}

/** The same scenarios on the code as it is. */
async function huntNothing(plan: HuntPlan): Promise<number> {
  let code = 0;
  await huntAll([undefined], 1, plan, (_, { runs, found, gaveUp }) => {
    if (found !== undefined) code = 1;
    print(
      `${runs} runs without a bug: ${found === undefined ? 'nothing' : `a false alarm: ${found.text}\n  ${ownCommand()} ${replayArguments(found.spec)}`}\n`,
    );
    if (gaveUp !== undefined) print(`  ${gaveUp}\n`);
  });
  return code;
}

function huntedText({ id, title }: Bug, { runs, found, gaveUp, seconds }: Hunted): string {
  if (found === undefined)
    return `${id} not found in ${runs} runs, ${seconds} s${gaveUp ? `: ${gaveUp}` : ''}  ${title}`;
  const size = found.shrunk === undefined ? '' : `, ${found.shrunk} requests left`;
  return `${id} found by ${found.spec.scenario} seed ${found.spec.seed}, run ${found.runs}, ${seconds} s${size}: ${found.check}  ${title}\n       ${found.text}`;
}

function whole(value: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(value)) throw new InvalidArgumentError('a whole number from 1.');
  return Number(value);
}

function minutes(value: string): number {
  if (!/^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(value) || Number(value) === 0)
    throw new InvalidArgumentError('a number above 0.');
  return Number(value);
}
