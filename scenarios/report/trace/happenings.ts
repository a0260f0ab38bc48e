import type { RunResult } from '../../engine/scenario.ts';
import type { HistoryRecord, Violation } from '../../judge/history.ts';
import type { MigrationReport } from '../../judge/migrations.ts';

/** What happens beside messages. */
export const HAPPENINGS = [
  'connection',
  'domain',
  'fault',
  'live-update',
  'migration',
  'finding',
  'known-defect',
] as const;
export type HappeningName = (typeof HAPPENINGS)[number];

/** Something that is no message, in a sentence without its time. */
export interface Told {
  readonly what: HappeningName;
  readonly text: string;
}

/** What a record tells, if it is of no message and no octet. `nameOf`: of a connection. */
export function toldBy(record: HistoryRecord, nameOf: (conn: number) => string): Told | undefined {
  switch (record.kind) {
    case 'publish':
    case 'consume':
    case 'sent':
    case 'got':
    case 'snapshot':
      return undefined;
    case 'open':
      return { what: 'connection', text: `the store takes the ring or socket of ${nameOf(record.conn)}` };
    case 'detach':
      return { what: 'connection', text: `the store lets go of ${nameOf(record.conn)}` };
    case 'close':
      return { what: 'connection', text: `${nameOf(record.conn)} closes its socket` };
    case 'page':
      return { what: 'connection', text: `the store goes on in another page than ${nameOf(record.conn)}` };
    case 'noMemory':
      return { what: 'fault', text: `no memory for a request of ${nameOf(record.conn)}` };
    case 'life':
      return { what: 'domain', text: `domain ${record.domid} ${record.what}` };
    case 'stale': {
      const { mapper, granter, gref } = record;
      return { what: 'finding', text: `domain ${mapper} touches gref ${gref} of domain ${granter} after its unmap` };
    }
    case 'fault': {
      const { id, detail, isOver } = record;
      return { what: 'fault', text: `${id}${isOver ? ' is over' : ' strikes'}${detail === '' ? '' : `: ${detail}`}` };
    }
    case 'liveUpdate':
      return { what: 'live-update', text: `live update #${record.n} ${PHASES[record.what](record.imageBytes)}` };
  }
}

const PHASES: Readonly<Record<'dump' | 'up' | 'failed', (octets: number) => string>> = {
  dump: () => 'dump: the image is written',
  up: (octets) => `up: the successor serves, from an image of ${octets} octets`,
  failed: () => 'failed: the old instance goes on',
};

/** Something of a host that no record tells. `seq`: the record that it stands behind; `undefined`: where its time is. */
export interface Remark extends Told {
  readonly host: number;
  readonly seq: number | undefined;
  readonly timeNs: number;
}

/** What was found in a run, and its migrations. `names`: of its hosts. */
export function remarksOn(result: RunResult, names: readonly string[]): Remark[] {
  const found = result.verdicts.flatMap(({ violations, known = [] }) => [
    ...violations.map((each) => finding(each, 'finding', each.invariant)),
    ...known.flatMap(({ label, seen }) => seen.map((each) => finding(each, 'known-defect', label))),
  ]);
  const moved = (result.migrations ?? []).flatMap((each) => migration(each, Math.max(0, names.indexOf(each.from))));
  return [...found, ...moved];
}

function finding(
  { host = 0, seq, timeNs, actor, request, detail }: Violation,
  what: HappeningName,
  name: string,
): Remark {
  const who = [actor, request].filter((part) => part !== '').join(' ');
  return { what, host, seq, timeNs, text: `${name}: ${who === '' ? '' : `${who}: `}${detail}` };
}

function migration(
  { n, guest, from, to, mode, atNs, tookNs, passes, outcome }: MigrationReport,
  host: number,
): Remark[] {
  const pages = passes.map((pass) => pass.pages).join(', ');
  const base = { what: 'migration', host, seq: undefined } as const;
  return [
    { ...base, timeNs: atNs, text: `migration #${n} of ${guest} from ${from} to ${to} begins (${mode})` },
    {
      ...base,
      timeNs: atNs + tookNs,
      text: `migration #${n} of ${guest} is over: source ${outcome.source}, target ${outcome.target}, ${outcome.fact}; pages of its passes: ${pages || 'none'}`,
    },
  ];
}
