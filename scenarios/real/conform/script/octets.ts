import { RING_BYTES, XENSTORE_RECONNECT } from '../../../../sim/index.ts';
import { message, XS } from '../../../../store/protocol/wire.ts';
import { RING_GFN, RING_PORT, type WordName } from '../../../drive/script.ts';
import { liveUpdate } from './lives.ts';
import { octetsOf, type ScriptState } from './state.ts';
import { treeRequest } from './tree.ts';
import { somePath } from './words.ts';

/** One message, whole or in two pieces; between the pieces something may happen, even a live update. */
export function raw(script: ScriptState): void {
  const { below, oneIn } = script.draw;
  const on = oneIn(3) && script.held.size > 0 ? script.draw.pick([...script.held].sort()) : script.anyone();
  const path = somePath(script, on);
  const [op, payload] = script.draw.pick([
    ['READ', `${path}\0`],
    ['WRITE', `${path}\0raw value`],
    ['DIRECTORY', `${path}\0`],
    ['WATCH', `${path}\0raw\0`],
    ['GET_DOMAIN_PATH', '5\0'],
  ] as const);
  const octets = message(XS[op], script.rawReq++, 0, octetsOf(payload));
  const isSocket = script.sockets.has(on);
  // What a ring has no room for is lost to the script, and the message stays half-read: 4.17 frees its buffer at the
  // next INTRODUCE and goes on to use it.
  if (!isSocket && (script.unread.get(on) ?? 0) + octets.length > RING_BYTES) return;
  if (octets.length > 900 || oneIn(2) || script.held.has(on)) {
    if (!isSocket && script.held.has(on)) script.unread.set(on, (script.unread.get(on) ?? 0) + octets.length);
    return script.push({ kind: 'raw', on, octets });
  }
  // A socket's header without its body: the C daemon would serve nobody until an octet comes.
  const cut = isSocket ? 17 + below(octets.length - 17) : 1 + below(octets.length - 1);
  script.push({ kind: 'raw', on, octets: octets.slice(0, cut) });
  script.busy = on; // nobody writes to it in between
  if (oneIn(3) && script.plan.liveUpdates) script.push({ kind: 'liveUpdate', format: script.format() });
  else if (oneIn(2) && script.usable().length > 0) treeRequest(script);
  script.busy = undefined;
  script.push({ kind: 'raw', on, octets: octets.slice(cut) });
}

/** A connection stops to consume, or the one that had goes on. */
export function hold(script: ScriptState): void {
  const held = [...script.held].sort()[0];
  if (held !== undefined) return script.free(held);
  const name = script.anyone();
  script.held.add(name);
  script.push({ kind: 'hold', on: name });
}

/** Indexes that no ring can have, and words that are the store's: it gives such a ring up, until it is introduced again. */
export function corruptPage(script: ScriptState): void {
  const { pick, oneIn } = script.draw;
  const ring = script.aRing();
  if (ring === undefined || script.pinned.has(Number(ring))) return;
  const write = (word: WordName, value: number) => script.push({ kind: 'word', on: ring, word, value });
  const introduce = () => script.send(script.privileged(), 'INTRODUCE', `${ring}\0${RING_GFN}\0${RING_PORT}\0`);
  script.open.delete(ring);
  if (oneIn(4)) {
    write(pick(['server_features', 'connection', 'error']), pick([0, 1, 2, 0xffff_ffff]));
    if (oneIn(2)) return;
  } else write(pick(['req_prod', 'req_cons', 'rsp_prod', 'rsp_cons']), pick([0x8000_0000, 0xffff_f000, 0x7fff_0000]));
  if (oneIn(3)) treeRequest(script, script.privileged());
  if (oneIn(4) && script.plan.liveUpdates) liveUpdate(script);
  if (oneIn(4)) {
    script.domains.set(Number(ring), 'absent');
    return script.push({ kind: 'destroy', domid: Number(ring) });
  }
  // A page that is to be taken for a new one says so.
  if (oneIn(2)) write('connection', XENSTORE_RECONNECT);
  // A ring that was given up stays so, introduced again or not, until its connection goes; a live update serves it again, and
  // what was left in it then is the half-read message of which 4.17 frees the buffer too early.
  if (!script.all || oneIn(2)) script.send(script.privileged(), 'RELEASE', `${ring}\0`);
  introduce();
  write('error', 0);
}

/** A header that promises more than 4096 octets: a socket is closed, a ring is served no more. */
export function breakProtocol(script: ScriptState): void {
  const octets = message(XS.READ, script.rawReq++, 0, new Uint8Array(0));
  octets[12] = 0x01;
  octets[13] = 0x10;
  const on = script.anyone();
  if (script.pinned.has(Number(on))) return;
  script.push({ kind: 'raw', on, octets });
  script.forget(on);
  if (script.sockets.delete(on)) return;
  if (script.draw.oneIn(2) && ![...script.domains.values()].includes('lost')) {
    script.domains.set(Number(on), 'lost');
    script.send(on, 'READ', '/tool\0'); // nobody answers
    return script.send(on, 'READ', '/tool\0'); // gone
  }
  if (script.plan.liveUpdates && script.draw.oneIn(2)) return liveUpdate(script); // served again afterwards
  script.domains.set(Number(on), 'absent');
  script.push({ kind: 'destroy', domid: Number(on) });
}
