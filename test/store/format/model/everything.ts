import type { ConnectionState, DaemonState, RingLink } from '../../../../store/format/model/state.ts';
import { octetsOf } from '../../../../store/format/schema/text.ts';

export const o = octetsOf;
const NONE = new Uint8Array(0);

/** A connection that holds nothing. */
export function idle(link: ConnectionState['link']): ConnectionState {
  const buffers = { delayed: [], input: NONE, output: NONE, restBytes: 0 };
  return { link, readOnly: false, watches: [], transactions: [], ...buffers };
}

/** A request of the wire protocol, little endian. */
export function message(type: number, reqId: number, payload: string): Uint8Array {
  const octets = new Uint8Array(16 + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, reqId, true);
  view.setUint32(12, payload.length, true);
  octets.set(o(payload), 16);
  return octets;
}

const owner = (domid: number) => [{ letter: 'n', domid, stale: false }] as const;

/** Something in every row of the table of what there is to carry. */
export function everything(): DaemonState {
  const ring: RingLink = {
    kind: 'ring',
    domid: 5,
    target: 7, // which comes later
    port: 42,
    guestPort: 9,
    mfn: 0x12345n,
    uniqueId: 0xa5n,
    flags: { ignored: true },
  };
  return {
    scope: 'update',
    nodes: [
      { path: '/', value: NONE, acl: owner(0) },
      { path: '/a', value: o('first'), acl: owner(0) },
      { path: '/b', value: o('\0\xff'), acl: [...owner(5), { letter: 'r', domid: 9, stale: true }], generation: 77n },
    ],
    specials: [{ path: '@releaseDomain', value: NONE, acl: owner(0) }],
    connections: [
      idle({ kind: 'ring', domid: 0, port: 1, guestPort: 2, mfn: 1n, uniqueId: 1n }),
      {
        link: ring,
        readOnly: false,
        watches: [
          { path: 'device', token: o('t\xff') },
          { path: '/a', token: o(''), depth: 1 },
        ],
        transactions: [
          {
            id: 3,
            base: 70n,
            events: [{ path: '/a', exact: false }],
            nodes: [
              { path: '/a', read: true, written: false, value: o('first'), acl: owner(0), base: 60n },
              { path: '/new', read: false, written: true, value: o('x'), acl: owner(5) },
              { path: '/b', read: false, written: false, value: NONE, acl: [] },
            ],
          },
        ],
        delayed: [message(2, 8, '/a\0')],
        input: message(2, 9, '/b\0').slice(0, 18),
        output: o('tail'),
        restBytes: 4,
      },
      {
        ...idle({ kind: 'ring', domid: 7, target: 5, port: 43, guestPort: 10, mfn: 3n, uniqueId: 3n }),
        output: message(15, 0, 'a\0t\0'),
      },
      { ...idle({ kind: 'socket', fd: 11 }), readOnly: true },
    ],
    domains: [
      {
        domid: 5,
        features: 6,
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
