import { describe, expect, it } from 'vitest';
import { type EventQueue, type Thread, Xs, type XsClient } from '../../../guests/index.ts';
import { streamTransfer, type Transfer } from '../../../guests/libxl/index.ts';
import { at, Bench, type BenchPlan } from '../../../scenarios/lab/migration-bench.ts';
import type { Actor } from '../../../sim/index.ts';
import { textOf } from '../../../store/protocol/octets.ts';
import { XS } from '../../../store/protocol/wire.ts';

const MS = 1_000_000;
const S = 1_000 * MS;

/** A program of the guest, which takes part in all that becomes of it. */
function program(bench: Bench, body: (me: Thread, xs: Xs, client: XsClient) => Actor): void {
  const { os, client } = bench.guest;
  os.start(`program-${bench.nowNs}`, (me) => body(me, new Xs(client, me), client));
  bench.pass(5 * MS);
}

/** Somebody in a host's dom0 asks its store for something, now. */
function asks<T>(bench: Bench, host: number, what: (xs: Xs) => Actor<T>): T {
  const answers: T[] = [];
  bench.does(host, function* (me) {
    answers.push(yield* what(new Xs(bench.host(host).dom0.client, me)));
  });
  return answers[0] as T;
}

/** What a node says at a host; `undefined`: it is not there. */
function valueAt(bench: Bench, host: number, path: string): string | undefined {
  const reply = asks(bench, host, (xs) => xs.read(path));
  return reply.error === undefined ? textOf(reply.payload) : undefined;
}

const home = (bench: Bench) => `/local/domain/${bench.guest.os.domain.domid}`;

/** Messages of the guest at a host, in their order: `WATCH data`. */
function messages(bench: Bench, host: number, kind: 'sent' | 'got', type: number): string[] {
  const { epochs = [], records = [] } = bench.host(host).recorder?.history() ?? {};
  return records.flatMap((r) =>
    r.kind === kind && r.type === type && epochs[r.conn]?.name === 'guest' ? [textOf(r.payload)] : [],
  );
}

/** A program that keeps the paths of its events. */
function watches(bench: Bench, path: string): string[] {
  const paths: string[] = [];
  program(bench, function* (me, _, client) {
    const queue: EventQueue = { events: [], me };
    yield* client.watch(queue, path, `row/${path}`);
    for (;;) {
      const event = queue.events.shift();
      if (event === undefined) yield -1;
      else paths.push(event.path);
    }
  });
  return paths;
}

