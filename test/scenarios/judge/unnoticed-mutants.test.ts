import { afterEach, describe, expect, it, vi } from 'vitest';
import { BlkRing } from '../../../guests/devices/blkback-ring.ts';
import { BackendMoves } from '../../../guests/devices/index.ts';
import { migrateUnnoticed } from '../../../scenarios/catalogue/migrate-unnoticed.ts';
import { unnoticedMessages } from '../../../scenarios/judge/invariants/unnoticed-messages.ts';
import { unnoticedOctets } from '../../../scenarios/judge/invariants/unnoticed-octets.ts';
import { unnoticedPlatform } from '../../../scenarios/judge/invariants/unnoticed-platform.ts';
import { unnoticedRights } from '../../../scenarios/judge/invariants/unnoticed-rights.ts';
import type { MoveWitness, Session, SessionRecord } from '../../../scenarios/judge/sessions.ts';
import { BackRing, IO_RSP_PROD } from '../../../sim/io-ring.ts';
import { LogDirty } from '../../../sim/log-dirty.ts';
import type { Daemon } from '../../../store/daemon/daemon.ts';
import { Introductions } from '../../../store/daemon/introductions.ts';
import { Output } from '../../../store/daemon/output.ts';
import { Transactions } from '../../../store/daemon/transactions.ts';
import { Watches } from '../../../store/daemon/watches.ts';
import { DomainMoves } from '../../../store/migration/moves.ts';
import { header, message, XS } from '../../../store/protocol/wire.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** Families that break when guests are moved, and what they say. */
function broken(seed: string, devices: Readonly<Record<string, number | string>> = { devices: 'off' }): string {
  const { verdicts, outcome, failure } = migrateUnnoticed.run({
    seed,
    format: 'v2',
    lab: undefined,
    checks: true,
    settings: { requests: 2_500, migrations: 8, updates: 0, domains: 4, ...devices },
  });
  const said = verdicts.flatMap(({ invariant, violations }) =>
    violations.map(({ detail }) => `${invariant}: ${detail}`),
  );
  return said.length === 0 ? `${outcome} ${JSON.stringify(failure ?? '')}` : said.join('\n');
}

