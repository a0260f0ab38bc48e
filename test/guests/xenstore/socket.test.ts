import { describe, expect, it } from 'vitest';
import {
  type EventQueue,
  GuestOs,
  LIBXENSTORE_HABITS,
  type SocketHabits,
  strings,
  type Thread,
  text,
  XS,
  Xs,
  XsSocket,
} from '../../../guests/index.ts';
import type { Host } from '../../../scenarios/engine/host.ts';
import { checkHistory } from '../../../scenarios/judge/invariants/index.ts';
import { type Actor, loneMachine, PARK, UnixSocket } from '../../../sim/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { message } from '../../../store/protocol/wire.ts';
import { tamper } from '../../support/headline.ts';
import { testHost } from '../../support/host.ts';

function worldOf(passImage: (image: Uint8Array) => Uint8Array = (image) => image): Host {
  return testHost({ seed: '5', passImage, records: true, limitsWrites: false });
}

/** Run programs of dom0 to their ends; each must get there. */
function programs(host: Host, bodies: Readonly<Record<string, (me: Thread) => Actor>>): void {
  const all = Object.entries(bodies).map(([name, body]) => host.dom0.os.start(name, body));
  host.machine.scheduler.run(host.machine.nowNs + 1_000_000_000);
  expect(all.filter((me) => me.task?.state !== 'done').map((me) => me.name)).toEqual([]);
}

function violations(host: Host): string[] {
  const history = host.recorder?.history();
  return checkHistory(history ?? { epochs: [], records: [], transactionPolicy: 'carry', compat: '4.22' })
    .filter((v) => v.invariant !== 'final-tree') // nobody read the tree
    .flatMap((v) => v.violations.map((x) => x.detail));
}

/** A handle whose other end is not a store but the test. */
function faced(habits?: SocketHabits): { os: GuestOs; client: XsSocket; server: UnixSocket; run: () => void } {
  const machine = loneMachine({ seed: '1' });
  const domain = machine.createDomain(0, 'dom0');
  machine.unpause(domain);
  const os = new GuestOs(machine, domain);
  const [end, server] = UnixSocket.pair(-1, 9);
  const client = new XsSocket(os, end, habits);
  client.start('program');
  return { os, client, server, run: () => void machine.scheduler.run(machine.nowNs + 10_000_000) };
}

/** Whole messages that came to the other end: type and payload. */
function taken(server: UnixSocket): string[] {
  const bytes = new Uint8Array(server.readable());
  server.read(bytes, 0, bytes.length);
  const reader = new MessageReader('refused');
  reader.push(bytes);
  const found: string[] = [];
  for (let m = reader.shift(); m !== undefined; m = reader.shift())
    found.push(`${m.type} ${m.reqId} ${text(m.payload)}`);
  expect(reader.held).toBe(0);
  return found;
}

function says(server: UnixSocket, type: number, payload: Uint8Array): void {
  const bytes = message(type, 0, 0, payload);
  server.write(bytes, 0, bytes.length);
}

