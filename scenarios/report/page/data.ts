import type { RunResult } from '../../engine/scenario.ts';
import type { Epoch, History } from '../../judge/history.ts';
import { causeOf } from '../cause.ts';
import { linkEvents } from './causes.ts';
import { findingOf } from './finding.ts';
import { Lanes } from './lanes.ts';
import { addMessages, noMessages } from './messages.ts';
import type { PageBand, PageData, PageFill, PageHappening } from './page-data.ts';

/** All that a page shows of a run: the same data for the same run. A run that was not judged has no history, and an empty page. */
export function pageData(result: RunResult, replay: string): PageData {
  const { hosts: several, history, settings, migrations = [] } = result;
  const hosts = several ?? [{ name: '', history }];
  const names = hosts.map(({ name }) => name);
  const lanes = new Lanes();
  const messages = noMessages();
  const happenings: PageHappening[] = [];
  const fills: PageFill[] = [];
  const bands: PageBand[] = [];
  for (const [host, { history: of }] of hosts.entries()) {
    if (of === undefined) continue;
    lanes.ofStore(host);
    lanes.ofHypervisor(host);
    const first = messages.seq.length;
    addMessages(messages, of, host, lanes);
    linkEvents(messages, first);
    addFills(fills, of, host, lanes);
    addHappenings(happenings, of, host, lanes);
    addUpdates(bands, of, host, result.virtualNs);
  }
  for (const { n, guest, from, to, mode, atNs, tookNs } of migrations)
    for (const name of [from, to]) {
      const host = names.indexOf(name);
      const named = `migration #${n}: ${guest} ${from} > ${to} ${mode}`;
      if (host >= 0) bands.push({ host, kind: 'migration', name: named, fromNs: atNs, toNs: atNs + tookNs });
    }
  const hostOf = (n: number) => lanes.all[messages.lane[n] as number]?.host ?? 0;
  const finding = findingOf(result, messages, hostOf, bands);
  const cause = causeOf(result);
  return {
    title: result.scenario,
    outcome: result.outcome,
    about: [
      `seed ${result.seed}`,
      `format ${result.format}`,
      ...Object.entries(settings).map(([key, value]) => `${key}=${value}`),
      ...(finding === undefined && cause !== undefined ? [cause.text] : []),
    ].join('  '),
    replay,
    endNs: result.virtualNs,
    hosts: names,
    lanes: lanes.all,
    messages,
    happenings,
    fills,
    bands,
    ...(finding === undefined ? {} : { finding }),
  };
}

function addFills(fills: PageFill[], { epochs, records }: History, host: number, lanes: Lanes): void {
  const byConn = new Map<number, { readonly fill: PageFill; req: number; rsp: number }>();
  for (const record of records) {
    if (record.kind !== 'publish' && record.kind !== 'consume') continue;
    const epoch = epochs[record.conn] as Epoch;
    // Of a guest that keeps no rule only the store's moves are known: what it takes was never seen to be put in.
    if (epoch.isHostile) continue;
    let of = byConn.get(record.conn);
    if (of === undefined) {
      of = { fill: { lane: lanes.ofConnection(host, epoch), atNs: [], req: [], rsp: [] }, req: 0, rsp: 0 };
      byConn.set(record.conn, of);
      fills.push(of.fill);
    }
    of[record.dir] += (record.kind === 'publish' ? 1 : -1) * (record.to - record.from);
    of.fill.atNs.push(record.timeNs);
    of.fill.req.push(of.req);
    of.fill.rsp.push(of.rsp);
  }
}

function addHappenings(happenings: PageHappening[], { epochs, records }: History, host: number, lanes: Lanes): void {
  const [store, hypervisor] = [lanes.ofStore(host), lanes.ofHypervisor(host)];
  for (const record of records) {
    const { seq, timeNs: atNs } = record;
    const add = (lane: number, what: string) => happenings.push({ lane, atNs, seq, what });
    switch (record.kind) {
      case 'life':
        add(hypervisor, `domain ${record.domid} ${record.what}`);
        break;
      case 'fault':
        add(hypervisor, `${record.isOver ? 'over: ' : 'fault '}${record.id} ${record.detail}`);
        break;
      case 'stale':
        add(hypervisor, `domain ${record.mapper} touches gref ${record.gref} of domain ${record.granter}, unmapped`);
        break;
      case 'liveUpdate':
        add(store, `live update #${record.n} ${record.what}`);
        break;
      case 'open':
      case 'detach':
      case 'close':
      case 'noMemory':
      case 'page':
        add(store, `${(epochs[record.conn] as Epoch).name}: ${CONNECTION[record.kind]}`);
        break;
      case 'publish':
      case 'consume':
      case 'sent':
      case 'got':
      case 'snapshot':
        break;
    }
  }
}

const CONNECTION = {
  open: 'connected',
  detach: 'let go of',
  close: 'closed by its program',
  noMemory: 'no memory for its request',
  page: 'another page than before',
} as const;

function addUpdates(bands: PageBand[], { records }: History, host: number, endNs: number): void {
  const begun = new Map<number, number>();
  const end = (n: number, how: string, toNs: number) => {
    const fromNs = begun.get(n);
    if (fromNs !== undefined) bands.push({ host, kind: 'update', name: `live update #${n}${how}`, fromNs, toNs });
    begun.delete(n);
  };
  for (const record of records) {
    if (record.kind !== 'liveUpdate') continue;
    if (record.what === 'dump') begun.set(record.n, record.timeNs);
    else end(record.n, record.what === 'failed' ? ', failed' : '', record.timeNs);
  }
  for (const n of [...begun.keys()]) end(n, ', without an end', endNs);
}
