import { describe, expect, it } from 'vitest';
import { Daemon } from '../../../store/daemon/daemon.ts';
import type { Stream } from '../../../store/daemon/platform.ts';
import type { DaemonState } from '../../../store/daemon/state.ts';
import { NOBODY } from '../../../store/daemon/wakes.ts';
import { extend, formatNamed, nodeData, note, record, transactionData, u64 } from '../../../store/format/index.ts';
import {
  binaryFormat,
  differencesText,
  diffStates,
  type DaemonState as NeutralState,
  type RingLink,
  type StateFormat,
  writeState,
} from '../../../store/format/model/index.ts';
import { neutralStateOf, restoreNeutralState } from '../../../store/live-update/neutral-state.ts';
import { commit } from '../../../store/tree/commit.ts';
import { FakePlatform } from '../../support/fake-platform.ts';
import { Bench, octets } from '../harness.ts';

const NUMBERS = { listenerFd: 4, evtchnFd: 7 };

const BASED = extend(formatNamed('G4.1') as NonNullable<ReturnType<typeof formatNamed>>, {
  name: 'based',
  title: 'Version 3: transactions with their conflict bases',
  versions: [3],
  records: [
    record('TRANSACTION_DATA', 4, { base: note(u64, 'At its start.'), ...transactionData.fields }),
    record('NODE_DATA', 5, {
      generation: note(u64, 'Of a committed node.'),
      base: note(u64, 'At first access.'),
      ...nodeData.fields,
    }),
  ],
});

function restored(bench: Bench, neutral: NeutralState): DaemonState {
  const sockets = new Map<number, Stream>();
  for (const { link } of bench.state.connections) if (link.kind === 'socket') sockets.set(link.stream.fd, link.stream);
  const result = restoreNeutralState(neutral, bench.platform, bench.state.options, sockets);
  if (!result.ok) throw new Error(`assertion: ${result.reason}`);
  return result.state;
}

function through(format: StateFormat, neutral: NeutralState): NeutralState {
  const written = writeState(neutral, format, { onLoss: 'silent' });
  const file = written.ok ? written.files[0] : undefined;
  const read = file && format.read(file.octets);
  if (!read?.ok) throw new Error('assertion: the format cannot carry the state');
  return read.value.state;
}

/** A small congruential generator: the traffic's only randomness. */
function draws(seed: number): (below: number) => number {
  let x = seed >>> 0;
  return (below) => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return Math.floor((x / 2 ** 32) * below);
  };
}

function traffic(seed: number): Bench {
  const draw = draws(seed);
  const bench = new Bench('4.22', { policy: 'carry' });
  const guests = [bench.domain(1), bench.domain(2), bench.s];
  const open = guests.map(() => [] as number[]);
  for (let i = 0; i < 120; i++) {
    const who = draw(guests.length);
    const guest = guests[who] as (typeof guests)[number];
    const home = `/local/domain/${who === 2 ? draw(2) + 1 : who + 1}`;
    const path = `${home}/${'abc'[draw(3)]}${draw(2) ? `/${'xyz'[draw(3)]}` : ''}`;
    const ids = open[who] as number[];
    const tx = draw(2) ? (ids[0] ?? 0) : 0;
    const what = draw(9);
    if (what < 3) guest.ask('WRITE', `${path}^v${i}`, tx);
    else if (what === 3) guest.ask('RM', `${path}^`, tx);
    else if (what === 4) guest.ask('READ', `${path}^`, tx);
    else if (what === 5) guest.ask('SET_PERMS', `${path}^n${(who % 2) + 1}^r${draw(3)}^`, tx);
    else if (what === 6) guest.ask('WATCH', `${path}^t${draw(4)}^`);
    else if (what === 7 && ids.length < 2) ids.push(guest.begin());
    else if (ids.length > 0) guest.end(ids.pop() as number, draw(2) ? 'T' : 'F');
    if (i === 100) for (const one of guests) one.isHeld = draw(2) === 1;
  }
  // A restore learns who the domains are: so that nothing differs, they are known before.
  for (const domid of [0, 1, 2]) bench.daemon.records.findOrMake(domid);
  return bench;
}

describe('the state in terms of no format', () => {
  it('is the same after a restore', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const bench = traffic(seed);
      const before = neutralStateOf(bench.state, NUMBERS, undefined);
      const after = neutralStateOf(restored(bench, before), NUMBERS, undefined);
      expect(differencesText(diffStates(before, after)), `seed ${seed}`).toBe('');
    }
  });

  it('is refused where a node has no owner', () => {
    const bench = new Bench();
    const { nodes, ...rest } = neutralStateOf(bench.state, NUMBERS, undefined);
    const bare = { ...rest, nodes: nodes.map((node) => ({ ...node, acl: [] })) };
    expect(restoreNeutralState(bare, bench.platform, bench.state.options, new Map())).toEqual({
      ok: false,
      reason: expect.stringContaining('NODE_DATA perms: is empty or zero'),
    });
  });
});