describe('a program of dom0 on the socket', () => {
  it('reads what it wrote, relative paths below /local/domain/0, as the privileged', () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const xs = new Xs(host.socket('tool'), me);
        expect((yield* xs.write('vm', 'here')).error).toBeUndefined();
        expect(text((yield* xs.read('/local/domain/0/vm')).payload)).toBe('here');
        expect((yield* xs.call(XS.IS_DOMAIN_INTRODUCED, strings('7'))).error).toBeUndefined();
        expect((yield* xs.read('nothing')).error).toBe('ENOENT');
      },
    });
    expect(violations(host)).toEqual([]);
    expect(host.traffic.requests).toBe(4);
  });

  it('gets events of its watches, also those that another program causes', () => {
    const host = worldOf();
    const seen: string[] = [];
    programs(host, {
      *watcher(me) {
        const client = host.socket('watcher');
        const queue: EventQueue = { events: [], me };
        yield* client.watch(queue, '/a', 'token');
        while (seen.length < 2) {
          for (const event of queue.events.splice(0)) seen.push(`${event.path} ${event.token}`);
          if (seen.length < 2) yield PARK;
        }
      },
      *writer(me) {
        yield 1_000_000;
        yield* new Xs(host.socket('writer'), me).write('/a/b', 'x');
      },
    });
    expect(seen).toEqual(['/a token', '/a/b token']);
    expect(violations(host)).toEqual([]);
  });

  it('goes on over a live update with its watches and its open transaction, on the same descriptor', () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const client = host.socket('tool');
        const xs = new Xs(client, me);
        const queue: EventQueue = { events: [], me };
        yield* client.watch(queue, '/a', 'token');
        const begun = yield* xs.begin();
        if ('error' in begun) throw new Error(begun.error);
        yield* xs.write('/a', '1', begun.txId);
        yield* xs.call(XS.CONTROL, strings('live-update', '-f', '/usr/sbin/xenstored'));
        const answer = yield* xs.call(XS.CONTROL, strings('live-update', '-s', '-t', '0'));
        expect(text(answer.payload)).toBe('OK\0');
        expect(text((yield* xs.read('/a', begun.txId)).payload)).toBe('1');
        expect((yield* xs.read('/a')).error).toBe('ENOENT');
        yield* xs.end(begun.txId, false);
        yield* xs.write('/a', '2');
        expect(queue.events).toEqual([
          { path: '/a', token: 'token' },
          { path: '/a', token: 'token' },
        ]);
      },
    });
    expect(host.store.updates.map((u) => u.outcome)).toEqual(['ok']);
    expect(violations(host)).toEqual([]);
  });

  it('LS-9: its open transactions end with its handle, its watches too, and nobody is told', () => {
    const host = worldOf();
    let events = -1;
    programs(host, {
      *tool(me) {
        const client = host.socket('tool');
        const xs = new Xs(client, me);
        yield* client.watch({ events: [], me }, '/a', 'mine');
        const begun = yield* xs.begin();
        if ('error' in begun) throw new Error(begun.error);
        yield* xs.write('/a', 'lost', begun.txId);
        client.close();
      },
      *other(me) {
        const client = host.socket('other');
        const queue: EventQueue = { events: [], me };
        yield* client.watch(queue, '@releaseDomain', 'r');
        yield 1_000_000;
        const xs = new Xs(client, me);
        expect((yield* xs.read('/a')).error).toBe('ENOENT');
        expect((yield* xs.write('/a', 'kept')).error).toBeUndefined();
        events = queue.events.length;
      },
    });
    expect(events).toBe(1); // a new watch's own
    expect(violations(host)).toEqual([]);
    const history = host.recorder?.history();
    const ended = history?.epochs.find((e) => e.name === 'dom0/tool')?.conn;
    const kinds = history?.records.filter((r) => 'conn' in r && r.conn === ended).map((r) => r.kind);
    expect(kinds?.slice(-2)).toEqual(['close', 'detach']);
  });
});

describe('LS-2: one request at a time', () => {
  it('others of the same handle wait for the answer, all with req_id 0, and answers go by order', () => {
    const { os, client, server, run } = faced();
    const got: string[] = [];
    for (const name of ['a', 'b'])
      os.start(name, function* (me): Actor {
        got.push(`${name} ${text((yield* client.request(me, XS.READ, strings(`/${name}`))).payload)}`);
      });
    run();
    expect(taken(server)).toEqual([`${XS.READ} 0 /a\0`]);
    says(server, XS.READ, strings('for a'));
    run();
    expect(taken(server)).toEqual([`${XS.READ} 0 /b\0`]);
    expect(client.inFlight).toBe(1);
    says(server, XS.READ, strings('for b'));
    run();
    expect(got).toEqual(['a for a\0', 'b for b\0']);
    expect(client.inFlight).toBe(0);
  });

  it('LS-3: an event between a request and its answer is not taken for the answer', () => {
    const { os, client, server, run } = faced();
    const events: EventQueue['events'] = [];
    let answered = '';
    os.start('a', function* (me): Actor {
      const queue = { events, me };
      yield* client.watch(queue, '/w', 'token');
      answered = text((yield* client.request(me, XS.READ, strings('/a'))).payload);
    });
    run();
    says(server, XS.WATCH, strings('OK'));
    run();
    says(server, XS.WATCH_EVENT, strings('/w', 'token'));
    says(server, XS.READ, strings('value'));
    run();
    expect(answered).toBe('value\0');
    expect(events).toEqual([{ path: '/w', token: 'token' }]);
  });
});