describe('INJ-M28: a step that is left out or exchanged is found', () => {
  it('none is: nothing is found', () => {
    expect(broken('1')).toBe('pass ""');
  });

  it('NF7 is missing: the page goes without what the store has stored there last (INV-M20)', () => {
    vi.spyOn(Introductions.prototype, 'letGo').mockImplementation(() => {});
    // Nor does a look find what the guest has stored to it since the first pass, which would send it anyway.
    vi.spyOn(LogDirty.prototype, 'gfns').mockReturnValue([]);
    expect(broken('1')).toMatch(/unnoticed-octets: INV-M20/);
  });

  it('NF5 comes after NF6: what is served in between is served twice (INV-M20)', () => {
    const run = DomainMoves.prototype.command;
    const images = new Map<string, Uint8Array>();
    vi.spyOn(DomainMoves.prototype, 'command').mockImplementation(function (this: DomainMoves, instance, words) {
      const daemon = instance as Daemon;
      const [word, domid = '', ...others] = words;
      const call = (...args: readonly string[]) => run.call(this, daemon, args);
      if (word === 'freeze') {
        const file = `/tmp/early.${domid}`;
        call('dump', domid, file);
        images.set(domid, daemon.platform.readFile(file) ?? new Uint8Array(0));
        return call('thaw', domid); // and it goes on being served
      }
      if (word !== 'dump' || !images.has(domid)) return call(...words);
      const answer = call(...words);
      daemon.platform.writeFile(others[0] ?? '', images.get(domid) ?? new Uint8Array(0));
      images.delete(domid);
      return answer;
    });
    // Not every seed has a guest that asks for something between the two.
    const found = ['3', '4', '1', '2', '5', '6'].find((seed) => /INV-M(19|20|21|22)/.test(broken(seed)));
    expect(found).toBeDefined();
  });

  it('a watch is lost on the way (INV-M21)', () => {
    const add = Watches.prototype.add;
    vi.spyOn(Watches.prototype, 'add').mockImplementation(function (this: Watches, wanted) {
      const watch = add.call(this, wanted);
      if (wanted.conn.moving === 'frozen') this.remove(watch);
      return watch;
    });
    expect(broken('1')).toMatch(/unnoticed-messages: INV-M21: no event tells of a change|INV-M24/);
  });

  it('watches fire once more at the other host (INV-M21)', () => {
    const add = Watches.prototype.add;
    vi.spyOn(Watches.prototype, 'add').mockImplementation(function (this: Watches, wanted) {
      const watch = add.call(this, wanted);
      if (wanted.conn.moving === 'frozen') wanted.conn.out.push(eventOf(watch.path.slice(watch.prefix), watch.token));
      return watch;
    });
    expect(broken('1')).toMatch(/unnoticed-messages: INV-M21: an event of no change/);
  });

  it('an open transaction is lost on the way (INV-M22)', () => {
    const open = Transactions.prototype.open;
    vi.spyOn(Transactions.prototype, 'open').mockImplementation(function (this: Transactions, conn, tx) {
      open.call(this, conn, tx);
      if (conn.moving === 'frozen') this.end(conn, tx);
    });
    expect(broken('1')).toMatch(/INV-M22|INV-M24/);
  });

  /** Busy disks, or busy interfaces. */
  const DISKS = { devices: 'on', requests: 5_000, block: 4_000, net: 0 };
  const NICS = { devices: 'on', requests: 5_000, block: 0, net: 2_000 };

  it('none is, with devices: nothing is found', () => {
    expect(broken('1', DISKS)).toBe('pass ""');
    expect(broken('1', NICS)).toBe('pass ""');
  });

  it('NF4 is missing: two backends serve one ring (INV-M10, INV-M28)', () => {
    vi.spyOn(BackendMoves.prototype, 'drain').mockImplementation(function* () {});
    expect(broken('1', DISKS)).toMatch(/devices-over-hosts/);
    expect(broken('1', NICS)).toMatch(/devices-over-hosts/);
  });

  it('NF4 does not wait for what was taken: it is done twice (INV-M28)', () => {
    // The answers of what is at the disk are never published: the other backend finds them not answered (NC-28).
    const fill = BackRing.prototype.publish;
    const stop = BlkRing.prototype.stop;
    const stopping = new WeakSet<BackRing>();
    vi.spyOn(BlkRing.prototype, 'stop').mockImplementation(function (this: BlkRing, me) {
      stopping.add(this.shared);
      return stop.call(this, me);
    });
    vi.spyOn(BackRing.prototype, 'publish').mockImplementation(function (this: BackRing) {
      return stopping.has(this) ? 0 : fill.call(this);
    });
    const found = ['1', '2', '3'].find((seed) => /was done twice|off the ring where/.test(broken(seed, DISKS)));
    expect(found).toBeDefined();
  });

  it('a backend begins at the wrong place: requests are done twice (INV-M28)', () => {
    vi.spyOn(BackRing, 'attach').mockImplementation(
      (frame, slotBytes) => new BackRing(frame, slotBytes, (frame.load32(IO_RSP_PROD) - 1) >>> 0),
    );
    expect(broken('1', DISKS)).toMatch(/devices-over-hosts: was (taken|done)/);
  });

  it('queued output is lost when it is served again (INV-M20)', () => {
    vi.spyOn(Output.prototype, 'restart').mockImplementation((conn) => {
      conn.out.length = 0;
    });
    expect(broken('1')).toMatch(/INV-M(19|20|21)/);
  });
});

function eventOf(path: string, token: string) {
  const payload = new Uint8Array([...`${path}\0${token}\0`].map((c) => c.charCodeAt(0)));
  const bytes = message(XS.WATCH_EVENT, 0, 0, payload);
  return { kind: 'event' as const, bytes, sent: 0, eventKey: '', deadlineMs: 0, cause: undefined };
}

