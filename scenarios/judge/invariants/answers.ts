import { show } from '../oracles/octets.ts';
import type { Answer, Prediction } from '../oracles/prediction.ts';
import type { Transaction } from '../oracles/tree.ts';
import { Op } from '../oracles/wire.ts';
import type { XenstoreModel } from '../oracles/xenstore-model.ts';
import type { Request } from './connection-epochs.ts';
import { describe, describeWhole, type Evidence } from './finding.ts';

/** What the store said to a request; `undefined`: nothing that reached the ring. */
export function answerOf(request: Request): Answer | undefined {
  const { reply } = request;
  if (reply === undefined) return undefined;
  return reply.type === Op.ERROR
    ? { ok: false, error: reply.payload.slice(0, -1) }
    : { ok: true, payload: reply.payload };
}

/** Let the request take effect in the model as it did in the store; whether it succeeded. Without an answer (its connection
 *  ended) the prediction decides. */
export function apply(prediction: Prediction, actual: Answer | undefined): boolean {
  const { answer, effect, forced, onFailure, always } = prediction;
  const succeeded = actual?.ok ?? (answer.ok && !prediction.failsUnseen);
  if (succeeded) {
    const payload = actual?.ok ? actual.payload : '';
    if (answer.ok) effect?.(payload);
    else forced?.(payload);
  } else if (actual?.ok === false && (answer.ok || answer.error !== actual.error)) onFailure?.();
  always?.();
  return succeeded;
}

/** Compare the store's answer with the prediction. `undefined`: as predicted, or as a quota permits; else what is wrong. */
export function wrong(prediction: Prediction, actual: Answer): string | undefined {
  const { answer, mayFail, accepts } = prediction;
  if (!actual.ok) {
    if (!answer.ok && answer.error === actual.error) return undefined;
    if (mayFail?.includes(actual.error) || mayFail?.includes('*')) return undefined;
    return `expected ${expected(prediction)}, came ${actual.error}`;
  }
  if (!answer.ok) return `expected ${expected(prediction)}, came success ${show(actual.payload)}`;
  if (accepts !== undefined) {
    const complaint = accepts(actual.payload);
    return complaint && `expected ${expected(prediction)}, came ${show(actual.payload)}: ${complaint}`;
  }
  return answer.payload === actual.payload
    ? undefined
    : `expected ${expected(prediction)}, came ${show(actual.payload)}`;
}

function expected({ answer, because }: Prediction): string {
  if (answer.ok) return show(answer.payload);
  return because === undefined ? answer.error : `${answer.error} (${because})`;
}

/** Report a wrong answer where it belongs: to transactions if it was given in one, ends or starts one, or shows that a commit
 *  did not take effect whole, or that one which came to nothing did; to replies otherwise. */
export function reportWrong(
  model: XenstoreModel,
  request: Request,
  prediction: Prediction,
  actual: Answer,
  tx: Transaction | undefined,
  what: string,
  evidence: Evidence,
): void {
  const at = request.reply?.first ?? request;
  const notes: string[] = [];
  let family: 'replies' | 'transactions' = 'replies';
  if (inTransaction(request)) {
    family = 'transactions';
    if (request.type === Op.TRANSACTION_END && tx !== undefined) notes.push(endNote(actual, tx));
    else if (tx?.isCarried)
      notes.push('the transaction was carried over a live update, which must not change what it sees');
  } else {
    const note = commitNote(model, prediction, actual);
    if (note !== undefined) {
      family = 'transactions';
      notes.push(note);
    } else if (prediction.node?.writer !== undefined) {
      const { writer } = prediction.node;
      notes.push(`last written by ${writer.describe()} at seq ${writer.seq}`);
    }
  }
  const detail = [`${describeWhole(request)}, served at seq ${request.seq}: ${what}`, ...notes].join('; ');
  evidence[family].add(at, request.actor, describe(request), `${request.connection.name}: ${detail}`);
}

function inTransaction(r: Request): boolean {
  if (r.type === Op.TRANSACTION_START || r.type === Op.TRANSACTION_END) return true;
  return r.txId !== 0 && r.type !== Op.WATCH && r.type !== Op.UNWATCH;
}

function endNote(actual: Answer, tx: Transaction): string {
  const names = [...tx.accessed.keys()];
  const accessed = names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ');
  const carried = tx.isCarried ? ', and was carried over a live update' : '';
  const first =
    actual.ok || actual.error !== 'EAGAIN' ? 'it had accessed' : 'nothing it had accessed was changed by anybody:';
  return `${first} ${accessed || 'nothing'}${carried}`;
}

/** A wrong answer at a node that a commit wrote, or that shows what an aborted transaction wrote. */
export function commitNote(model: XenstoreModel, prediction: Prediction, actual: Answer): string | undefined {
  const { name, node } = prediction;
  if (name === undefined) return undefined;
  const seen = actual.ok ? abortedNote(model, name, actual.payload) : undefined;
  if (seen !== undefined) return seen;
  const writer = node?.writer ?? (node === undefined ? model.tree.removedBy.get(name) : undefined);
  if (!writer?.isCommit) return undefined;
  return `${name} was last written by the commit ${writer.describe()} at seq ${writer.seq}, which must take effect whole`;
}

/** A value that only a transaction without effect ever wrote there. */
export function abortedNote(model: XenstoreModel, name: string, value: string): string | undefined {
  const found = model.aborted.get(name)?.find((a) => a.value === value);
  return found && `${show(value)} was written to ${name} in ${found.what}, which must have no effect`;
}
