import { message, XS } from '../../../../store/protocol/wire.ts';
import { BINARY } from '../../../drive/script.ts';
import { octetsOf, type ScriptState } from './state.ts';
import { treeRequest } from './tree.ts';

const START = 'live-update\0-s';

/** A live update's session, driven by hand: begun, given an argument, started, forced or aborted, in order and out of it. */
export function updateByHand(script: ScriptState): void {
  if (!script.plan.liveUpdates || script.plan.dialect === 'ocaml') return;
  const { pick, oneIn, below } = script.draw;
  const on = script.privileged();
  const control = (words: string) => script.send(on, 'CONTROL', `${words}\0`);
  if (oneIn(4)) return control(pick(ODD));
  control(`live-update\0-f\0${BINARY}`);
  if (oneIn(3)) control('live-update\0-c\0-N'); // it has to stay in the foreground to be watched
  if (oneIn(4)) control(pick(ODD));
  switch (below(5)) {
    case 0:
      return control('live-update\0-a');
    case 1:
      return control(`${START}\0-F`);
    case 2:
      endTransactions(script);
      return control(oneIn(2) ? START : `${START}\0-t\x0030`);
    case 3:
      return control(pick([START, `${START}\0-t\x000`, `${START}\0-F\0-t\x000`]));
    default:
      return waitFor(script, on);
  }
}

/** Words that are refused, or without effect while no session is open. */
const ODD = [
  'live-update\0-a',
  'live-update',
  'live-update\0-f',
  'live-update\0-f\0/nowhere/xenstored',
  `live-update\0-f\0${BINARY}\0more`,
  'live-update\0-c',
  'live-update\0-c\0-N',
  'live-update\0-s\0-t',
  'live-update\0-s\0-q',
  'live-update\0-q',
] as const;

/** An update waits for open transactions: others go on, until it takes place or is given up. */
function waitFor(script: ScriptState, on: string): void {
  const { below, oneIn } = script.draw;
  const ask = (words: string) => {
    const octets = message(XS.CONTROL, script.rawReq++, 0, octetsOf(`${words}\0`));
    script.push({ kind: 'raw', on, octets });
  };
  // Longer than anybody waits for an answer: beside the daemon the clock stands still, and ours goes on while all wait.
  ask(`${START}\0-t\x003600`);
  script.busy = on; // its next request is looked at when this one is answered
  for (let i = 1 + below(5); i > 0 && script.usable().length > 0; i--) treeRequest(script);
  endTransactions(script);
  script.busy = undefined;
  if (oneIn(2)) script.send(on, 'READ', '/tool\0');
}

function endTransactions(script: ScriptState): void {
  for (const [on, names] of script.open) {
    if (script.held.has(on)) continue;
    for (const tx of names) script.send(on, 'TRANSACTION_END', script.draw.oneIn(2) ? 'T\0' : 'F\0', { tx });
    script.open.delete(on);
  }
}
