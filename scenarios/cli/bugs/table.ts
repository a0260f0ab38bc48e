import type { Bug } from '../../bugs/index.ts';
import type { Hunted } from './protocol.ts';

/** A bug, and what became of the hunt for it; `undefined`: it was not hunted. */
export interface Row {
  readonly bug: Bug;
  readonly hunted: Hunted | undefined;
}

export const HEAD = ['bug', 'family', 'what is wrong', 'found by', 'check', 'seed', 'runs', 'requests left'] as const;

/** The cells of one row, as HEAD names them. */
export function cellsOf({ bug, hunted }: Row): readonly string[] {
  const { id, family, title } = bug;
  const found = hunted?.found;
  if (found !== undefined) {
    const { spec, check, runs, shrunk } = found;
    return [
      id,
      family,
      title,
      spec.scenario,
      check,
      spec.seed,
      String(runs),
      shrunk === undefined ? '' : String(shrunk),
    ];
  }
  if (hunted === undefined) return [id, family, title, 'not hunted', '', '', '', ''];
  return [id, family, title, '**not found**', hunted.gaveUp ?? '', '', String(hunted.runs), ''];
}

/** How many of these were found, and how soon, in words. */
export function summary(rows: readonly Row[]): string {
  const seeds = rows.flatMap(({ hunted }) => (hunted?.found === undefined ? [] : [hunted.found.seeds]));
  const open = rows.filter(({ hunted }) => hunted === undefined).length;
  const share = rows.length === 0 ? 0 : Math.floor((100 * seeds.length) / rows.length);
  const sorted = seeds.sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  const soon = median === undefined ? '' : `, in the median with seed ${median}, at the latest with ${sorted.at(-1)}`;
  const rest = open === 0 ? '' : `; ${open} were not hunted yet`;
  return `${seeds.length} of ${rows.length} found (${share} %)${soon}${rest}`;
}

/** The bugs of one kind that the targets are about. */
export function kindsOf(rows: readonly Row[]): readonly { readonly name: string; readonly rows: readonly Row[] }[] {
  const real = rows.filter(({ bug }) => bug.id.startsWith('B'));
  return [
    { name: 'of history, observable in full', rows: real.filter(({ bug }) => bug.observable === 'full') },
    { name: 'of history, observable in part', rows: real.filter(({ bug }) => bug.observable === 'part') },
    { name: 'made up', rows: rows.filter(({ bug }) => !bug.id.startsWith('B')) },
  ].filter((kind) => kind.rows.length > 0);
}