describe('a guest that goes on at another host', () => {
  const isSuccess = (bench: Bench, how = {}) => expect(bench.migrate(how).source).toBe('success');

  it('MIG-2: a request that is half in the ring when it is asked is finished and answered before it parks', () => {
    const bench = new Bench();
    const { client } = bench.guest;
    let answer: string | undefined;
    client.stopAfter({ sent: 7 });
    program(bench, function* (_, xs) {
      answer = (yield* xs.write('data/half', 'x')).error ?? 'OK';
    });
    const migration = bench.start();
    bench.pass(40 * MS);
    expect([answer, bench.copies]).toEqual([undefined, 'alpha running, beta paused']);
    client.stopAfter({ sent: Number.POSITIVE_INFINITY });
    bench.pass(S);
    expect([answer, migration.source, bench.copies]).toEqual(['OK', 'success', 'beta running']);
  });

  it('MIG-3: so is a reply of which it has taken the header', () => {
    const bench = new Bench();
    const { client } = bench.guest;
    let answer: string | undefined;
    client.stopAfter({ got: 16 });
    program(bench, function* (_, xs) {
      answer = (yield* xs.write('data/half', 'x')).error ?? 'OK';
    });
    const migration = bench.start();
    bench.pass(40 * MS);
    expect([answer, bench.copies]).toEqual([undefined, 'alpha running, beta paused']);
    client.stopAfter({ got: Number.POSITIVE_INFINITY });
    bench.pass(S);
    expect([answer, migration.source, bench.copies]).toEqual(['OK', 'success', 'beta running']);
  });

  it('MIG-8: it ends a transaction of its kernel before it parks', () => {
    const bench = new Bench();
    let ended = 'open';
    program(bench, function* (_, xs) {
      const begun = yield* xs.begin();
      if ('error' in begun) return;
      yield* xs.write('data/in', 'x', begun.txId);
      yield 60 * MS;
      ended = (yield* xs.end(begun.txId, true)) ?? 'OK';
    });
    isSuccess(bench);
    expect(ended).toBe('OK');
    expect(messages(bench, 1, 'sent', XS.TRANSACTION_END)).not.toContain('T\0');
  });

  it('MIG-13: what a toolstack writes at its old host while it is parked stays there', () => {
    const bench = new Bench();
    const path = `${home(bench)}/memory/target`;
    const before = valueAt(bench, 0, path);
    isSuccess(
      bench,
      at('S', 'SO13', () => {
        const { dom0 } = bench.host(0);
        dom0.os.start('late', function* (me) {
          yield* new Xs(dom0.client, me).write(path, '17');
        });
      }),
    );
    expect(valueAt(bench, 1, `${home(bench)}/memory/target`)).toBe(before);
    expect(messages(bench, 1, 'sent', XS.READ)).toContain('memory/target\0');
  });

  it('MIG-14: what its agent wrote is not there until it is written again', () => {
    const bench = new Bench();
    program(bench, function* (_, xs) {
      yield* xs.write('data/once', 'x');
    });
    expect(valueAt(bench, 0, `${home(bench)}/data/once`)).toBe('x');
    isSuccess(bench);
    expect(valueAt(bench, 1, `${home(bench)}/data/once`)).toBeUndefined();
    expect(valueAt(bench, 1, `${home(bench)}/data/beat`)).toBeDefined(); // it writes that all the time
  });

  it.each(['MIG-5: in its ring', 'MIG-6: queued in the store'])(
    '%s: events that it has not taken at its park are void, and each watch fires once more',
    (label) => {
      const bench = new Bench();
      const paths = watches(bench, 'data/watched');
      const many = label.startsWith('MIG-6') ? 200 : 5;
      const before = paths.length;
      isSuccess(
        bench,
        at('S', 'SO13', () => {
          const { dom0 } = bench.host(0);
          const base = `${home(bench)}/data/watched`;
          dom0.os.start('late', function* (me) {
            const xs = new Xs(dom0.client, me);
            for (let n = 0; n < many; n++) yield* xs.write(`${base}/${n}`, 'x');
          });
        }),
      );
      bench.pass(50 * MS);
      expect(paths.slice(before)).toEqual(['data/watched']);
    },
  );

  it('MIG-12: 129 watches of the older store, and the newer one refuses the two that come last: the oldest', () => {
    const bench = new Bench({ hosts: [{ compat: '4.17' }, {}] });
    const own = 130;
    program(bench, function* (me, _, client) {
      for (let n = 0; n < own; n++) yield* client.watch({ events: [], me }, `data/w${n}`, `w${n}`);
      for (;;) yield S;
    });
    bench.pass(50 * MS);
    expect(bench.migrate({ source: { hasQuotas: false } }).source).toBe('success');
    bench.pass(50 * MS);
    const refused = messages(bench, 1, 'got', XS.ERROR).filter((error) => error === 'ENOSPC\0');
    expect([messages(bench, 1, 'sent', XS.WATCH).length, refused.length]).toEqual([129, 2]);
    expect(messages(bench, 1, 'got', XS.ERROR).at(-1)).toBe('ENOSPC\0');
  });

  it('MIG-30: to the host where it is: it works, and its place under /vm is gone afterwards (DST-7)', () => {
    const bench = new Bench();
    const migration = bench.migrations.start(bench.guest, 0, { guest: 'guest', uuid: bench.uuid });
    bench.pass(S);
    expect([migration.source, bench.copies]).toEqual(['success', 'alpha running']);
    expect(bench.isServed).toBe(true);
    expect(valueAt(bench, 0, `${home(bench)}/vm`)).toBe(`/vm/${bench.uuid}`);
    expect(valueAt(bench, 0, `/vm/${bench.uuid}/name`)).toBeUndefined();
  });

  it('MIG-75: back within 60 s, under another number: it works', () => {
    const bench = new Bench();
    isSuccess(bench);
    isSuccess(bench);
    expect([bench.copies, bench.isServed]).toEqual(['alpha running', true]);
  });

  it('MIG-73: destroyed in a live pass: both sides end, and nothing is left', () => {
    const bench = new Bench({ pages: 400 } satisfies BenchPlan);
    const { machine } = bench.host(0);
    const migration = bench.migrate(
      at('V', 'SO6', () => machine.destroy(bench.guest.os.domain)),
      10 * S,
    );
    expect(migration.source).toMatch(/^failed_/);
    expect(migration.target).toBe('refused');
    expect(bench.copies).toBe('');
  });
});

describe('a guest that stays after all', () => {
  it('MIG-15: fifty events that came while it was parked are delivered, and it registers nothing anew', () => {
    const bench = new Bench();
    const paths = watches(bench, 'data/watched');
    const before = paths.length;
    const registered = messages(bench, 0, 'sent', XS.WATCH).length;
    const base = `${home(bench)}/data/watched`;
    bench.migrate({
      ...at('V', 'SO9', (m) => {
        m.link?.stall(10 * S);
        const { dom0, machine } = bench.host(0);
        dom0.os.start('late', function* (me) {
          const xs = new Xs(dom0.client, me);
          for (let n = 0; n < 50; n++) yield* xs.write(`${base}/${n}`, 'x');
        });
        machine.scheduler.at(machine.nowNs + 10 * S - MS, () => m.link?.cut());
      }),
    });
    bench.pass(S);
    expect(bench.copies).toBe('alpha running');
    expect(paths.slice(before)).toEqual(Array.from({ length: 50 }, (_, n) => `data/watched/${n}`));
    expect(messages(bench, 0, 'sent', XS.WATCH).length).toBe(registered);
  });

  it('MIG-20: way C, V is killed in the last pass: it goes on in its old domain, and log-dirty stays on (XM-3)', () => {
    const bench = new Bench();
    const dies = (who: string, step: string) => who === 'V' && step === 'SO9';
    expect(bench.migrate({ source: { dies } }).source).toBe('failed_resume');
    expect([bench.copies, bench.isServed]).toEqual(['alpha running', true]);
    const { domid } = bench.guest.os.domain;
    expect(bench.host(0).dom0.os.hyper.paging.logDirty(domid, 'enable').ok).toBe(false); // it is on
    expect(bench.migrate().source).toBe('success'); // the next one turns it off and on
  });

  it('MIG-21: way A, V ends with an error: it stays parked, and is told nothing (SRC-6)', () => {
    const bench = new Bench({ asked: 'channel' });
    const base = streamTransfer();
    const transfer: Transfer = {
      ...base,
      *save(call, plan) {
        yield* base.save(call, plan);
        return 'error'; // of its own, when all is written
      },
    };
    const migration = bench.migrate({ transfer }, 20 * S);
    expect([migration.source, bench.copies]).toEqual(['failed_suspend', 'alpha parked, beta paused']);
    expect(bench.owners().known?.map(({ label }) => label)).toEqual(['FP-9']);
  });
});
