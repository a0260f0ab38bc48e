import { RING_GFN, RING_PORT, SHUTDOWN_REASONS } from '../../../drive/script.ts';
import { DOMIDS, type ScriptState, SOCKETS } from './state.ts';

/** A domain comes, shuts down, is released or goes. */
export function lifeAndDeath(script: ScriptState): void {
  const { pick, below, oneIn } = script.draw;
  const absent = DOMIDS.filter((domid) => script.domains.get(domid) === 'absent');
  if (absent.length > 0 && !oneIn(3)) return script.createDomain(pick(absent));
  const released = DOMIDS.filter((domid) => script.domains.get(domid) === 'released');
  if (released.length > 0) {
    const domid = released[0]!;
    if (oneIn(2)) {
      script.domains.set(domid, 'introduced');
      return script.send(script.privileged(), 'INTRODUCE', `${domid}\0${RING_GFN}\0${RING_PORT}\0`);
    }
    script.domains.set(domid, 'absent');
    return script.push({ kind: 'destroy', domid });
  }
  const domids = script.introduced().filter((domid) => !script.pinned.has(domid));
  if (domids.length === 0) return;
  const domid = pick(domids);
  if (below(3) === 0) return script.push({ kind: 'shutdown', domid, reason: pick(SHUTDOWN_REASONS) });
  script.forget(String(domid));
  if (oneIn(3)) {
    script.domains.set(domid, 'released');
    return script.send(script.privileged(), 'RELEASE', `${domid}\0`);
  }
  script.domains.set(domid, 'absent');
  script.push({ kind: 'destroy', domid });
}

/** A socket closes; one that was closed is opened again. */
export function reconnect(script: ScriptState): void {
  const missing = SOCKETS.find((name) => !script.sockets.has(name));
  if (missing !== undefined) return script.openSocket(missing);
  const name = script.draw.pick(SOCKETS);
  script.forget(name);
  script.push({ kind: 'close', name });
  script.sockets.delete(name);
}

/** Usually without open transactions, or it would be refused. */
export function liveUpdate(script: ScriptState): void {
  if (!script.plan.liveUpdates) return;
  if (!script.draw.oneIn(3)) {
    for (const [on, names] of script.open) {
      if (script.held.has(on)) continue;
      for (const tx of names) script.send(on, 'TRANSACTION_END', 'T\0', { tx });
      script.open.delete(on);
    }
  }
  script.push({ kind: 'liveUpdate', format: script.format() });
}
