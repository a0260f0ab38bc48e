import { describe, expect, it } from 'vitest';
import { octets, strings } from '../../../guests/index.ts';
import { MovePair } from '../../../scenarios/lab/move-pair.ts';
import {
  type ConnectionState,
  type DaemonState,
  EMPTY_STATE,
  type LabFormat,
  type NodeState,
  type WatchState,
} from '../../../store/format/model/index.ts';
import { named } from '../../support/odd-formats.ts';

const NOTHING = new Uint8Array(0);
const G31 = named('G3.1');

const node = (path: string, owner = 5, ...others: readonly number[]): NodeState => ({
  path,
  value: NOTHING,
  acl: [owner, ...others].map((domid, i) => ({ letter: i === 0 ? 'n' : 'r', domid, stale: false })),
});

const ring = (domid: number, target?: number): ConnectionState['link'] => ({
  kind: 'ring',
  domid,
  ...(target === undefined ? {} : { target }),
});

const conn = (change: Partial<ConnectionState> = {}): ConnectionState => ({
  link: ring(5),
  readOnly: false,
  watches: [],
  transactions: [],
  delayed: [],
  input: NOTHING,
  output: NOTHING,
  restBytes: 0,
  ...change,
});

const watch = (path: string, token: string): WatchState => ({ path, token: octets(token) });

const header = (length: number, ...payload: readonly number[]) => {
  const message = new Uint8Array(16 + payload.length);
  new DataView(message.buffer).setUint32(12, length, true);
  message.set(payload, 16);
  return message;
};

