import { XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import type { Pending, Reply } from './link.ts';
import { split, strings } from './payload.ts';

/** How long a request takes that never leaves: about as long as one that does, so that its maker keeps its pace. */
const LEFT_OUT_NS = 5_000;

/**
 * A request as the run has it: as it is, with a shorter value, or left out. What is left out is answered by nobody, after a while,
 * as if the store had nothing to say: what asks for no more than OK gets it, of nodes there are none, and a transaction has the
 * id 0: what is done in it is done at once.
 */
export function cutRequest(
  os: GuestOs,
  me: Thread,
  type: number,
  payload: Uint8Array,
  txId: number,
): Pending | { readonly payload: Uint8Array } {
  const kept = me.requests.next();
  // The end of a transaction that was left out.
  const isVoid = me.requests.isCut && type === XS.TRANSACTION_END && txId === 0;
  if (kept !== undefined && !isVoid) return { payload: shortened(type, payload, kept.valueMax) };
  const pending: Pending = { reqId: 0, reply: undefined };
  const { scheduler } = os.machine;
  scheduler.at(scheduler.nowNs + LEFT_OUT_NS, () => {
    pending.reply = answerTo(type, payload);
    me.wake();
  });
  return pending;
}

/** WRITE alone has a value that may be of any length. */
function shortened(type: number, payload: Uint8Array, valueMax: number): Uint8Array {
  const end = payload.indexOf(0) + 1 + valueMax;
  return type === XS.WRITE && end < payload.length ? payload.slice(0, end) : payload;
}

function answerTo(type: number, payload: Uint8Array): Reply {
  switch (type) {
    case XS.READ:
    case XS.DIRECTORY:
    case XS.DIRECTORY_PART:
    case XS.GET_PERMS:
    case XS.GET_QUOTA:
    case XS.WATCH:
      return { type: XS.ERROR, payload: strings('ENOENT'), error: 'ENOENT' };
    case XS.TRANSACTION_START:
    case XS.GET_FEATURE:
      return { type, payload: strings('0'), error: undefined };
    case XS.IS_DOMAIN_INTRODUCED:
      return { type, payload: strings('T'), error: undefined };
    case XS.GET_DOMAIN_PATH:
      return { type, payload: strings(`/local/domain/${split(payload)[0] ?? ''}`), error: undefined };
    default:
      return { type, payload: strings('OK'), error: undefined };
  }
}
