import type { AclEntry, ConnectionState, DaemonState, RingLink } from '../../store/format/model/index.ts';
import { octetsOf } from '../../store/format/text.ts';

const NONE = new Uint8Array(0);
const IDLE = { readOnly: false, watches: [], transactions: [], delayed: [], input: NONE, output: NONE, restBytes: 0 };

function acl(domid: number, ...others: readonly AclEntry[]): AclEntry[] {
  return [{ letter: 'n', domid, stale: false }, ...others];
}

/** A message of the wire protocol, little endian. */
function message(type: number, reqId: number, payload: string): Uint8Array {
  const octets = new Uint8Array(16 + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, reqId, true);
  view.setUint32(12, payload.length, true);
  octets.set(octetsOf(payload), 16);
  return octets;
}

/** Domain 5: a request half read, a reply half sent, requests put aside, a transaction that did everything. */
const BUSY: ConnectionState = {
  link: {
    kind: 'ring',
    domid: 5,
    target: 7, // its connection comes later
    port: 42,
    guestPort: 9,
    mfn: 0x12345n,
    uniqueId: 0xa5n,
    flags: { ignored: true, shutdown: true },
  },
  readOnly: false,
  watches: [
    { path: 'device', token: octetsOf('t\xff') },
    { path: '/box', token: octetsOf('deep'), depth: 1 },
  ],
  transactions: [
    {
      id: 3,
      base: 70n,
      events: ['/box/a'],
      nodes: [
        { path: '/box/a', read: true, written: false, value: octetsOf('first'), acl: acl(0), base: 60n },
        { path: '/box/b', read: true, written: true, value: octetsOf('both'), acl: acl(5), base: 61n },
        { path: '/box/new', read: false, written: true, value: octetsOf('x'), acl: acl(5) },
        { path: '/box/c', read: false, written: false, value: NONE, acl: [], base: 62n },
      ],
    },
  ],
  delayed: [message(2, 8, '/box/a\0'), message(2, 10, '/box/b\0')],
  input: message(2, 9, '/box/c\0').slice(0, 18),
  output: octetsOf('tail'),
  restBytes: 4,
};

function ring(domid: number, more: Partial<RingLink>): RingLink {
  const [port, guestPort] = [40 + domid, 2 + domid];
  return { kind: 'ring', domid, port, guestPort, mfn: BigInt(domid + 1), uniqueId: BigInt(domid + 1), ...more };
}

/** Something in every row of `STATE_ROWS` that is not in guest memory; several things where a format may carry some of them. */
export function populatedState(): DaemonState {
  const values = { generation: 60n, acl: acl(0) };
  return {
    scope: 'update',
    nodes: [
      { path: '/', value: NONE, ...values },
      // No children are in descending order, which oxenstored would give them.
      { path: '/box', value: NONE, ...values },
      {
        path: '/box/b',
        value: octetsOf('\0\xff'),
        generation: 61n,
        acl: acl(5, { letter: 'b', domid: 7, stale: false }),
      },
      { path: '/box/c', value: octetsOf('gone soon'), generation: 62n, acl: acl(0) },
      { path: '/box/a', value: octetsOf('first'), ...values, acl: acl(0, { letter: 'r', domid: 9, stale: true }) },
      { path: '/local', value: NONE, ...values },
      { path: '/local/domain', value: NONE, ...values },
      { path: '/local/domain/5', value: NONE, generation: 63n, acl: acl(5) },
      { path: '/local/domain/7', value: NONE, generation: 64n, acl: acl(7) },
    ],
    specials: [
      { path: '@introduceDomain', value: NONE, acl: acl(0, { letter: 'r', domid: 5, stale: false }) },
      { path: '@releaseDomain', value: NONE, acl: acl(0, { letter: 'r', domid: 7, stale: false }) },
    ],
    connections: [
      { ...IDLE, link: ring(0, {}) },
      BUSY,
      {
        ...IDLE,
        link: ring(7, { target: 5, flags: { released: true } }),
        watches: [{ path: '@releaseDomain', token: octetsOf('r') }],
        output: message(15, 0, 'device\0t\0'),
      },
      { ...IDLE, link: { kind: 'socket', fd: 11 }, watches: [{ path: '/box', token: octetsOf('s') }] },
      { ...IDLE, link: { kind: 'socket', fd: 12 }, readOnly: true },
    ],
    domains: [
      { domid: 0, features: 6, quotas: [{ name: 'nodes', value: 8 }] },
      {
        domid: 5,
        features: 7,
        quotas: [
          { name: 'nodes', value: 9 },
          { name: 'colour', value: 1 },
        ],
      },
    ],
    quotas: {
      domain: [
        { name: 'nodes', value: 1000 },
        { name: 'odd', value: 3 },
      ],
      global: [],
    },
    listeners: { rw: 4, ro: 5 },
    evtchn: { fd: 6, excPort: 8 },
  };
}