/** What only somebody else would write, and what the other store says to it. */
const HOSTILE: readonly [what: string, change: Partial<DaemonState>, reason: RegExp][] = [
  [
    'a node outside of the scope',
    { nodes: [node('/tool/x', 0)] },
    /offset \d+ .*NODE_DATA, path: outside of what belongs/,
  ],
  ['a node of another domain', { nodes: [node('/local/domain/6', 6)] }, /path: outside of what belongs/],
  ['a foreign owner', { nodes: [node('/local/domain/5', 6)] }, /offset \d+.*perms\[0\].domid: owned by domain 6/],
  ['an entry for a stranger', { nodes: [node('/local/domain/5', 5, 9)] }, /perms\[1\].domid: an entry for domain 9/],
  [
    'a backend area as a pretext',
    { nodes: [node('/local/domain/9/backend/vbd/6/1', 5)] },
    /outside of what belongs to the domain/,
  ],
  ['special nodes', { specials: [node('@releaseDomain', 0)] }, /path: special nodes are the host's own|path/],
  ['a node twice', { nodes: [node('/local/domain/5'), node('/local/domain/5')] }, /path/],
  ['a child before its parent', { nodes: [node('/local/domain/5/a/b'), node('/local/domain/5/a')] }, /parent/],
  ['no path', { nodes: [node('/local/domain/5//x')] }, /path/],
  ['a second domain', { connections: [conn(), conn({ link: ring(6) })] }, /domid: the connection of domain 6/],
  ['two connections', { connections: [conn(), conn()] }, /second connection|domid/],
  ['none', { connections: [] }, /no connection of domain 5/],
  ['a socket', { connections: [conn(), conn({ link: { kind: 'socket', fd: 9 } })] }, /fd: a socket/],
  ['a watch of no path', { connections: [conn({ watches: [watch('a//b', 't')] })] }, /wpath/],
  ['a watch of another special name', { connections: [conn({ watches: [watch('@other', 't')] })] }, /wpath/],
  ['a watch twice', { connections: [conn({ watches: [watch('a', 't'), watch('a', 't')] })] }, /wpath|token/],
  ['a NUL in a token', { connections: [conn({ watches: [watch('a', 't\0u')] })] }, /token/],
  ['an event that fits no message', { connections: [conn({ watches: [watch('a', 't'.repeat(4095))] })] }, /token/],
  [
    'a transaction twice',
    {
      connections: [
        conn({
          transactions: [
            { id: 1, nodes: [] },
            { id: 1, nodes: [] },
          ],
        }),
      ],
    },
    /txId|transaction/i,
  ],
  ['a request that is too long', { connections: [conn({ input: header(5000) })] }, /inData/],
  ['output that is no message', { connections: [conn({ output: header(9, 1, 2) })] }, /outData/],
  ['output that is too long', { connections: [conn({ output: header(5000, ...new Array(5000).fill(1)) })] }, /outData/],
  [
    'more of a half message than any has',
    { connections: [conn({ output: new Uint8Array(5000), restBytes: 5000 })] },
    /outRespLen/,
  ],
];

/** Octets that say so, whatever a writer would think of it. */
function written(format: LabFormat, change: Partial<DaemonState>): Uint8Array {
  const state: DaemonState = {
    ...EMPTY_STATE,
    scope: 'migration',
    nodes: [node('/local/domain/5')],
    connections: [conn()],
    ...change,
  };
  const made = format.write(state, {});
  if (!made.ok) throw new Error(`assertion: ${made.failure.path} ${made.failure.reason}`);
  return made.value.octets;
}

/** A paused domain waits for its state; what the store says to this image, and what is left of it there. */
function offer(image: Uint8Array) {
  const pair = new MovePair({ format: G31 });
  const guest = pair.from.guest(5);
  const bystander = pair.to.guest(6);
  pair.create(guest);
  pair.freeze(guest);
  pair.park(guest);
  pair.dump(guest);
  pair.sendMemory(guest);
  const look = () => [
    pair.to.tool('DIRECTORY', strings('/')),
    pair.to.tool('DIRECTORY', strings('/local/domain')),
    pair.to.tool('IS_DOMAIN_INTRODUCED', strings('5')),
    pair.to.tool('GET_PERMS', strings('@releaseDomain')),
  ];
  const before = look();
  const answer = pair.restore(guest, image);
  return { pair, guest, bystander, answer, before, look };
}

describe('an image that comes from another host', () => {
  it.each(HOSTILE)(
    'NC-25, INJ-M30: %s is refused, with offset, field and reason, and leaves no trace',
    (_, change, reason) => {
      const { answer, before, look, bystander } = offer(written(G31, change));
      if (answer === 'OK')
        expect('OK').toMatch(reason); // the format has no place for it
      else {
        expect(answer).toMatch(reason);
        expect(answer).toMatch(/^offset \d+/);
        expect(look()).toEqual(before);
      }
      expect(bystander.ask('WRITE', 'a\0b')).toBe('OK'); // the store lives
    },
  );

  it('INJ-M30, INJ-M7: cut after each octet, and with each octet changed, the store lives and is as it was, or has a domain that is sound', () => {
    const { pair, guest, bystander, before, look } = offer(new Uint8Array(0));
    const image = pair.image;
    expect(image.length).toBeGreaterThan(100);
    for (let n = 0; n < image.length; n++) {
      const answer = pair.restore(guest, image.subarray(0, n));
      expect(answer).not.toBe('OK');
    }
    expect(look()).toEqual(before);
    let [now, taken] = [{ pair, guest, bystander }, 0];
    for (let n = 0; n < image.length; n++) {
      const changed = image.slice();
      changed[n] = (changed[n] as number) ^ (1 << (n & 7));
      const answer = now.pair.restore(now.guest, changed);
      expect(now.bystander.ask('WRITE', 'a\0b')).toBe('OK');
      if (answer !== 'OK') continue;
      taken++; // padding, or another value: the domain is there now
      now = offer(new Uint8Array(0));
    }
    expect(taken).toBeGreaterThan(5);
    expect(taken).toBeLessThan(image.length / 2);
  });

  it('MIG-52: an image of C-4.22 with a depth as that writes it is refused, or read, and never a dead store', () => {
    const image = written(named('C-4.22'), { connections: [conn({ watches: [{ ...watch('d', 't'), depth: 1 }] })] });
    const { pair, guest, bystander } = offer(image);
    const answer = pair.restore(guest, image, 'format=C-4.22');
    expect(answer === 'OK' || answer.startsWith('offset')).toBe(true);
    expect(bystander.ask('WRITE', 'a\0b')).toBe('OK');
  });
});