describe('LS-4: a handle is broken', () => {
  const cases: readonly (readonly [why: string, act: (server: UnixSocket) => void])[] = [
    ['by an answer of another type', (server) => says(server, XS.WRITE, strings('OK'))],
    ['by the end of the stream', (server) => server.close()],
    [
      'by the end of the stream in the middle of an answer',
      (server) => {
        server.write(message(XS.READ, 0, 0, strings('value')), 0, 18);
        server.close();
      },
    ],
    [
      'by a message that is too long',
      (server) => {
        const header = message(XS.READ, 0, 0, new Uint8Array(0));
        header[13] = 0x20;
        server.write(header, 0, header.length);
      },
    ],
  ];
  it.each(cases)('%s: EBADF for all who wait and from then on, and it is closed', (_why, act) => {
    const { os, client, server, run } = faced();
    const got: (string | undefined)[] = [];
    for (const name of ['a', 'b'])
      os.start(name, function* (me): Actor {
        got.push((yield* client.request(me, XS.READ, strings('/a'))).error);
        got.push((yield* client.request(me, XS.READ, strings('/a'))).error);
      });
    run();
    act(server);
    run();
    expect(got).toEqual(['EBADF', 'EBADF', 'EBADF', 'EBADF']);
    expect(client.isOpen).toBe(false);
    expect(server.hungUp()).toBe(true);
  });

  it('but not by ERROR', () => {
    const { os, client, server, run } = faced();
    let got: string | undefined;
    os.start('a', function* (me): Actor {
      got = (yield* client.request(me, XS.READ, strings('/a'))).error;
    });
    run();
    says(server, XS.ERROR, strings('EACCES'));
    run();
    expect(got).toBe('EACCES');
    expect(client.isOpen).toBe(true);
  });
});

it('LS-5: a payload of more than 4096 octets is E2BIG here, and nothing is sent', () => {
  const { os, client, server, run } = faced();
  const got: (string | undefined)[] = [];
  os.start('a', function* (me): Actor {
    got.push((yield* client.request(me, XS.WRITE, new Uint8Array(4097))).error);
    got.push((yield* client.request(me, XS.WRITE, new Uint8Array(4096))).error);
  });
  run();
  expect(got).toEqual(['E2BIG']);
  expect(server.readable()).toBe(16 + 4096);
});

describe('LS-6: events that came before the answer to UNWATCH', () => {
  it.each([
    [false, ['/w', '/w/below', '/other']],
    [true, ['/other']],
  ])('with the filter %s leave %j', (unwatchFilter, left) => {
    const { os, client, server, run } = faced({ ...LIBXENSTORE_HABITS, unwatchFilter });
    const events: EventQueue['events'] = [];
    os.start('a', function* (me): Actor {
      const queue = { events, me };
      yield* client.watch(queue, '/w', 'token');
      yield* client.watch(queue, '/other', 'another');
      yield* client.unwatch(me, '/w', 'token');
    });
    for (const type of [XS.WATCH, XS.WATCH]) {
      run();
      says(server, type, strings('OK'));
    }
    run();
    says(server, XS.WATCH_EVENT, strings('/w', 'token'));
    says(server, XS.WATCH_EVENT, strings('/w/below', 'token'));
    says(server, XS.WATCH_EVENT, strings('/other', 'another'));
    says(server, XS.UNWATCH, strings('OK'));
    run();
    expect(events.map((e) => e.path)).toEqual(left);
  });
});

describe('watches of one token', () => {
  it('are heard for as long as one of them stands', () => {
    const host = worldOf();
    const events: EventQueue['events'] = [];
    programs(host, {
      *tool(me) {
        const client = host.socket('tool');
        const xs = new Xs(client, me);
        const queue = { events, me };
        for (const path of ['/a', '/b', '/c']) yield* client.watch(queue, path, 'domain-3');
        yield* client.unwatch(me, '/a', 'domain-3');
        yield* client.unwatch(me, '/none', 'domain-3'); // ENOENT
        yield 1_000_000;
        events.length = 0;
        for (const path of ['/a', '/b', '/c']) yield* xs.write(path, '');
        yield 1_000_000;
        expect(events.map(({ path }) => path)).toEqual(['/b', '/c']);
        yield* client.unwatch(me, '/b', 'domain-3');
        yield* client.unwatch(me, '/c', 'domain-3');
        events.length = 0;
        yield* xs.write('/c', '');
        yield 1_000_000;
        expect(events).toEqual([]);
      },
    });
  });
});

