import { describe, expect, it } from 'vitest';
import { type Actor, Frame, GNTMAP_host_map, loneMachine } from '../../sim/index.ts';
import { host, value } from './domains/host.ts';

/** A consumer that loads an index in one step and stores it with 4 added in another; a peer that stores 100 in step `at`. */
function addAgainstStore(at: number): number {
  const m = loneMachine({ seed: '1' });
  const page = new Frame(1);
  m.start(
    'consumer',
    undefined,
    (function* (): Actor {
      yield 10;
      const index = page.load32(0);
      yield 10;
      page.store32(0, index + 4, false);
    })(),
  );
  m.start(
    'peer',
    undefined,
    (function* (): Actor {
      yield at;
      page.store32(0, 100, true);
    })(),
  );
  m.scheduler.run(1_000);
  return page.load32(0);
}

describe('shared memory', () => {
  it('MEM-2: a word is stored whole; a hostile peer that stores octets shows every torn value in between', () => {
    const page = new Frame(1);
    page.store32(8, 0x0001_00ff, true);
    const seen: number[] = [];
    for (const [i, octet] of [0x00, 0x01, 0x01, 0x00].entries()) {
      page.bytes[8 + i] = octet;
      seen.push(page.load32(8));
    }
    expect(seen).toEqual([0x0001_0000, 0x0001_0100, 0x0001_0100, 0x0001_0100]);
    expect([page.load32(8), page.load32(8)]).toEqual([0x0001_0100, 0x0001_0100]);
  });

  it('MEM-3: payload that is published can still change under its reader, and octets beyond are partly old', () => {
    const { m, d1, h0 } = host();
    const page = d1.memory.alloc();
    m.seedGrant(d1, 1, 0, page);
    const seen = h0.mapGrant(1, 1, GNTMAP_host_map).frame as Frame;
    page.bytes.set([1, 2, 3, 4], 0);
    page.store32(1024, 4, true);
    const first = seen.bytes.slice(0, 4);
    page.bytes.set([9, 9], 0);
    expect([[...first], [...seen.bytes.subarray(0, 4)]]).toEqual([
      [1, 2, 3, 4],
      [9, 9, 3, 4],
    ]);
  });

  it.each([
    ['before the load', 5, 104],
    ['between load and store', 15, 4],
    ['after the store', 25, 100],
  ])('MEM-5: adding to an index is two steps: a peer’s store %s', (_, at, result) => {
    expect(addAgainstStore(at)).toBe(result);
  });

  it('MEM-6, EVT-11: who sees the event sees what was stored before it was sent', () => {
    const { m, d1, h0, h1 } = host();
    const page = d1.memory.alloc();
    const port = value(h1.allocUnbound(1, 0));
    const local = value(h0.bindInterdomain(1, port));
    const seen: number[] = [];
    d1.ports.handle(port, () => {
      d1.ports.clear(port); // first the pending bit, then the index
      seen.push(page.load32(0));
    });
    for (let prod = 1; prod <= 3; prod++) {
      page.store32(0, prod, false);
      h0.send(local);
      m.scheduler.run(m.nowNs + 10);
    }
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe('a frame', () => {
  const listening = () => {
    const page = new Frame(1);
    const told: string[] = [];
    const listen = (name: string) =>
      page.subscribe((offset, before, after, byOwner) => told.push(`${name} ${offset}: ${before} ${after} ${byOwner}`));
    return { page, told, listen };
  };

  it('tells all who subscribed of each store, in the order in which they came', () => {
    const { page, told, listen } = listening();
    page.store32(8, 5, true);
    listen('a');
    listen('b');
    page.store32(8, -1, true);
    page.store32(8, 7, false);
    expect(told).toEqual([
      'a 8: 5 4294967295 true',
      'b 8: 5 4294967295 true',
      'a 8: 4294967295 7 false',
      'b 8: 4294967295 7 false',
    ]);
  });

  it('tells nobody who has ended it, and goes on for the others', () => {
    const { page, told, listen } = listening();
    const ends = ['a', 'b', 'c'].map(listen);
    for (const n of [1, 1, 0]) ends[n]?.(); // ending twice is ending
    page.store32(0, 1, true);
    ends[2]?.();
    page.store32(0, 2, true);
    expect([told, page.load32(0)]).toEqual([['c 0: 0 1 true'], 2]);
  });

  it('keeps one subscription of an observer that has two when the other ends', () => {
    const page = new Frame(1);
    let stores = 0;
    const count = () => void stores++;
    const ends = [page.subscribe(count), page.subscribe(count)];
    page.store32(0, 1, true);
    ends[0]?.();
    ends[0]?.();
    page.store32(0, 1, true);
    expect(stores).toBe(3);
  });

  it('finishes telling of a store before a change of who is told counts', () => {
    const { page, told, listen } = listening();
    const end = page.subscribe(() => {
      end();
      listen('late');
    });
    const last = listen('last');
    page.subscribe(() => last());
    page.store32(0, 1, true);
    expect(told).toEqual(['last 0: 0 1 true']);
    page.store32(0, 2, true);
    expect(told.slice(1)).toEqual(['late 0: 1 2 true']);
  });
});
