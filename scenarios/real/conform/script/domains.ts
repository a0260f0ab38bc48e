import { RING_GFN, RING_PORT } from '../../../drive/script.ts';
import { isPathMaxFatal } from './limits.ts';
import { NOBODY, type ScriptState } from './state.ts';

const QUOTAS_422 = [
  'nodes',
  'watches',
  'outstanding',
  'transactions',
  'transaction-nodes',
  'node-permissions',
  'path-max',
  'node-size',
] as const;

/** Something about domains, their features and their quotas. */
export function domainRequest(script: ScriptState): void {
  const { pick, below } = script.draw;
  const on = script.anyone();
  const domid = pick([0, 1, 2, 3, NOBODY]);
  if (script.is422 && script.draw.oneIn(2)) return featureOrQuota(script);
  switch (below(10)) {
    case 0:
    case 1:
    case 2: {
      const odd = ['', '007', ' 5', '65535', '5'];
      return script.send(on, 'GET_DOMAIN_PATH', `${script.draw.oneIn(3) ? pick(odd) : domid}\0`);
    }
    case 3:
    case 4:
      return script.send(on, 'IS_DOMAIN_INTRODUCED', `${domid}\0`);
    case 5:
      return script.send(on, 'RESUME', `${domid}\0`);
    case 6:
      // Unprivileged, without effect: refused before it is looked at.
      return script.send(
        script.aRing() ?? on,
        pick(['INTRODUCE', 'RELEASE', 'SET_TARGET', 'CONTROL', 'RESUME']),
        `${NOBODY}\0`,
      );
    case 7:
      return script.send(script.privileged(), 'RELEASE', `${pick([NOBODY, 0])}\0`);
    case 8:
      return setTarget(script);
    default:
      return introduceAgain(script);
  }
}

function featureOrQuota(script: ScriptState): void {
  const { pick, oneIn, below } = script.draw;
  const on = oneIn(4) ? script.anyone() : script.privileged();
  const domid = oneIn(8) ? pick(['x', '', '-1', '65536', ' 1', '32752', '32757']) : pick(script.nameable());
  const quotas = QUOTAS_422.filter((name) => name !== 'path-max' || !isPathMaxFatal(script));
  const name = pick([...quotas, 'soft-memory', 'soft-nodes', 'permissions', '']);
  const value = pick(['1000', '200', '60', '0', '-5', 'abc', '-1', '4294967295', '4294967296', ' 30', '30x', '']);
  const tail = oneIn(12) ? pick(['tail', 'more\0']) : '';
  switch (below(5)) {
    case 0:
      return script.send(on, 'GET_FEATURE', oneIn(3) ? pick(['', 'x']) : `${domid}\0${tail}`);
    case 1:
      return script.send(on, 'SET_FEATURE', `${domid}\0${pick(['14', '2', '0', '1', '16', 'x', '', '-1'])}\0${tail}`);
    case 2:
      return script.send(on, 'GET_QUOTA', pick(['', `${name}\0`, `${domid}\0${name}\0`, `${domid}\0${name}\0${tail}`]));
    case 3:
      return script.send(on, 'SET_QUOTA', `${domid}\0${name}\0${value}\0${tail}`);
    default:
      return script.send(on, 'SET_QUOTA', pick([`${name}\0${value}\0`, `${name}\0`, '']));
  }
}

/** A domain's features are settled before it is introduced, which is when they count (4.22). */
export function featureBeforehand(script: ScriptState): void {
  const { pick, oneIn } = script.draw;
  const domid = script.introduced().find((one) => !script.pinned.has(one));
  // In between it is known and not introduced: no update may come there.
  if (!script.is422 || domid === undefined || (script.plan.silentUpdates === true && !script.all)) return;
  const on = script.privileged();
  script.forget(String(domid));
  script.send(on, 'RELEASE', `${domid}\0`);
  for (const features of [pick(['14', '0', '2', '12']), ...(oneIn(3) ? [pick(['1', '16', 'x', '8'])] : [])])
    script.send(on, 'SET_FEATURE', `${domid}\0${features}\0`);
  script.send(on, 'GET_FEATURE', `${domid}\0`);
  if (oneIn(2)) script.send(on, 'SET_QUOTA', `${domid}\0nodes\0${pick(['20', '1000'])}\0`);
  script.send(on, 'INTRODUCE', `${domid}\0${RING_GFN}\0${RING_PORT}\0`);
  script.send(on, 'GET_FEATURE', `${domid}\0`);
}

function setTarget(script: ScriptState): void {
  const { pick, oneIn } = script.draw;
  const on = script.privileged();
  const domids = script.introduced();
  if (oneIn(2) || domids.length < 3)
    return script.send(on, 'SET_TARGET', pick([`${NOBODY}\x001\0`, '1\0', `1\0${NOBODY}\0`, '']));
  if (script.pinned.size > 0 && !script.all) return;
  const [stubdom, target] = [domids[2]!, domids[0]!]; // the target earlier: a live update loses it otherwise
  if (!script.all) for (const domid of [stubdom, target]) script.pinned.add(domid);
  script.send(on, 'SET_TARGET', `${stubdom}\0${target}\0`);
}

function introduceAgain(script: ScriptState): void {
  const { pick, oneIn } = script.draw;
  const on = script.privileged();
  const ring = script.aRing();
  if (ring === undefined || oneIn(2)) {
    // Domid 0 is left alone, and so are words: 4.17 takes any word for it.
    if (script.all && oneIn(3))
      return script.send(on, 'INTRODUCE', pick([`0\0${RING_GFN}\x001\0`, `x\0${RING_GFN}\x001\0`, '0\x000\x000\0']));
    return script.send(
      on,
      'INTRODUCE',
      pick([`${NOBODY}\0${RING_GFN}\0${RING_PORT}\0`, `1\0${RING_GFN}\x000\0`, '1\x002\0', '']),
    );
  }
  script.open.delete(ring);
  script.send(on, 'INTRODUCE', `${ring}\0${pick(['1234', 'gfn', ''])}\0${RING_PORT}\0${pick(['', 'more\0', 'tail'])}`);
}