describe('what a restore makes of a state', () => {
  /** Domains 1 and 2, each standing for the other. */
  function tied(): NeutralState {
    const bench = new Bench();
    for (const domid of [1, 2]) bench.domain(domid);
    bench.s.ask('SET_TARGET', '1^2^');
    bench.s.ask('SET_TARGET', '2^1^');
    return neutralStateOf(bench.state, NUMBERS, undefined);
  }

  function again(change: (state: NeutralState) => NeutralState): DaemonState {
    const bench = new Bench();
    for (const domid of [1, 2]) bench.platform.createDomain(domid);
    return restored(bench, change(tied()));
  }

  function flagged(flags: NonNullable<RingLink['flags']>): DaemonState {
    return again((state) => ({
      ...state,
      connections: state.connections.map((conn) =>
        conn.link.kind === 'ring' && conn.link.domid === 2 ? { ...conn, link: { ...conn.link, flags } } : conn,
      ),
    }));
  }

  it('has targets whose connection comes later, too', () => {
    const state = again((s) => s);
    expect([1, 2].map((domid) => state.connections.ringOf(domid)?.target?.domid)).toEqual([2, 1]);
  });

  it('keeps a dead domain for whoever stands for it', () => {
    const state = flagged({ released: true });
    expect(state.records.get(2)?.isDetached).toBe(true);
    expect(state.connections.ringOf(2)?.ties.map(({ domid }) => domid)).toEqual([1]);
    expect(state.connections.ringOf(1)?.ties).toEqual([]);
  });

  it('knows who was given up, and whose end was told', () => {
    const state = flagged({ ignored: true, shutdown: true });
    expect([1, 2].map((domid) => state.connections.ringOf(domid)?.isIgnored)).toEqual([false, true]);
    expect([1, 2].map((domid) => state.records.get(domid)?.isShutdown)).toEqual([false, true]);
  });

  it('has special nodes as at a fresh start where none are told', () => {
    const fresh = new Bench().state;
    const state = again((s) => ({ ...s, specials: [] }));
    for (const name of ['@releaseDomain', '@introduceDomain'])
      expect(state.tree.get(name)?.perms).toEqual(fresh.tree.get(name)?.perms);
  });

  it('offers every domain the usual features where nothing is told of them', () => {
    const state = again((s) => ({ ...s, domains: s.domains.map(({ domid, quotas }) => ({ domid, quotas })) }));
    expect([1, 2].map((domid) => state.records.get(domid)?.features)).toEqual([14, 14]);
  });
});

describe('a carried transaction', () => {
  function open(after?: (bench: Bench) => void) {
    const bench = new Bench('4.22', { policy: 'carry' });
    bench.s.ask('WRITE', '/a^old');
    bench.s.ask('WRITE', '/gone^old');
    const id = bench.s.begin();
    bench.s.ask('WRITE', '/a^new', id);
    bench.s.ask('WRITE', '/b^made', id);
    bench.s.ask('RM', '/gone^', id);
    after?.(bench);
    return { id, bench };
  }

  function commitIn(state: DaemonState, id: number): DaemonState {
    const { ground } = new Daemon(state, new FakePlatform(), NOBODY);
    const conn = [...state.connections].find((one) => one.transactions.has(id));
    const tx = conn?.transactions.get(id);
    if (conn === undefined || tx === undefined) throw new Error('assertion: no transaction');
    commit(ground, conn, tx, undefined);
    return state;
  }

  it('commits after a format with generations and bases', () => {
    const { bench, id } = open();
    const state = restored(bench, through(binaryFormat(BASED), neutralStateOf(bench.state, NUMBERS, undefined)));
    commitIn(state, id);
    expect(state.tree.get('/a')?.value).toEqual(octets('new'));
    expect(state.tree.get('/b')?.value).toEqual(octets('made'));
    expect(state.tree.get('/gone')).toBeUndefined();
    expect(state.tree.get('/')?.children).toContain('b');
  });

  it('conflicts with what others wrote before the update', () => {
    const { bench, id } = open((b) => b.s.ask('WRITE', '/a^other'));
    const state = restored(bench, through(binaryFormat(BASED), neutralStateOf(bench.state, NUMBERS, undefined)));
    expect(() => commitIn(state, id)).toThrow(expect.objectContaining({ errno: 'EAGAIN' }));
  });

  it('ends in EAGAIN after a format without', () => {
    const { bench, id } = open();
    const G41 = binaryFormat(formatNamed('G4.1') as NonNullable<ReturnType<typeof formatNamed>>);
    const state = restored(bench, through(G41, neutralStateOf(bench.state, NUMBERS, undefined)));
    expect(() => commitIn(state, id)).toThrow(expect.objectContaining({ errno: 'EAGAIN' }));
  });
});
