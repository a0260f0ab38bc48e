import type { OpName } from '../../../../store/protocol/wire.ts';
import { RING_GFN, RING_PORT } from '../../../drive/script.ts';
import type { ScriptState } from './state.ts';

/** A domain that exists for a while, and is introduced at its end at most. */
const STRANGER = 4;
/** Another than the one that the guest has opened for the store. */
const BAD_PORTS = [RING_PORT + 1, 0, 99_999, 4_294_967_295] as const;

/** What can be said to and of a domain that the hypervisor knows and the store has not been told of. */
export function stranger(script: ScriptState): void {
  const { pick, oneIn, below } = script.draw;
  script.push({ kind: 'domain', domid: STRANGER, introduce: false });
  for (let i = 1 + below(4); i > 0; i--) ask(script, script.anyone());
  const on = script.privileged();
  if (oneIn(2)) script.send(on, 'INTRODUCE', `${STRANGER}\0${RING_GFN}\0${pick(BAD_PORTS)}\0`);
  if (oneIn(3)) script.push({ kind: 'shutdown', domid: STRANGER, reason: pick(['suspend', 'crash']) });
  if (oneIn(3)) {
    script.send(on, 'INTRODUCE', `${STRANGER}\0${RING_GFN}\0${RING_PORT}\0`);
    script.send(String(STRANGER), 'WRITE', `born\0late`);
    if (oneIn(2)) script.send(on, 'INTRODUCE', `${STRANGER}\0${RING_GFN}\0${pick(BAD_PORTS)}\0`);
    if (oneIn(3)) script.send(on, 'RELEASE', `${STRANGER}\0`);
  }
  script.push({ kind: 'destroy', domid: STRANGER });
  ask(script, on);
}

function ask(script: ScriptState, on: string): void {
  const domid = `${STRANGER}\0`;
  const { pick } = script.draw;
  const some: (readonly [OpName, string])[] = [
    ['GET_DOMAIN_PATH', domid],
    ['IS_DOMAIN_INTRODUCED', domid],
    ['RESUME', domid],
    ['RELEASE', domid],
  ];
  if (script.is422) some.push(['GET_FEATURE', domid]);
  const isSafe = script.all || !script.plan.liveUpdates;
  // A record that such a request makes ends a 4.22 at its next update.
  if (isSafe || !script.is422)
    some.push(['SET_TARGET', `${domid}1\0`], ['SET_PERMS', `/a\0${pick(['n0', 'b1'])}\0r${STRANGER}\0`]);
  if (isSafe && script.is422) some.push(['SET_FEATURE', `${domid}2\0`], ['SET_QUOTA', `${domid}nodes\x007\0`]);
  // A node that it owns ends either daemon there.
  if (isSafe) some.push(['SET_PERMS', `/tool/s\0n${STRANGER}\0`], ['WRITE', '/tool/s\0']);
  const [op, payload] = pick(some);
  script.send(op.startsWith('SET_') ? script.privileged() : on, op, payload);
}
