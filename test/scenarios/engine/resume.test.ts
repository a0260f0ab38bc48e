import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { octets, strings, text, XS } from '../../../guests/index.ts';
import { RingEnd, SocketEnd } from '../../../scenarios/drive/link.ts';
import { type ResumedHost, resumeHost } from '../../../scenarios/engine/resumed-host.ts';
import { REQ_CONS, REQ_PROD, RSP_AT, RSP_CONS, RSP_PROD } from '../../../sim/index.ts';
import { type ConnectionData, decodeImage, type NodeData, type WatchData } from '../../../store/format/index.ts';
import { MessageReader } from '../../../store/protocol/message-reader.ts';
import { message } from '../../../store/protocol/wire.ts';

const STREAMS = join(import.meta.dirname, '../../vectors/streams');
const BINARY = readdirSync(STREAMS)
  .filter((name) => name.endsWith('.bin'))
  .sort();

interface Got {
  readonly type: number;
  readonly reqId: number;
  readonly payload: string;
}

function read(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(STREAMS, name)));
}

function resume(name: string, before?: (host: ResumedHost) => void) {
  const image = read(name);
  const resumed = resumeHost(image, { compat: name.startsWith('c-4.17') ? '4.17' : '4.22', policy: 'daemon' });
  if (!resumed.ok) throw new Error(resumed.reason);
  const { host } = resumed;
  before?.(host);
  const store = host.start();
  expect(store.ended).toBeUndefined();
  const settle = () => host.machine.scheduler.settle(1_000_000);
  settle();
  const end = (domid: number) => {
    const guest = host.guests.get(domid);
    if (guest === undefined) throw new Error(`domain ${domid} is not in the image`);
    return new RingEnd(host.machine, guest.domain, guest.ring, guest.port);
  };
  /** All messages that the ring's client gets until nothing more comes. */
  const drain = (link: RingEnd | SocketEnd, incoming = new MessageReader('refused')) => {
    const messages: Got[] = [];
    for (let bytes = link.receive(); bytes.length > 0; bytes = link.receive()) {
      incoming.push(bytes);
      for (let m = incoming.shift(); m !== undefined; m = incoming.shift())
        messages.push({ type: m.type, reqId: m.reqId, payload: text(m.payload) });
      settle();
    }
    expect(incoming.held).toBe(0);
    return messages;
  };
  const ask = (link: RingEnd | SocketEnd, type: number, payload: Uint8Array, reqId = 900) => {
    const bytes = message(type, reqId, 0, payload);
    for (let at = 0; at < bytes.length; settle()) at += link.send(bytes, at);
    settle();
    return drain(link);
  };
  return { host, image, store, settle, end, drain, ask };
}

function records(image: Uint8Array) {
  const decoded = decodeImage(image);
  if (!decoded.ok) throw new Error('undecodable');
  return decoded.value.records;
}

