import { predictNodeOp } from './node-ops.ts';
import { predictDomainOp, predictEnd, predictStart, predictWatchOp } from './other-ops.ts';
import { type Asked, type Prediction, refuse } from './prediction.ts';
import { Op } from './wire.ts';
import type { Peer, XenstoreModel } from './xenstore-model.ts';

const PRIV_ONLY: ReadonlySet<number> = new Set([
  Op.CONTROL,
  Op.INTRODUCE,
  Op.RELEASE,
  Op.IS_DOMAIN_INTRODUCED,
  Op.RESUME,
  Op.SET_TARGET,
  Op.SET_FEATURE,
  Op.GET_QUOTA,
  Op.SET_QUOTA,
]);

/** Predict one request at the moment it is served. In a transaction this extends its read set. Source: store.md 1.5. */
export function predict(model: XenstoreModel, peer: Peer, asked: Asked): Prediction {
  const { type, txId } = asked;
  const last = model.compat === '4.22' ? Op.SET_QUOTA : Op.DIRECTORY_PART;
  if (type > last || type === Op.WATCH_EVENT || type === Op.ERROR || type === 20)
    return refuse('ENOSYS', 'no such operation');
  if (PRIV_ONLY.has(type) && !peer.isPriv) return refuse('EACCES', 'for the privileged alone');
  if (type === Op.WATCH || type === Op.UNWATCH) return predictWatchOp(model, peer, asked);
  const tx = peer.transactions.get(txId);
  if (txId !== 0 && tx === undefined) return refuse('ENOENT', `connection has no transaction ${txId}`);
  if (tx !== undefined) tx.seq = asked.seq;
  switch (type) {
    case Op.RESET_WATCHES:
      return predictWatchOp(model, peer, asked);
    case Op.TRANSACTION_START:
      return predictStart(model, peer, asked);
    case Op.TRANSACTION_END:
      return predictEnd(model, peer, asked);
    case Op.DIRECTORY:
    case Op.DIRECTORY_PART:
    case Op.READ:
    case Op.GET_PERMS:
    case Op.WRITE:
    case Op.MKDIR:
    case Op.RM:
    case Op.SET_PERMS:
      return predictNodeOp(model, peer, asked);
    default:
      return predictDomainOp(model, peer, asked);
  }
}
