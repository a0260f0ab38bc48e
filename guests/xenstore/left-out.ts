import { XS } from '../../store/protocol/wire.ts';
import type { GuestOs, Thread } from '../kernel/index.ts';
import type { Pending, Reply } from './link.ts';
import { split, strings } from './payload.ts';

/** How long a request takes that never leaves: less than one that does, so that whoever is to make one later is there in time. */
const LEFT_OUT_NS = 1_000;
/** So many are answered so quickly behind the last one that is kept: others may wait for what their thread does then. */
const QUICK_MAX = 64;
/** Later ones: the thread goes on and on, and has nothing more to do. */
const IDLE_NS = 1_000_000;

/** A request as the run has it: when it goes out, and with what. */
export interface Going {
  readonly payload: Uint8Array;
  /** Not before, virtual ns. */
  readonly atNs: number;
}

/**
 * A request as it is, later, or with a shorter value; or left out. What is left out is answered by nobody, after a while, as if the
 * store had nothing to say: what asks for no more than OK gets it, of nodes there are none, and a transaction has the id 0: what is
 * done in it is done at once.
 */
export function cutRequest(os: GuestOs, me: Thread, type: number, payload: Uint8Array, txId: number): Pending | Going {
  const request = me.requests++;
  const { machine, requests } = os;
  const { cuts, noted, leftOut } = requests;
  const { scheduler } = machine;
  const { nowNs } = scheduler;
  if (cuts === undefined) {
    noted?.({ thread: me.name, isFree: me.isFree, request, atNs: nowNs, type, payload });
    return { payload, atNs: nowNs };
  }
  const kept = cuts.kept(me.name, request);
  // The end of a transaction that was left out.
  const isVoid = type === XS.TRANSACTION_END && txId === 0;
  if (kept !== undefined && !isVoid) {
    const going = { payload: shortened(type, payload, kept.valueMax), atNs: Math.max(nowNs, kept.atNs) };
    noted?.({ thread: me.name, isFree: me.isFree, request, type, ...going });
    return going;
  }
  leftOut?.(me);
  const pending: Pending = { reqId: 0, reply: undefined };
  const isIdle = request > cuts.lastKept(me.name) + QUICK_MAX;
  scheduler.at(nowNs + (isIdle ? IDLE_NS : LEFT_OUT_NS), () => {
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
