import type { StateFormat, StateRow } from '../../store/format/model/index.ts';
import type { StorePolicy } from '../../store/index.ts';
import { filesAlone, ROWS_OF_FILES } from './files.ts';
import { connections, limits, machine } from './group-machine.ts';
import { nodes, watches } from './group-nodes.ts';
import { traffic } from './group-traffic.ts';
import { transactions } from './group-transactions.ts';
import { LabHost } from './lab-host.ts';
import { type Thing, Things } from './things.ts';

/** Rows that one short run shows: a store with something in each is live-updated, then looked at. */
export interface Group {
  readonly name: string;
  readonly rows: readonly StateRow[];
  /** What the store does about open transactions: a request is put aside only where the update waits for them. */
  readonly policy: StorePolicy;
  readonly run: (host: LabHost, things: Things) => void;
}

export const GROUPS: readonly Group[] = [
  {
    name: 'nodes',
    rows: ['node', 'siblingOrder', 'acl', 'staleAcl', 'specialAcl', 'generation'],
    policy: 'carry',
    run: nodes,
  },
  { name: 'watches', rows: ['watch', 'watchDepth', 'binding'], policy: 'carry', run: watches },
  {
    name: 'transactions',
    rows: ['txId', 'txWrites', 'txDeletes', 'txReads', 'txBase', 'txEvents'],
    policy: 'carry',
    run: transactions,
  },
  { name: 'traffic', rows: ['output', 'outputBoundary', 'input', 'delayed'], policy: 'daemon', run: traffic },
  {
    name: 'connections',
    rows: ['target', 'connections', 'sockets', 'listeners'],
    policy: 'carry',
    run: connections,
  },
  {
    name: 'machine',
    rows: ['evtchnFd', 'port', 'excPort', 'mfn', 'uniqueId', 'flags', 'ringWords'],
    policy: 'carry',
    run: machine,
  },
  { name: 'limits', rows: ['defaultQuotas', 'domainQuotas', 'features'], policy: 'carry', run: limits },
];

export interface Observed {
  readonly things: readonly Thing[];
  /** Why updates failed, by group: then nothing of its rows came through. */
  readonly failures: readonly { readonly group: string; readonly reason: string }[];
}

/** Live-update running stores through a format, and see what came through of these rows. The carriage is not asked. */
export function observe(format: StateFormat, rows: readonly StateRow[]): Observed {
  const things = new Things();
  const failures: { readonly group: string; readonly reason: string }[] = [];
  for (const group of GROUPS) {
    if (!group.rows.some((row) => rows.includes(row))) continue;
    const found = new Things();
    const host = new LabHost({ format, policy: group.policy });
    group.run(host, found);
    const { lastUpdate } = host;
    const failed = lastUpdate?.outcome !== 'ok';
    if (failed) failures.push({ group: group.name, reason: lastUpdate?.reason ?? 'there was no update' });
    for (const thing of found.all) things.note(thing.row, thing.name, thing.came && !failed, thing.by);
  }
  if (rows.some((row) => ROWS_OF_FILES.includes(row))) filesAlone(format, things);
  return { things: things.all.filter(({ row }) => rows.includes(row)), failures };
}
