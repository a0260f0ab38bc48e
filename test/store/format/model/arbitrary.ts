import fc from 'fast-check';
import type {
  AclEntry,
  ConnectionState,
  DaemonState,
  NodeState,
  TouchedNode,
  TransactionState,
  WatchState,
} from '../../../../store/format/model/index.ts';
import { message } from './everything.ts';

const NONE = new Uint8Array(0);
const octets = (max: number) => fc.uint8Array({ maxLength: max });
const token = fc.uint8Array({ maxLength: 6, min: 1 });
const domid = fc.constantFrom(0, 1, 2, 5, 7, 0x7ff5);
const letter = fc.constantFrom('r', 'w', 'b', 'n' as const);
const entry: fc.Arbitrary<AclEntry> = fc.record({ letter, domid, stale: fc.boolean() });
const acl = fc
  .tuple(letter, fc.constantFrom(0, 1, 5), fc.array(entry, { maxLength: 3 }))
  .map(([owner, of, more]): AclEntry[] => [{ letter: owner, domid: of, stale: false }, ...more]);

/** A tree: the root, and names below what is there already. */
const nodes: fc.Arbitrary<NodeState[]> = fc
  .array(fc.tuple(fc.nat(), fc.constantFrom('a', 'b', 'C', '0', 'zz'), octets(8), acl), { maxLength: 12 })
  .chain((made) =>
    acl.map((rootAcl) => {
      const found = new Map<string, NodeState>([['/', { path: '/', value: NONE, acl: rootAcl }]]);
      for (const [at, name, value, entries] of made) {
        const parents = [...found.keys()];
        const parent = parents[at % parents.length] as string;
        const path = parent === '/' ? `/${name}` : `${parent}/${name}`;
        if (!found.has(path)) found.set(path, { path, value, acl: entries });
      }
      return [...found.values()];
    }),
  );

const watch: fc.Arbitrary<WatchState> = fc
  .tuple(fc.constantFrom('/', '/a', 'device', '@releaseDomain', '@releaseDomain/5'), token, fc.option(fc.nat(3)))
  .map(([path, t, depth]) => (depth === null ? { path, token: t } : { path, token: t, depth }));

const touched: fc.Arbitrary<TouchedNode> = fc
  .tuple(fc.constantFrom('/a', '/b', '/new'), fc.constantFrom(0, 1, 2, 3), octets(4), acl)
  .map(([path, access, value, entries]) =>
    access === 0
      ? { path, read: false, written: false, value: NONE, acl: [] }
      : { path, read: (access & 1) !== 0, written: (access & 2) !== 0, value, acl: entries },
  );

const transaction: fc.Arbitrary<TransactionState> = fc.record({
  id: fc.integer({ min: 1, max: 9 }),
  nodes: fc.uniqueArray(touched, { maxLength: 3, selector: (node) => node.path }),
});

const body: fc.Arbitrary<Omit<ConnectionState, 'link'>> = fc
  .record({
    watches: fc.uniqueArray(watch, { maxLength: 3, selector: (w) => `${w.path} ${w.token}` }),
    transactions: fc.uniqueArray(transaction, { maxLength: 2, selector: (tx) => tx.id }),
    delayed: fc.array(
      fc.nat(99).map((id) => message(2, id, '/a\0')),
      { maxLength: 2 },
    ),
    inputBytes: fc.nat(18),
    rest: octets(20),
    events: fc.nat(2),
    readOnly: fc.boolean(),
  })
  .map(({ inputBytes, rest, events, ...more }) => {
    const event = message(15, 0, 'a\0t\0');
    const output = new Uint8Array(rest.length + events * event.length);
    output.set(rest);
    for (let i = 0; i < events; i++) output.set(event, rest.length + i * event.length);
    return { ...more, input: message(2, 9, '/b\0').slice(0, inputBytes), output, restBytes: rest.length };
  });

const maybe = <K extends string, V>(key: K, value: fc.Arbitrary<V>) =>
  fc.option(value).map((v) => (v === null ? {} : { [key]: v }) as { [P in K]?: V });

const ring = (of: number): fc.Arbitrary<ConnectionState> =>
  fc
    .tuple(
      body,
      maybe('target', fc.constantFrom(1, 2)),
      maybe(
        'port',
        fc.integer({ min: 1, max: 0x1ffff }).map((port) => 8 * port + of),
      ),
      maybe('guestPort', fc.integer({ min: 1, max: 99 })),
      maybe('mfn', fc.bigInt({ min: 1n, max: 0xffffffffffffn })),
      maybe('uniqueId', fc.bigInt({ min: 0n, max: 0xffffffffffffffffn })),
    )
    .map(([rest, ...links]) => ({
      ...rest,
      readOnly: false,
      link: Object.assign({ kind: 'ring' as const, domid: of }, ...links),
    }));

const socket: fc.Arbitrary<ConnectionState> = fc
  .tuple(body, fc.integer({ min: 10, max: 99 })) // those below are the listeners' and the device's
  .map(([rest, fd]) => ({ ...rest, link: { kind: 'socket', fd } }));

const quotas = fc.uniqueArray(
  fc.record({ name: fc.constantFrom('nodes', 'watches', 'odd', 'soft-nodes'), value: fc.nat(0xffffffff) }),
  { maxLength: 3, selector: (quota) => quota.name },
);

/** States of a live update: sound, with something in most rows. */
export const anyState: fc.Arbitrary<DaemonState> = fc
  .record({
    nodes,
    specials: fc
      .subarray(['@introduceDomain', '@releaseDomain', '@other'])
      .chain((paths) =>
        fc.tuple(...paths.map((path) => acl.map((entries): NodeState => ({ path, value: NONE, acl: entries })))),
      ),
    rings: fc.subarray([0, 1, 2, 5]).chain((domids) => fc.tuple(...domids.map(ring))),
    sockets: fc.uniqueArray(socket, { maxLength: 2, selector: ({ link }) => (link.kind === 'socket' ? link.fd : 0) }),
    hasDomains: fc.boolean(),
    features: fc.nat(15),
    quotas,
    defaults: fc.option(quotas),
    listeners: fc.tuple(maybe('rw', fc.nat(9)), maybe('ro', fc.nat(9))),
    evtchn: fc.tuple(maybe('fd', fc.nat(9)), maybe('excPort', fc.integer({ min: 1, max: 9 }))),
  })
  .map(({ rings, sockets, hasDomains, features, quotas: own, defaults, listeners, evtchn, ...tree }) => ({
    scope: 'update' as const,
    ...tree,
    connections: [...rings, ...sockets],
    domains: hasDomains
      ? rings.map(({ link }) => ({ domid: link.kind === 'ring' ? link.domid : 0, features, quotas: own }))
      : [],
    ...(defaults === null ? {} : { quotas: { domain: defaults, global: own } }),
    listeners: Object.assign({}, ...listeners),
    evtchn: evtchn[0].fd === undefined ? {} : Object.assign({}, ...evtchn),
  }));
