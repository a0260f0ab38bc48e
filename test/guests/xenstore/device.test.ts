import { describe, expect, it } from 'vitest';
import { type EventQueue, type Me, octets, strings, text, XS, Xs, type XsProgram } from '../../../guests/index.ts';
import type { Host } from '../../../scenarios/engine/host.ts';
import { checkHistory } from '../../../scenarios/judge/invariants/index.ts';
import { type Actor, PARK } from '../../../sim/index.ts';
import { testHost } from '../../support/host.ts';

/** A host whose store is in a stub domain: programs of dom0 have nothing but the device. */
function worldOf(): Host {
  return testHost({ seed: '5', storeIn: 'stubdom', records: true, limitsWrites: false });
}

/** Run programs of dom0 to their ends; each must get there. What dom0's kernel said to the store is judged. */
function programs(host: Host, bodies: Readonly<Record<string, (me: Me) => Actor>>): void {
  const all = Object.entries(bodies).map(([name, body]) => host.dom0.os.start(name, body));
  host.machine.scheduler.run(host.machine.nowNs + 1_000_000_000);
  expect(all.filter((me) => me.task?.state !== 'done').map((me) => me.name)).toEqual([]);
  const history = host.recorder?.history() ?? { epochs: [], records: [], transactionPolicy: 'carry', compat: '4.22' };
  const found = checkHistory(history).filter((v) => v.invariant !== 'final-tree');
  expect(found.flatMap((v) => v.violations.map((x) => x.detail))).toEqual([]);
}

/** Requests of dom0's ring, as `<type> <payload>`. */
function requests(host: Host): string[] {
  const records = host.recorder?.history().records ?? [];
  return records.flatMap((r) => (r.kind === 'sent' && r.conn === 0 ? [`${r.type} ${text(r.payload)}`] : []));
}

const file = (host: Host, name: string): XsProgram => host.connect(name);

describe('/dev/xen/xenbus', () => {
  it('LS-1: is what a program gets where the store has no socket, and goes over the ring of its kernel', () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const xs = new Xs(file(host, 'tool'), me);
        expect((yield* xs.write('vm', 'here')).error).toBeUndefined();
        expect(text((yield* xs.read('/local/domain/0/vm')).payload)).toBe('here');
      },
    });
    expect(requests(host)).toEqual(['11 vm\0here', '2 /local/domain/0/vm\0']);
  });

  it('LD-1: a message of more than 4096 octets in all is refused before the ring, and the library gives the handle up', () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const link = file(host, 'tool');
        const fits = octets('a\0', 'x'.repeat(4_078));
        expect((yield* link.request(me, XS.WRITE, fits)).error).toBeUndefined();
        expect((yield* link.request(me, XS.WRITE, octets('a\0', 'x'.repeat(4_079)))).error).toBe('E2BIG');
        expect(link.isOpen).toBe(false);
        expect((yield* link.request(me, XS.READ, strings('a'))).error).toBe('EBADF');
      },
    });
    expect(requests(host).map((r) => r.slice(0, 4))).toEqual(['11 a']);
  });

  it("LD-2: watches are the kernel's; each program gets its own events under its own token", () => {
    const host = worldOf();
    const seen: string[] = [];
    programs(host, {
      *first(me) {
        const queue: EventQueue = { events: [], me };
        const link = file(host, 'first');
        yield* link.watch(queue, '/a', 'same');
        while (seen.length < 2) {
          const event = queue.events.shift();
          if (event === undefined) yield PARK;
          else seen.push(`first ${event.path} ${event.token}`);
        }
        expect(text((yield* link.request(me, XS.UNWATCH, strings('/a', 'same'))).payload)).toBe('OK\0');
        expect((yield* link.request(me, XS.UNWATCH, strings('/a', 'never'))).error).toBeUndefined();
      },
      *second(me) {
        const queue: EventQueue = { events: [], me };
        yield* file(host, 'second').watch(queue, '/b', 'same');
        while (queue.events.length === 0) yield PARK;
        expect(queue.events).toEqual([{ path: '/b', token: 'same' }]);
        yield 1_000_000;
        yield* new Xs(host.dom0.client, me).write('/a', '1');
      },
    });
    expect(seen).toEqual(['first /a same', 'first /a same']);
    expect(new Set(requests(host).flatMap((r) => /^4 .*\0(.*)\0$/.exec(r)?.[1] ?? [])).size).toBe(2);
  });

  it("LD-3: a transaction is its file's: nobody else can end it, and what is no END is not sent", () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const [mine, other] = [file(host, 'mine'), file(host, 'other')];
        const begun = yield* new Xs(mine, me).begin();
        if ('error' in begun) throw new Error(begun.error);
        expect(yield* new Xs(other, me).end(begun.txId, true)).toBe('ENOENT');
        expect((yield* mine.request(me, XS.TRANSACTION_END, strings('X'), begun.txId)).error).toBe('EINVAL');
        expect(yield* new Xs(mine, me).end(begun.txId, true)).toBeUndefined();
        expect(yield* new Xs(mine, me).end(begun.txId, true)).toBe('ENOENT');
      },
    });
    expect(requests(host).filter((r) => r.startsWith('7 '))).toEqual(['7 T\0']);
  });

  it('LD-5: closing it aborts its transactions and removes its watches, and none of anybody else', () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const [mine, other] = [file(host, 'mine'), file(host, 'other')];
        const queue: EventQueue = { events: [], me };
        yield* mine.watch(queue, '/a', 'mine');
        yield* other.watch(queue, '/a', 'other');
        const begun = yield* new Xs(mine, me).begin();
        if ('error' in begun) throw new Error(begun.error);
        yield* new Xs(mine, me).write('/a', 'lost', begun.txId);
        mine.close();
        yield 10_000_000;
        queue.events.length = 0;
        const xs = new Xs(other, me);
        expect((yield* xs.read('/a')).error).toBe('ENOENT');
        yield* xs.write('/a', '1');
        yield 1_000_000;
        expect(queue.events).toEqual([{ path: '/a', token: 'other' }]);
        expect((yield* mine.request(me, XS.READ, strings('/a'))).error).toBe('EBADF');
      },
    });
    expect(requests(host).filter((r) => /^(7|5) /.test(r))).toHaveLength(2);
  });

  it('LD-6: requests of several actors of one file are outstanding at the same time', () => {
    const host = worldOf();
    programs(host, {
      *tool(me) {
        const link = file(host, 'tool');
        const pending = ['/', '/tool', '/nothing'].map((path) => link.submit(me, XS.READ, strings(path)));
        const replies = [];
        for (const each of pending) replies.push((yield* link.answer(each)).error);
        expect(replies).toEqual([undefined, undefined, 'ENOENT']);
      },
    });
  });
});