/** A session by hand: what is put in is taken out at once, unless `lost`. */
function session(...moves: readonly (readonly ['req' | 'rsp', Uint8Array] | 'moved')[]): Session {
  const records: SessionRecord[] = [];
  const at = { req: 0, rsp: 0 };
  for (const move of moves) {
    const place = { seq: records.length, timeNs: records.length, host: 0 };
    if (move === 'moved') {
      records.push({ ...place, kind: 'moved' });
      continue;
    }
    const [dir, bytes] = move;
    for (const kind of ['put', 'took'] as const) records.push({ ...place, kind, dir, from: at[dir], bytes });
    at[dir] += bytes.length;
  }
  return { domid: 5, name: 'hand', records };
}

const said = (...parts: readonly (string | Uint8Array)[]) =>
  new Uint8Array(
    parts.flatMap((part) => (typeof part === 'string' ? [...part].map((c) => c.charCodeAt(0)) : [...part])),
  );
const ask = (type: number, reqId: number, txId: number, text: string) =>
  ['req', said(header(type, reqId, txId, text.length), text)] as const;
const tell = (type: number, reqId: number, txId: number, text: string) =>
  ['rsp', said(header(type, reqId, txId, text.length), text)] as const;
const details = (one: Session) => unnoticedMessages([one]).violations.map(({ detail }) => detail);

