import { Copies } from '../judge/copies.ts';
import { cutAt } from '../judge/cut.ts';
import type { History } from '../judge/history.ts';
import type { Copy, MigrationHistory, MigrationReport, PassReport } from '../judge/migrations.ts';
import type { Migration } from './migrations.ts';

/** Each migration as a report tells it. */
export function reportMigrations(
  all: readonly Migration[],
  history: MigrationHistory,
  histories: readonly (History | undefined)[],
): MigrationReport[] {
  return all.map((migration) => report(migration, history, histories));
}

function report(
  migration: Migration,
  history: MigrationHistory,
  histories: readonly (History | undefined)[],
): MigrationReport {
  const { n, guest, uuid, from, to, mode, startedNs, endedNs, link, source, target } = migration;
  const nameOf = (host: number) => history.hosts[host] ?? '';
  const untilNs = endedNs ?? history.records.at(-1)?.timeNs ?? startedNs;
  const passes: PassReport[] = [];
  const copies = new Copies(history);
  const owners: [string, number][] = [];
  let parkedNs: number | undefined;
  let downtimeNs: number | undefined;
  let isParkedHere = false;
  for (const record of history.records) {
    if (record.timeNs > untilNs) break;
    if (record.kind === 'news') {
      const { news } = record;
      if (record.migration === n && news.what === 'pass')
        passes.push({ pages: news.pages, octets: news.octets, isFinal: news.isFinal });
      continue;
    }
    const copy = copies.note(record);
    if (copy?.uuid !== uuid) continue;
    const [running] = copies.running(uuid);
    const place = running === undefined ? '' : nameOf(running.host);
    if (record.timeNs < startedNs) owners.length = 0;
    if (owners.at(-1)?.[0] !== place) owners.push([place, Math.max(record.timeNs, startedNs)]);
    if (record.timeNs < startedNs) continue;
    const isSource = copy.host === from && copy.uniqueId === migration.uniqueId;
    if (isSource && record.what === 'shutdown' && record.reason === 'suspend') {
      parkedNs = record.timeNs;
      isParkedHere = true;
    } else if (running !== undefined && isParkedHere && parkedNs !== undefined) {
      downtimeNs = record.timeNs - parkedNs;
      isParkedHere = false;
    }
  }
  const past = histories[from];
  const cut = parkedNs === undefined || past === undefined ? undefined : cutAt(past, migration.uniqueId, parkedNs);
  return {
    n,
    guest,
    from: nameOf(from),
    to: nameOf(to),
    mode,
    atNs: startedNs,
    tookNs: untilNs - startedNs,
    passes,
    octets: [link?.forth.taken ?? 0, link?.back.taken ?? 0],
    downtimeNs: isParkedHere ? undefined : downtimeNs,
    cut,
    owners,
    said: { source: lastWord(history, n, 'S'), target: lastWord(history, n, 'R') },
    outcome: { source: source ?? 'not ended', target: target ?? 'none', fact: factOf(copies, copies.of(uuid), nameOf) },
  };
}

/** The last word of a side; of a destination the reason, where it has said one. */
function lastWord({ records }: MigrationHistory, n: number, process: 'S' | 'R'): string {
  const said = records.flatMap((r) =>
    r.kind === 'news' && r.migration === n && r.news.what === 'says' && r.news.process === process ? [r.news.text] : [],
  );
  const reason = process === 'R' ? said.findLast((text) => !text.startsWith('migration target: ')) : undefined;
  return reason ?? said.at(-1) ?? '';
}

/** What is so, whatever anybody says. */
function factOf(copies: Copies, of: readonly Copy[], nameOf: (host: number) => string): string {
  const states = of
    .map((copy) => ({ at: nameOf(copy.host), state: copies.stateOf(copy) }))
    .filter(({ state }) => state !== 'none');
  return states.length === 0 ? 'gone' : states.map(({ at, state }) => `${state} on ${at}`).join(', ');
}