describe('a stream recorded from a real daemon is carried on', () => {
  it.each(BINARY)('%s: the client that asked for the update gets its answer, once', (name) => {
    const { host, drain } = resume(name);
    const [socket] = [...host.sockets.values()];
    expect(socket).toBeDefined();
    const got = drain(new SocketEnd(socket!));
    expect(got.filter((m) => m.type === XS.CONTROL).map((m) => m.payload)).toEqual(['OK\0']);
  });

  it.each(BINARY)('%s: every node and permission is there, in the recorded order of children', (name) => {
    const { host, image, ask, drain } = resume(name);
    const link = new SocketEnd([...host.sockets.values()][0]!);
    drain(link);
    const nodes = records(image).filter((r): r is NodeData => r.kind === 'NODE_DATA' && text(r.path).startsWith('/'));
    expect(nodes.length).toBeGreaterThan(2);
    for (const node of nodes) {
      const path = text(node.path);
      expect(ask(link, XS.READ, strings(path)).at(-1)).toMatchObject({ type: XS.READ, payload: text(node.value) });
      const perms = node.perms.map((p) => `${p.letter}${p.domid}\0`).join('');
      expect(ask(link, XS.GET_PERMS, strings(path)).at(-1)).toMatchObject({ type: XS.GET_PERMS, payload: perms });
      const children = nodes.filter(
        (n) => text(n.path) !== '/' && (text(n.path).replace(/\/[^/]*$/, '') || '/') === path,
      );
      const names = children.map((n) => `${text(n.path).replace(/.*\//, '')}\0`).join('');
      expect(ask(link, XS.DIRECTORY, strings(path)).at(-1)).toMatchObject({ type: XS.DIRECTORY, payload: names });
    }
  });

  it.each(BINARY)('%s: the guests that it names go on over their rings', (name) => {
    const { host, end, drain, ask } = resume(name, (h) => {
      // Indexes of a ring that has been in use for long, near the wrap.
      for (const { ring } of h.guests.values())
        for (const word of [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD]) ring.store32(word, 0xffff_fff0, true);
    });
    for (const domid of [...host.guests.keys()].filter((d) => d !== 0)) {
      if (/partial_in|pending_out/.test(name)) continue; // their rings are not at a message boundary: see below
      const link = end(domid);
      drain(link);
      const got = ask(link, XS.WRITE, octets('after/update\0', 'v'), 5);
      expect(got.at(-1)).toMatchObject({ type: XS.WRITE, reqId: 5, payload: 'OK\0' });
      expect(ask(link, XS.READ, strings(`/local/domain/${domid}/after/update`)).at(-1)).toMatchObject({ payload: 'v' });
    }
  });

  it('partial_in: both half-sent requests are completed by their guests', () => {
    const { end, ask, drain, settle, host } = resume('c-4.22-partial_in.bin');
    // Domain 1 had sent 9 octets of a header: type 11, req_id 77, one octet of tx_id.
    const one = end(1);
    const rest = message(XS.WRITE, 77, 0, octets('data/nine\0', 'value')).subarray(9);
    one.send(rest, 0);
    settle();
    expect(drain(one)).toEqual([{ type: XS.WRITE, reqId: 77, payload: 'OK\0' }]);
    // Domain 2 had sent a header that announces 110 octets, and 44 of them.
    const two = end(2);
    two.send(octets('h'.repeat(66)), 0);
    settle();
    expect(drain(two)).toEqual([{ type: XS.WRITE, reqId: 78, payload: 'OK\0' }]);
    const link = new SocketEnd([...host.sockets.values()][0]!);
    drain(link);
    expect(ask(link, XS.READ, strings('/local/domain/2/data/half')).at(-1)?.payload).toBe('h'.repeat(100));
    expect(ask(link, XS.READ, strings('/local/domain/1/data/nine')).at(-1)?.payload).toBe('value');
  });

  it('pending_out: the half-written reply goes on at its very octet, then the queued one, then every event', () => {
    const { end, drain } = resume('c-4.17-pending_out.bin', (h) => {
      // What the two guests had in their pages: as much of the stream as fits a ring, of which they took nothing.
      const page = (domid: number, stream: Uint8Array) => {
        const ring = h.guests.get(domid)!.ring;
        ring.bytes.set(stream.subarray(0, 1024), RSP_AT);
        ring.store32(RSP_PROD, 1024, true);
      };
      page(1, message(XS.READ, 5, 0, octets('L'.repeat(1500))));
      const events = Array.from({ length: 60 }, (_, k) => message(15, 0, 0, strings(`/local/domain/2/k${k}`, 'w')));
      const before = octets(message(XS.WATCH, 4, 0, octets('OK\0')), ...events);
      page(2, before.subarray(eventStart(before)));
    });
    expect(drain(end(1))).toEqual([
      { type: XS.READ, reqId: 5, payload: 'L'.repeat(1500) },
      { type: XS.READ, reqId: 6, payload: 'L'.repeat(1500) },
    ]);
    const events = drain(end(2));
    expect(events.map((e) => e.payload).slice(-33)).toEqual(
      Array.from({ length: 33 }, (_, i) => `/local/domain/2/k${i + 27}\0w\0`),
    );
  });

  it('watches: each is there with its own spelling, fires for later changes, and none fires for the update', () => {
    const { host, image, end, ask, drain, settle } = resume('c-4.17-watches.bin');
    const admin = new SocketEnd([...host.sockets.values()][0]!);
    drain(admin);
    const [one, two] = [end(1), end(2)];
    expect([drain(one), drain(two)]).toEqual([[], []]);
    expect(ask(one, XS.WATCH, strings('data', 'rel-token')).at(-1)?.payload).toBe('EEXIST\0');
    ask(admin, XS.WRITE, octets('/local/domain/1/data/x\0', '1'));
    settle();
    expect(drain(one).map((m) => m.payload)).toEqual(['data/x\0rel-token\0', '/local/domain/1/data/x\0abs\0']);
    expect(drain(two).map((m) => m.payload)).toEqual(['/local/domain/1/data/x\0peer\0']); // by SET_TARGET 2 -> 1
    const watches = records(image).filter((r): r is WatchData => r.kind === 'WATCH_DATA');
    expect(watches).toHaveLength(6);
  });

  it('nodes: a stale permission entry stays without effect, a special node keeps its permissions', () => {
    const { host, ask, drain } = resume('c-4.17-nodes.bin');
    const link = new SocketEnd([...host.sockets.values()][0]!);
    drain(link);
    expect(ask(link, XS.GET_PERMS, strings('/perm')).at(-1)?.payload).toBe('b0\0r1\0w2\0n5\0b7\0');
    const other = resume('c-4.22-nodes.bin');
    const link22 = new SocketEnd([...other.host.sockets.values()][0]!);
    other.drain(link22);
    expect(other.ask(link22, XS.GET_PERMS, strings('@releaseDomain')).at(-1)?.payload).toBe('n0\0r1\0');
  });

  it('transactions: what was broken by force is unknown afterwards', () => {
    const { end, ask } = resume('c-4.22-transactions.bin');
    const got = ask(end(1), XS.TRANSACTION_START, strings(''));
    expect(got.at(-1)).toMatchObject({ type: XS.TRANSACTION_START, payload: '1\0' });
  });

  it('a domain that went during the update is torn down by the successor, with its event', () => {
    const { host, ask, drain } = resume('c-4.22-nodes.bin', (h) => {
      h.machine.destroy(h.guests.get(2)!.domain);
      h.machine.scheduler.run(1_000_000);
    });
    const link = new SocketEnd([...host.sockets.values()][0]!);
    drain(link);
    expect(ask(link, XS.IS_DOMAIN_INTRODUCED, strings('2')).at(-1)?.payload).toBe('F\0');
    expect(ask(link, XS.IS_DOMAIN_INTRODUCED, strings('1')).at(-1)?.payload).toBe('T\0');
    expect(ask(link, XS.READ, strings('/local/domain/2')).at(-1)?.payload).toBe('ENOENT\0');
  });

  it('a page that cannot be mapped leaves its connection ignored and the others served', () => {
    const { host, end, ask } = resume('c-4.22-nodes.bin', (h) => {
      expect(h.guests.get(2)!.domain.grants.revoke(1)).toBe(true); // GNT-28: in the window of the update
    });
    expect(ask(end(1), XS.READ, strings('data/a/b/c')).at(-1)?.type).toBe(XS.READ);
    expect(ask(end(2), XS.READ, strings('x'))).toEqual([]);
    expect(host.machine.domain(2)).toBeDefined();
  });
});

/** Where the second guest's stream stands so that its first 1024 octets end as the recorded one does: inside k27's header. */
function eventStart(stream: Uint8Array): number {
  const marker = text(stream).indexOf('/local/domain/2/k27');
  return marker - 16 + 8 - 1024;
}

describe('the recorded connections', () => {
  it('name what the README of the streams says', () => {
    const conns = records(read('c-4.17-watches.bin')).filter((r): r is ConnectionData => r.kind === 'CONNECTION_DATA');
    expect(conns.map((c) => (c.conn.kind === 'ring' ? `${c.conn.domid}>${c.conn.targetDomid}` : c.conn.fd))).toEqual([
      '0>32756',
      11,
      '1>32756',
      '2>1',
    ]);
  });
});