describe('LS-7: a directory', () => {
  it('that is too long for one message comes in parts', () => {
    const host = worldOf();
    const wanted = Array.from({ length: 300 }, (_, i) => `a-node-with-a-long-name-${i}`);
    programs(host, {
      *tool(me) {
        const client = host.socket('tool');
        const xs = new Xs(client, me);
        for (const name of wanted) yield* xs.write(`/d/${name}`, '');
        expect((yield* xs.directory('/d')).error).toBe('E2BIG');
        const found = yield* xs.names('/d');
        expect('names' in found && [...found.names].sort()).toEqual([...wanted].sort());
        yield* xs.write('/none', '');
        expect(yield* xs.names('/none')).toEqual({ names: [] });
        expect(yield* xs.names('/not/there')).toEqual({ error: 'ENOENT' });
      },
    });
    expect(violations(host)).toEqual([]);
  });

  it('that changes meanwhile is fetched from its start again', () => {
    const { os, client, server, run } = faced();
    let found: unknown;
    os.start('a', function* (me): Actor {
      found = yield* new Xs(client, me).names('/d');
    });
    const step = (type: number, payload: Uint8Array) => {
      says(server, type, payload);
      run();
      return taken(server);
    };
    run();
    expect(taken(server)).toEqual([`${XS.DIRECTORY} 0 /d\0`]);
    expect(step(XS.ERROR, strings('E2BIG'))).toEqual([`${XS.DIRECTORY_PART} 0 /d\x000\0`]);
    expect(step(XS.DIRECTORY_PART, strings('7', 'old', 'names'))).toEqual([`${XS.DIRECTORY_PART} 0 /d\x0010\0`]);
    expect(step(XS.DIRECTORY_PART, strings('8', 'rest', ''))).toEqual([`${XS.DIRECTORY_PART} 0 /d\x000\0`]);
    expect(step(XS.DIRECTORY_PART, strings('8', 'new'))).toEqual([`${XS.DIRECTORY_PART} 0 /d\x004\0`]);
    expect(step(XS.DIRECTORY_PART, strings('8', 'names', ''))).toEqual([]);
    expect(found).toEqual({ names: ['new', 'names'] });
  });
});

it('LS-8: features are asked for once in the life of a process', () => {
  const host = worldOf();
  programs(host, {
    *tool(me) {
      const client = host.socket('tool');
      for (let i = 0; i < 3; i++) expect(text((yield* client.features(me)).payload)).toBe('14\0');
    },
  });
  expect(host.traffic.requests).toBe(1);
});

describe('a torn request', () => {
  it('is written in two parts, and answered as any other', () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const client = host.socket('tool', { unwatchFilter: false, tornOneIn: 1, tornNsMax: 50_000 });
        for (let i = 0; i < 20; i++)
          expect(yield* new Xs(client, me).write('/a', String(i))).toMatchObject({ error: undefined });
      },
    });
    const parts = host.recorder?.history().records.filter((r) => r.kind === 'publish' && r.dir === 'req');
    expect(parts?.length).toBe(40);
    expect(violations(host)).toEqual([]);
  });

  /** A request that an update cuts in two; what its program was answered, and what the checkers say. */
  function cutByUpdate(change: (inData: Uint8Array) => Uint8Array): { said: string; found: string[] } {
    const host = worldOf(
      tamper((r) => (r.kind === 'CONNECTION_DATA' && r.inData.length > 0 ? { ...r, inData: change(r.inData) } : r)),
    );
    let said = '';
    host.dom0.os.start('tool', function* (me): Actor {
      const client = host.socket('tool', { unwatchFilter: false, tornOneIn: 1, tornNsMax: 50_000_000 });
      const reply = yield* new Xs(client, me).write('/a', 'x'.repeat(200));
      said = reply.error ?? text(reply.payload);
    });
    programs(host, {
      *operator(me) {
        const xs = new Xs(host.socket('operator'), me);
        yield 1_000_000;
        yield* xs.call(XS.CONTROL, strings('live-update', '-f', '/usr/sbin/xenstored'));
        yield* xs.call(XS.CONTROL, strings('live-update', '-s', '-t', '0'));
      },
    });
    host.machine.scheduler.run(host.machine.nowNs + 100_000_000);
    return { said, found: violations(host) };
  }

  it('is carried over a live update that cuts it in two', () => {
    expect(cutByUpdate((inData) => inData)).toEqual({ said: 'OK\0', found: [] });
  });

  it.each([
    ['loses', (inData: Uint8Array) => inData.slice(0, -1)],
    ['forgets', () => new Uint8Array(0)],
    ['doubles', (inData: Uint8Array) => Uint8Array.of(...inData, ...inData.slice(-1))],
  ])('is found broken by the checkers where the successor %s octets of it', (_what, change) => {
    expect(cutByUpdate(change).found).not.toEqual([]);
  });

  it('whose program dies in the middle of it never was', () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const client = host.socket('tool', { unwatchFilter: false, tornOneIn: 1, tornNsMax: 50_000_000 });
        client.submit(me, XS.WRITE, strings('/a', 'x'));
        while (client.octetsSent === 0) yield 1_000;
        yield 100_000;
        client.close();
      },
      *other(me) {
        yield 60_000_000;
        expect((yield* new Xs(host.socket('other'), me).read('/a')).error).toBe('ENOENT');
      },
    });
    expect(violations(host)).toEqual([]);
  });
});
