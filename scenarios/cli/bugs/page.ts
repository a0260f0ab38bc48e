import { LEFT_OUT } from '../../bugs/index.ts';
import { cellsOf, HEAD, kindsOf, type Row, summary } from './table.ts';

/** What became of all bugs, as a page in Markdown. */
export function bugsPage(rows: readonly Row[]): string {
  const missed = rows.filter(({ hunted }) => hunted !== undefined && hunted.found === undefined);
  return [
    '# Bugs that this package finds',
    '',
    'Written by `xenarium bugs hunt --out`. Each bug is a change to one place of the code, put in as the module is loaded (`--bug`). A hunt runs the same scenarios for each, seed by seed, until the checks that judge every run find something; nobody compares with a run without the bug. A run whose twin without any bug does not execute what a bug changes cannot find it, and is not made; those that execute all of it come first. `seed` and `runs` say when that was: with which seed of the scenario, and after how many runs of all scenarios that were made. `requests left` is the size of the smallest run that fails in this way.',
    '',
    ...kindsOf(rows).map((kind) => `- ${kind.name}: ${summary(kind.rows)}`),
    '',
    '## Not found',
    '',
    ...(missed.length === 0
      ? ['None of those that were hunted.']
      : missed.map(({ bug }) => `- ${bug.id}, ${bug.family}: ${bug.title}`)),
    '',
    '## Not hunted yet',
    '',
    rows.flatMap(({ bug, hunted }) => (hunted === undefined ? [bug.id] : [])).join(', ') || 'None.',
    '',
    '## Not here',
    '',
    ...LEFT_OUT.map(({ id, family, title, why }) => `- ${id}, ${family}: ${title}. ${sentence(why)}`),
    '',
    '## All',
    '',
    row(HEAD),
    `|${'---|'.repeat(HEAD.length)}`,
    ...rows.map((each) => row(cellsOf(each))),
    '',
  ].join('\n');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The same for a browser, in one file. */
export function bugsHtml(rows: readonly Row[]): string {
  const cells = (all: readonly string[], tag: string) => all.map((cell) => `<${tag}>${html(cell)}</${tag}>`).join('');
  const body = rows.map((each) => {
    const { bug, hunted } = each;
    const kind = hunted === undefined ? 'open' : hunted.found === undefined ? 'missed' : 'found';
    const more = `${bug.source}${bug.note === undefined ? '' : `. ${bug.note}`}\n${hunted?.found?.text ?? ''}`;
    return `<tr class="${kind}" title="${html(more)}">${cells(cellsOf(each), 'td')}</tr>`;
  });
  const sums = kindsOf(rows).map((kind) => `<li>${html(`${kind.name}: ${summary(kind.rows)}`)}</li>`);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Bugs that xenarium finds</title>
<style>body{font:14px sans-serif}table{border-collapse:collapse}td,th{padding:2px 8px;text-align:left;border-bottom:1px solid #ddd}.missed{background:#fdd}.open{color:#888}</style>
<h1>Bugs that xenarium finds</h1>
<ul>${sums.join('')}</ul>
<table><thead><tr>${cells(HEAD, 'th')}</tr></thead><tbody>
${body.join('\n')}
</tbody></table></html>
`;
}

function html(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