describe('checks of a session, by hand', () => {
  const write = (value: string, reqId = 1) => [
    ask(XS.WRITE, reqId, 0, `data/own/a\0${value}`),
    tell(XS.WRITE, reqId, 0, 'OK\0'),
  ];

  it('INV-M19: a value that was never written, and a request that is never answered', () => {
    const read = (said: string) =>
      session(...write('1'), ask(XS.READ, 2, 0, 'data/own/a\0'), tell(XS.READ, 2, 0, said));
    expect(details(read('1'))).toEqual([]);
    expect(details(read('0'))).toEqual(['INV-M19: data/own/a is "0" instead of "1"']);
    expect(details(session(ask(XS.READ, 2, 0, 'data/own/a\0')))).toEqual(['INV-M19: never answered']);
    expect(details(session(tell(XS.READ, 9, 0, '')))).toEqual(['INV-M20: an answer to nothing that was asked']);
  });

  it('INV-M21: an event that is missing, and one of no change', () => {
    const watch = [ask(XS.WATCH, 1, 0, 'data/own\0t\0'), tell(XS.WATCH, 1, 0, 'OK\0')];
    const first = tell(XS.WATCH_EVENT, 0, 0, 'data/own\0t\0');
    const event = tell(XS.WATCH_EVENT, 0, 0, 'data/own/a\0t\0');
    expect(details(session(...watch, first, ...write('1', 2), event))).toEqual([]);
    expect(details(session(...watch, first, ...write('1', 2)))).toEqual([
      'INV-M21: no event tells of a change: t data/own/a',
    ]);
    expect(details(session(...watch, first, 'moved', first))).toEqual(['INV-M21: an event of no change: t data/own']);
    expect(unnoticedMessages([session(...watch, first, 'moved', first)], { firesWatches: true }).violations).toEqual(
      [],
    );
  });

  it('INV-M22: EAGAIN without a move, an id twice, a transaction that nobody knows', () => {
    const start = (reqId: number) => [
      ask(XS.TRANSACTION_START, reqId, 0, '\0'),
      tell(XS.TRANSACTION_START, reqId, 0, '1\0'),
    ];
    const end = (error: string) => [ask(XS.TRANSACTION_END, 7, 1, 'T\0'), tell(XS.ERROR, 7, 1, `${error}\0`)];
    expect(details(session(...start(1), 'moved', ...end('EAGAIN')))).toEqual([]);
    expect(details(session(...start(1), ...end('EAGAIN')))).toEqual(['INV-M22: EAGAIN, and nobody came in between']);
    expect(details(session(...start(1), 'moved', ...end('ENOENT')))).toEqual([
      'INV-M22: the store does not know an open transaction',
    ]);
    expect(details(session(...start(1), ...start(2)))).toEqual(['INV-M22: 1 is given out again before its end']);
  });

  it('INV-M20: octets lost, doubled, and an index that jumps', () => {
    const [dir, bytes] = ask(XS.READ, 1, 0, 'data/own/a\0');
    const at = { seq: 0, timeNs: 0, host: 0, dir };
    const records: SessionRecord[] = [
      { ...at, kind: 'put', from: 0, bytes },
      { ...at, kind: 'took', from: 0, bytes: bytes.subarray(0, 9) },
      { ...at, kind: 'took', from: 0, bytes: bytes.subarray(0, 9) },
    ];
    const found = unnoticedOctets([{ domid: 5, name: 'hand', records }]).violations.map(({ detail }) => detail);
    expect(found[0]).toBe('INV-M20: an index that stood at 9 moves from 0 (took req, host 0)');
    expect(found[1]).toMatch(/came twice/);
  });

  it('INV-M23, INV-M25: a quota that is lost, a right of somebody else’s', () => {
    const line = (perms: string) => `NODE_DATA: connId 0, txId 0, access 0, perms [${perms}], path "/a", value ""`;
    const quota = (value: number) => `QUOTA: nodes ${value}`;
    const found = (dumped: readonly string[], again: readonly string[]) =>
      unnoticedRights([
        {
          domid: 5,
          timeNs: 0,
          dumped: dumped.join('\n'),
          again: again.join('\n'),
          portsBefore: new Map(),
          portsAfter: undefined,
          pending: [],
        },
      ]).violations.map(({ detail }) => detail);
    const good = [line('n5 r0 r7(stale)'), quota(9)];
    expect(found(good, good)).toEqual([]);
    expect(found(good, [line('n5 r7'), quota(9)])).toEqual([
      'INV-M25: /a names domain 7 (r7), who is another one there',
    ]);
    expect(found(good, [line('n5')])).toEqual(['INV-M23: lost: QUOTA: nodes 9']);
    expect(found(good, [quota(9), quota(8)])).toEqual(['INV-M23: it had not: QUOTA: nodes 8']);
  });

  it('INV-M10, INV-M24: a port that is another, an event that is lost, an image that says something else', () => {
    const good: MoveWitness = {
      domid: 5,
      timeNs: 0,
      dumped: 'a\nb',
      again: 'a\nb',
      portsBefore: new Map([[1, 'interdomain 0']]),
      portsAfter: new Map([[1, 'interdomain 0']]),
      pending: [{ port: 1, isPending: true }],
    };
    const found = (change: Partial<MoveWitness>) =>
      unnoticedPlatform([{ ...good, ...change }]).violations.map(({ detail }) => detail);
    expect(found({})).toEqual([]);
    const area = (...kinds: readonly string[]) => kinds.map((k) => `path "/local/domain/0/backend/${k}"`).join('\n');
    expect(found({ dumped: area('vbd', 'vif'), again: area('vif', 'vbd') })).toEqual([]);
    expect(found({ dumped: area('vbd', 'vif'), again: area('vif', 'vif') })).toHaveLength(1);
    expect(found({ again: 'a\nc' })).toEqual(['INV-M24: line 1 is "c" instead of "b"']);
    expect(found({ portsAfter: new Map([[1, 'unbound 0']]) })).toEqual([
      'INV-M10: port 1 was interdomain 0, and is unbound 0',
    ]);
    expect(
      found({
        portsAfter: new Map([
          [1, 'interdomain 0'],
          [2, 'ipi'],
        ]),
      }),
    ).toEqual(['INV-M10: port 2 was closed, and is not']);
    expect(found({ pending: [{ port: 1, isPending: false }] })).toEqual(['INV-M10: the event of port 1 is lost']);
  });
});
