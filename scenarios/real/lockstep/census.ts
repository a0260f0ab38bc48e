import { decodeImage } from '../../../store/format/index.ts';
import type { UpdateRecord } from '../../../store/index.ts';
import { HEADER_BYTES, XS } from '../../../store/protocol/wire.ts';

/** What an update interrupted, as far as an image tells it. */
export type ImageCensus = Pick<
  UpdateRecord,
  'connections' | 'partialRequests' | 'partialReplies' | 'queuedReplies' | 'queuedEvents' | 'watches' | 'nodes'
>;

const NOTHING: ImageCensus = {
  connections: 0,
  partialRequests: 0,
  partialReplies: 0,
  queuedReplies: 0,
  queuedEvents: 0,
  watches: 0,
  nodes: 0,
};

/** Count what is under way in an image of a C daemon; all zero where it cannot be read. */
export function censusOf(image: Uint8Array): ImageCensus {
  const decoded = decodeImage(image);
  if (!decoded.ok) return NOTHING;
  const census = { ...NOTHING } as { -readonly [K in keyof ImageCensus]: number };
  for (const record of decoded.value.records) {
    if (record.kind === 'NODE_DATA') census.nodes++;
    else if (record.kind === 'WATCH_DATA' || record.kind === 'WATCH_DATA_EXTENDED') census.watches++;
    else if (record.kind === 'CONNECTION_DATA') {
      census.connections++;
      if (messagesIn(record.inData, 0).rest > 0) census.partialRequests++;
      if (record.outRespLen > 0) census.partialReplies++;
      for (const type of messagesIn(record.outData, record.outRespLen).types)
        if (type === XS.WATCH_EVENT) census.queuedEvents++;
        else census.queuedReplies++;
    }
  }
  census.queuedReplies = Math.max(0, census.queuedReplies - 1); // the OK of who has asked for the update
  return census;
}

/** Types of the whole messages from `at` on, and how many octets are left behind them. */
function messagesIn(octets: Uint8Array, at: number): { readonly types: readonly number[]; readonly rest: number } {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const types: number[] = [];
  while (at + HEADER_BYTES <= octets.length) {
    const end = at + HEADER_BYTES + view.getUint32(at + 12, true);
    if (end > octets.length) break;
    types.push(view.getUint32(at, true));
    at = end;
  }
  return { types, rest: octets.length - at };
}
