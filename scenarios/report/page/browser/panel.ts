import { button, make } from './elements.ts';
import { relatedTo } from './related.ts';
import type { Message } from './run.ts';
import type { View } from './view.ts';
import { hexLines, messageText, ms, piecesOf, recordLine, shown, tame } from './words.ts';

/** What the side of the page asks for. */
export interface Asked {
  readonly choose: (at: number) => void;
  readonly finding: (number: number) => void;
}

/** The finding that is looked at: what is wrong, the updates that it straddles, and everything that led to it. */
export function findingPanel(view: View, asked: Asked): HTMLElement {
  const { data } = view.run;
  const section = make('section', { id: 'finding' });
  const { current } = view;
  if (current === undefined) {
    section.className = 'pass';
    section.append(make('h2', {}, 'Every check holds'));
    section.append(bandList(view, data.bands.map((_, i) => i).slice(0, BANDS_MAX), asked));
    const left = data.bands.length - BANDS_MAX;
    if (left > 0) section.append(make('p', { class: 'dim' }, `and ${left} more: u goes to the next`));
    return section;
  }
  const several = data.findings.length;
  const title = make('h2', {}, `${tame(current.name)}${several > 1 ? ` (${view.finding + 1} of ${several})` : ''} `);
  if (several > 1)
    title.append(
      button('‹', 'the finding before (N)', () => asked.finding(view.finding - 1)),
      button('›', 'the next finding (n)', () => asked.finding(view.finding + 1)),
    );
  section.append(title);
  if (current.who !== '') section.append(make('p', { class: 'dim' }, tame(current.who)));
  section.append(make('p', { id: 'detail' }, tame(current.detail)));
  if (current.bands.length > 0) section.append(bandList(view, current.bands.slice(0, BANDS_MAX), asked));
  section.append(recordList(view, current.chain, asked, ''));
  return section;
}

const BANDS_MAX = 8;

function bandList(view: View, bands: readonly number[], { choose }: Asked): HTMLElement {
  const list = make('ol', { class: 'bands' });
  for (const each of bands) {
    const { name, text, fromNs, toNs, first } = view.run.data.bands[each]!;
    const words = `${name}, ${ms(fromNs)} to ${ms(toNs)}${text === '' ? '' : `: ${tame(text)}`}`;
    list.append(
      make(
        'li',
        { class: 'update' },
        button(words, 'go there', () => choose(first)),
      ),
    );
  }
  return list;
}

function recordList(
  view: View,
  records: readonly (readonly [number, string])[],
  { choose }: Asked,
  kind: string,
): HTMLElement {
  const list = make('ol', { class: 'chain' });
  for (const [at, role] of records) {
    const words = `seq ${view.run.seq[at]}  ${ms(view.run.time[at]!)}  ${role}: ${recordLine(view.run, at)}`;
    const go = button(words, 'go there', () => choose(at));
    if (at === view.selected) go.className = 'chosen';
    list.append(make('li', { class: kind }, go));
  }
  return list;
}

/** What is chosen: its octets by field, and what belongs to it. */
export function recordPanel(view: View, asked: Asked): HTMLElement {
  const { run, selected: at } = view;
  const section = make('section', { id: 'record' });
  if (run.count === 0) {
    section.append(make('p', {}, 'This run has no history.'));
    return section;
  }
  section.append(make('h2', {}, `seq ${run.seq[at]}, ${ms(run.time[at]!)}, ${tame(run.laneName(at))}`));
  section.append(make('p', { id: 'line' }, recordLine(run, at)));
  if (run.isMessage(at)) section.append(fields(view, run.message(at)));
  for (const { message, from, to } of piecesOf(run, at)) {
    const part = from === 0 && to === 16 + message.len ? 'whole' : `octets ${from} to ${to} of ${16 + message.len}`;
    section.append(make('p', { class: 'dim' }, `${part}: ${messageText(run, message)}`));
  }
  const related = relatedTo(run, at);
  if (related.length > 0) section.append(recordList(view, related, asked, 'plain'));
  const octets = run.octets(at);
  if (octets.length > 0) section.append(make('pre', { id: 'octets' }, hexLines(octets)));
  return section;
}

/** xsd_sockmsg, field by field. Source: xen/include/public/io/xs_wire.h. */
function fields(view: View, { type, reqId, txId, len, payload }: Message): HTMLElement {
  const table = make('table', { id: 'fields' });
  const rows: readonly (readonly [string, string])[] = [
    ['type', `${type} ${view.run.operation(type)}`],
    ['req_id', String(reqId)],
    ['tx_id', String(txId)],
    ['len', `${len} octets`],
    ['payload', shown(payload, 1024)],
  ];
  for (const [name, value] of rows) table.append(make('tr', {}, make('td', {}, name), make('td', {}, value)));
  return table;
}
