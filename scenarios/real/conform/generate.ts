import type { Action } from '../../drive/script.ts';
import { burst } from './script/bursts.ts';
import { domainRequest, featureBeforehand } from './script/domains.ts';
import { globalQuota, pipeline } from './script/limits.ts';
import { lifeAndDeath, liveUpdate, reconnect } from './script/lives.ts';
import { breakProtocol, corruptPage, hold, raw } from './script/octets.ts';
import { controlRequest, oddRequest } from './script/odd.ts';
import { DOMIDS, type ScriptPlan, ScriptState, SOCKETS } from './script/state.ts';
import { stranger } from './script/strangers.ts';
import { transactionRequest } from './script/transactions.ts';
import { treeRequest } from './script/tree.ts';
import { updateByHand } from './script/updates.ts';
import { watchRequest } from './script/watches.ts';

/**
 * Random traffic scripts that a real daemon survives. What makes one crash, read freed memory or answer with a left-over
 * errno is kept out: the comment at each such place says what. The same seed gives the same script until this mix changes.
 */
export function generateScript(plan: ScriptPlan): readonly Action[] {
  const script = new ScriptState(plan);
  for (const name of SOCKETS) script.openSocket(name);
  for (const domid of DOMIDS) script.createDomain(domid);
  while (script.actions.length < plan.count) addSome(script);
  const actions = script.actions.slice(0, plan.count);
  return plan.dialect === 'ocaml' ? actions.map(withBody).filter(isForOcaml) : actions;
}

type Kind = (script: ScriptState) => void;

/** What is tried how often, in 1,000. */
const MIX: readonly (readonly [number, Kind])[] = [
  [516, treeRequest],
  [130, watchRequest],
  [135, transactionRequest],
  [35, domainRequest],
  [25, oddRequest],
  [15, controlRequest],
  [25, raw],
  [20, hold],
  [20, lifeAndDeath],
  [8, burst],
  [6, breakProtocol],
  [6, reconnect],
  [10, globalQuota],
  [10, pipeline],
  [5, featureBeforehand],
  [8, stranger],
  [6, corruptPage],
  [5, liveUpdate],
  [5, updateByHand],
];

/** Everything that a script can do next. */
export const KINDS: readonly Kind[] = MIX.map(([, add]) => add);

function addSome(script: ScriptState): void {
  let roll = script.draw.below(1000);
  for (const [weight, add] of MIX) {
    if (roll < weight) return add(script);
    roll -= weight;
  }
}

/** An oxenstored does not see a message without a body until the next one comes. */
function withBody(action: Action): Action {
  const isEmpty = action.kind === 'message' && action.payload.length === 0;
  return isEmpty && action.op === 'TRANSACTION_START' ? { ...action, payload: new Uint8Array(1) } : action;
}

/** Leaves out what would part an oxenstored from ours in the first lines already (docs/daemons.md). */
function isForOcaml(action: Action): boolean {
  if (action.kind === 'domain') return action.introduce !== false;
  if (action.kind === 'word') return false;
  if (action.kind !== 'message') return true;
  const { op, payload } = action;
  if (typeof op === 'number' || op === 'DIRECTORY_PART' || op === 'CONTROL' || op === 'SET_TARGET') return false;
  if (op === 'INTRODUCE' || op === 'RELEASE' || op === 'RESUME') return false;
  if (payload.length === 0 || payload.length > 1900) return false;
  return op === 'WRITE' || payload.at(-1) === 0;
}
