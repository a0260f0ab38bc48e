import { RING_BYTES } from '../../../../sim/index.ts';
import { message, XS } from '../../../../store/protocol/wire.ts';
import { octetsOf, type ScriptState } from './state.ts';
import { someAbsolute } from './words.ts';

/** Values with which a limit bites, by its name for CONTROL; 0 of memory is none. */
const TIGHT = {
  memory: ['2000', '6000', '20000', '0'],
  outstanding: ['1', '2', '5'],
  nodes: ['1', '3', '8'],
  watches: ['0', '1', '4'],
  transactions: ['0', '1', '2'],
  'transaction-nodes': ['1', '3'],
  'node-permissions': ['1', '2'],
  'node-size': ['60', '300'],
  'path-max': ['30', '60'],
} as const;
/** What the daemon starts with. */
const USUAL = {
  memory: '2621440',
  outstanding: '20',
  nodes: '1000',
  watches: '128',
  transactions: '10',
  'transaction-nodes': '1024',
  'node-permissions': '5',
  'node-size': '2048',
  'path-max': '2048',
} as const;
const NAMES = Object.keys(TIGHT) as (keyof typeof TIGHT)[];

/** A limit for everybody becomes tight, a guest runs into it, and it is loosened again; or only one of the three. */
export function globalQuota(script: ScriptState): void {
  const { pick, oneIn, below } = script.draw;
  const privileged = script.privileged();
  const some = isPathMaxFatal(script) ? NAMES.filter((name) => name !== 'path-max') : NAMES;
  const name = oneIn(2) ? pick(['memory', 'outstanding'] as const) : pick(some);
  const set = (value: string) => script.send(privileged, 'CONTROL', `quota\0set\0${name}\0${value}\0`);
  if (oneIn(6))
    return script.send(privileged, 'CONTROL', `quota-soft\0set\0memory\0${pick(['0', '3000', '2097152'])}\0`);
  const ring = script.aRing();
  if (ring === undefined) return set(USUAL[name]);
  set(pick(TIGHT[name]));
  for (let i = 2 + below(4); i > 0; i--) attempt(script, ring, name);
  script.send(privileged, 'CONTROL', `quota\0${oneIn(3) ? '0' : ring}\0`);
  if (oneIn(3)) script.send(privileged, 'CONTROL', oneIn(3) ? 'quota\0max\0-r\0' : 'quota\0max\0');
  if (!oneIn(12)) set(USUAL[name]);
}

/** A 4.22 does not come back from an update with a watch whose path is longer than that. */
export function isPathMaxFatal(script: ScriptState): boolean {
  return script.is422 && script.plan.liveUpdates && !script.all;
}

function attempt(script: ScriptState, ring: string, name: keyof typeof TIGHT): void {
  const { oneIn, below, pick } = script.draw;
  const tx = script.someTx(ring);
  switch (name) {
    case 'outstanding':
      return pipelined(script, ring);
    case 'watches':
      return script.send(ring, 'WATCH', `limit/${below(5)}\0t\0`);
    case 'transactions': {
      const as = `t${++script.txCount}`;
      script.open.set(ring, [...(script.open.get(ring) ?? []), as]);
      return script.send(ring, 'TRANSACTION_START', '\0', { as });
    }
    case 'node-permissions':
      return script.send(ring, 'SET_PERMS', `limit\0n${ring}\0r0\0${oneIn(2) ? 'b1\0' : ''}`, { tx });
    case 'memory':
      // What is there already is written over seldom: that is answered with any errno.
      if (oneIn(4)) return script.send(ring, 'WATCH', `limit/${'w'.repeat(below(300))}\0${below(9)}\0`);
      return script.send(ring, 'WRITE', `limit/m${script.actions.length}\0${'m'.repeat(below(1900))}`, { tx });
    default:
      return script.send(ring, pick(['WRITE', 'MKDIR']), `limit/${'n'.repeat(below(40))}${below(9)}\0`, { tx });
  }
}

/** Several requests at once: the daemon answers all of them, or as many as may be outstanding while nobody consumes. */
export function pipelined(script: ScriptState, on: string): void {
  if (script.plan.dialect === 'ocaml') return; // a class of differences each, one behind the other
  const { below, pick } = script.draw;
  const some: Uint8Array[] = [];
  for (let i = 2 + below(5); i > 0; i--) {
    const path = someAbsolute(script);
    const [op, payload] = pick([
      ['READ', `${path}\0`],
      ['WRITE', `${path}\0at once`],
      ['DIRECTORY', `${path}\0`],
      ['GET_PERMS', `${path}\0`],
      ['RM', `${path}\0`],
      ['MKDIR', `${path}\0`],
    ] as const);
    some.push(message(XS[op], script.rawReq++, 0, octetsOf(payload)));
  }
  const octets = octetsOf(some.map((one) => String.fromCharCode(...one)).join(''));
  const isSocket = script.sockets.has(on);
  const unread = script.unread.get(on) ?? 0;
  if (!isSocket && unread + octets.length > RING_BYTES) return;
  if (!isSocket && script.held.has(on)) script.unread.set(on, unread + octets.length);
  script.push({ kind: 'raw', on, octets });
}

/** Requests at once of anybody, also of one that consumes nothing. */
export function pipeline(script: ScriptState): void {
  const [held] = script.held;
  pipelined(script, held !== undefined && script.draw.oneIn(2) ? held : script.anyone());
}
