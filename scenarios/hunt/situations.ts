import { XS } from '../../guests/index.ts';
import { opName } from '../../store/protocol/wire.ts';
import type { History, HistoryRecord } from '../judge/history.ts';

/** How far a request, or what answers it, was when an image was written. */
export const STAGES = ['unread', 'half read', 'read', 'half answered', 'answered'] as const;
export type Stage = (typeof STAGES)[number];

/** Operations that a guest may have under way in an update. */
const OPERATIONS = Object.values(XS).filter((type) => type !== XS.WATCH_EVENT && type !== XS.ERROR);

/** Every situation that could be met without faults: an operation at a stage. */
export const SITUATIONS: readonly string[] = OPERATIONS.flatMap((type) =>
  STAGES.map((stage) => `${opName(type)} ${stage}`),
);

interface Way {
  /** Of requests without a reply that the client has seen: what, and from where to where in the stream. */
  readonly open: { readonly reqId: number; readonly type: number; readonly from: number; readonly end: number }[];
  sent: number;
  consumed: number;
  /** Octets of replies that the store has published, and of whole messages that the client has taken. */
  published: number;
  taken: number;
}

/**
 * What live updates of a run met: each operation that was under way when an image was written, with its stage; and, behind a `+`,
 * each fault that had struck since the last image. Read from the history alone. Errors: none.
 */
export function situationsIn({ records }: History): ReadonlySet<string> {
  const ways = new Map<number, Way>();
  const met = new Set<string>();
  const struck = new Set<string>();
  for (const record of records) {
    if (record.kind === 'fault') struck.add(record.id);
    if (record.kind === 'liveUpdate' && record.what === 'dump') {
      for (const situation of [...ways.values()].flatMap(underWay)) {
        met.add(situation);
        for (const id of struck) met.add(`${situation} + ${id}`);
      }
      struck.clear();
    }
    if ('conn' in record) follow(ways, record);
  }
  return met;
}

function follow(ways: Map<number, Way>, record: Extract<HistoryRecord, { readonly conn: number }>): void {
  let way = ways.get(record.conn);
  if (way === undefined) {
    way = { open: [], sent: 0, consumed: 0, published: 0, taken: 0 };
    ways.set(record.conn, way);
  }
  switch (record.kind) {
    case 'sent':
      way.open.push({ reqId: record.reqId, type: record.type, from: way.sent, end: record.end });
      way.sent = record.end;
      break;
    case 'got': {
      way.taken = record.end;
      if (record.type === XS.WATCH_EVENT) break;
      const at = way.open.findIndex(({ reqId }) => reqId === record.reqId);
      if (at >= 0) way.open.splice(at, 1);
      break;
    }
    case 'consume':
      if (record.dir === 'req') way.consumed = record.to;
      break;
    case 'publish':
      if (record.dir === 'rsp') way.published = record.to;
      break;
    case 'detach':
    case 'close':
      way.open.length = 0;
      break;
    default:
  }
}

/** Requests of a connection that are under way; the first of those that were read is the one being answered. */
function underWay({ open, consumed, published, taken }: Way): string[] {
  let isFirst = true;
  return open.map(({ type, from, end }) => {
    let stage: Stage;
    if (consumed >= end) {
      stage =
        !isFirst || published === taken ? 'read' : published - taken < HEADER_BYTES ? 'half answered' : 'answered';
      isFirst = false;
    } else stage = consumed > from ? 'half read' : 'unread';
    return `${opName(type)} ${stage}`;
  });
}

/** Less of a message than this is not all of it. */
const HEADER_BYTES = 16;
