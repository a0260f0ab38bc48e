import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Carrier,
  carriageOf,
  type DaemonState,
  differencesText,
  diffStates,
  lossText,
  mergeShares,
  reduceState,
  splitByDomain,
  takeDomain,
} from '../../../../store/format/model/index.ts';
import { stateOfStream, streamOfState } from '../../../../store/format/model/stream-model.ts';
import { anyState } from './arbitrary.ts';
import { everything, idle, message, o } from './everything.ts';

const acl = [{ letter: 'n', domid: 0, stale: false }] as const;
const node = (path: string) => ({ path, value: o(''), acl });

/** Homes of domains 5 and 7, and one of a domain without a connection. */
const TREE: DaemonState = {
  ...everything(),
  nodes: [
    '/',
    '/local',
    '/local/domain',
    '/local/domain/7',
    '/local/domain/7/a',
    '/local/domain/5',
    '/local/domain/55',
    '/vm',
  ].map(node),
  connections: [idle({ kind: 'ring', domid: 7 }), idle({ kind: 'ring', domid: 5 }), idle({ kind: 'ring', domid: 0 })],
};

const pathsOf = (state: DaemonState) => state.nodes.map(({ path }) => path);

describe('one file for each domain', () => {
  it('gives each domain its home, by whole names, and the first all others', () => {
    const { shares } = splitByDomain(TREE);
    expect(shares.map(({ domid, state }) => [domid, pathsOf(state)])).toEqual([
      [0, ['/', '/local', '/local/domain', '/local/domain/55', '/vm']],
      [5, ['/local/domain/5']],
      [7, ['/local/domain/7', '/local/domain/7/a']],
    ]);
    expect(new Set(pathsOf(mergeShares(shares)))).toEqual(new Set(pathsOf(TREE)));
  });

  it('tells of children whose order changes when the files are put together', () => {
    expect(splitByDomain(TREE).losses.map(lossText)).toEqual([
      'node "/local/domain": sibling order changed: homes come last, by domid',
    ]);
    expect(
      pathsOf(mergeShares(splitByDomain(TREE).shares)).filter((path) => /^\/local\/domain\/\d+$/.test(path)),
    ).toEqual(['/local/domain/55', '/local/domain/5', '/local/domain/7']);
  });

  it('tells of all that stays behind when one alone is moved', () => {
    const { share, losses } = takeDomain(TREE, 7);
    expect(pathsOf(share.state)).toEqual(['/local/domain/7', '/local/domain/7/a']);
    expect(losses.map(lossText)).toEqual([
      'domain 5: more than one connection dropped: it holds nothing',
      'domain 0: more than one connection dropped: it holds nothing',
      'daemon: node path, value dropped: 6 nodes outside the home of domain 7',
    ]);
  });

  it('is of domain 0 when there is no domain at all', () => {
    const { shares } = splitByDomain({ ...TREE, connections: [] });
    expect(shares.map(({ domid, state }) => [domid, state.nodes.length])).toEqual([[0, 8]]);
  });
});

describe('records that belong to the domain named last', () => {
  const layouts: readonly [Carrier, { hasDomainStart: boolean; hasTxRecord: boolean; hasEnd: boolean }][] = [
    ['G2', { hasDomainStart: true, hasTxRecord: true, hasEnd: false }],
    ['R1', { hasDomainStart: false, hasTxRecord: false, hasEnd: true }],
    ['G1', { hasDomainStart: false, hasTxRecord: true, hasEnd: false }],
  ];
  it.each(layouts)('carry as %s all that the reduction left', (carrier, layout) => {
    fc.assert(
      fc.property(anyState, (state) => {
        const options = { txRecord: layout.hasTxRecord };
        const { state: reduced } = reduceState(state, carriageOf(carrier), options);
        const whole = layout.hasDomainStart
          ? stateOfStream(streamOfState(reduced, layout).records, undefined)
          : mergeShares(
              splitByDomain(reduced).shares.map((share) => ({
                state: stateOfStream(streamOfState(share.state, layout).records, share.domid),
              })),
            );
        const hasNoDomain = !layout.hasDomainStart && reduced.connections.length === 0;
        const wanted = layout.hasDomainStart ? reduced : mergeShares(splitByDomain(reduced).shares);
        const got = hasNoDomain ? { ...whole, connections: [] } : whole;
        expect(differencesText(diffStates(wanted, got))).toBe('');
      }),
    );
  });

  it('come as writes and removals of the domain that they follow', () => {
    const state = stateOfStream(
      [
        { kind: 'DOMAIN_START', domid: 5 },
        { kind: 'TRANSACTION_DATA', txId: 7 },
        { kind: 'DOMAIN_START', domid: 6 },
        { kind: 'WATCH_DATA', wpath: o('device'), token: o('tok') },
        { kind: 'DOMAIN_START', domid: 5 }, // again: continues that domain
        { kind: 'TRANSACTION_NODE_DATA', txId: 7, path: o('/a'), perms: [{ letter: 'n', domid: 5 }], value: o('tx') },
        { kind: 'TRANSACTION_NODE_DATA', txId: 7, path: o('/old'), perms: [], value: o('') },
        { kind: 'GUEST_RING_DATA', value: message(15, 0, 'a\0t\0') },
      ],
      undefined,
    );
    const entry = { letter: 'n', domid: 5, stale: false };
    const none = { read: false, value: o('') };
    expect(state.connections).toEqual([
      {
        ...idle({ kind: 'ring', domid: 5 }),
        transactions: [
          {
            id: 7,
            nodes: [
              { ...none, path: '/a', written: true, value: o('tx'), acl: [entry] },
              { ...none, path: '/old', written: false, acl: [] },
            ],
          },
        ],
        output: message(15, 0, 'a\0t\0'),
      },
      { ...idle({ kind: 'ring', domid: 6 }), watches: [{ path: 'device', token: o('tok') }] },
    ]);
  });
});
