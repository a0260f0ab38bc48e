import { describe, expect, it } from 'vitest';
import { type Actor, Frame, loneMachine, PARK, StoreBuffer, type StoreOrder, type Task } from '../../sim/index.ts';

const [PROD, EVENT, CONS] = [0, 4, 64];
const ITEMS = 20;

interface Fences {
  readonly producer: boolean;
  readonly consumer: boolean;
}

/** A producer and a consumer of ITEMS, with RNG-2 and RNG-3. @returns whether both sleep with work left. */
function losesWakeup(seed: number, order: StoreOrder, fences: Fences): boolean {
  const m = loneMachine({ seed: String(seed), jitter: { stepNs: 64, absentOneIn: 0, absentNsMax: 0 } });
  const page = new Frame(1);
  page.store32(EVENT, 1, true);
  const cpu = (name: string, byOwner: boolean) =>
    new StoreBuffer(m.scheduler, m.streams.for(name), { byOwner, order, delayNsMax: 200 });
  const [front, back] = [cpu('front', true), cpu('back', false)];
  const tasks: Task[] = [];
  const wake = () => tasks[0]?.wake();
  tasks.push(
    m.start(
      'consumer',
      undefined,
      (function* (): Actor {
        for (let cons = 0; ; ) {
          while (cons !== back.load32(page, PROD)) {
            cons++;
            page.store32(CONS, cons, false);
            yield 10;
          }
          back.store32(page, EVENT, cons + 1);
          yield 5;
          if (fences.consumer) back.fence();
          yield 5;
          if (cons === back.load32(page, PROD)) yield PARK;
        }
      })(),
    ),
  );
  m.start(
    'producer',
    undefined,
    (function* (): Actor {
      for (let prod = 1; prod <= ITEMS; prod++) {
        front.store32(page, PROD, prod);
        yield 5;
        if (fences.producer) front.fence();
        yield 5;
        const event = front.load32(page, EVENT);
        if ((prod - event) >>> 0 < 1) {
          front.fence(); // the hypercall is one
          wake();
        }
        yield 60;
      }
    })(),
  );
  m.scheduler.run(1_000_000);
  return page.load32(CONS) !== page.load32(PROD);
}

const seeds = Array.from({ length: 300 }, (_, i) => i + 1);
const losses = (order: StoreOrder, fences: Fences) => seeds.filter((seed) => losesWakeup(seed, order, fences)).length;

describe('CHK-9, INJ-R12, RNG-2, RNG-3, RNG-4: a quiescent ring is empty as long as both fences are there', () => {
  it.each(['tso', 'weak'] as const)('both fences, %s: never a lost wake-up', (order) => {
    expect(losses(order, { producer: true, consumer: true })).toBe(0);
  });

  it.each([
    ['the producer’s', { producer: false, consumer: true }],
    ['the consumer’s', { producer: true, consumer: false }],
  ])('without %s fence the scheduler finds a lost wake-up, and the same seeds find it again', (_, fences) => {
    const found = losses('tso', fences);
    expect(found).toBeGreaterThan(0);
    expect(losses('tso', fences)).toBe(found);
  });
});

describe('MEM-1: a store buffer', () => {
  function cpu(order: StoreOrder) {
    const m = loneMachine({ seed: '3' });
    const page = new Frame(1);
    return {
      m,
      page,
      cpu: new StoreBuffer(m.scheduler, m.streams.for('cpu'), { byOwner: true, order, delayNsMax: 100 }),
    };
  }

  it('shows a CPU its own stores at once, and others after a fence or in time', () => {
    const { m, page, cpu: a } = cpu('tso');
    a.store32(page, 0, 1);
    a.store32(page, 0, 2);
    expect([a.load32(page, 0), page.load32(0)]).toEqual([2, 0]);
    a.fence();
    expect(page.load32(0)).toBe(2);
    a.store32(page, 4, 0xffff_ffff);
    m.scheduler.run(200);
    expect(page.load32(4)).toBe(0xffff_ffff);
  });

  /** Whether, of many pairs of stores, others ever see the second before the first. */
  const swaps = (order: StoreOrder, fenced: boolean) => {
    const { m, page, cpu: a } = cpu(order);
    let swapped = false;
    page.subscribe(() => {
      if (page.load32(4) > page.load32(0)) swapped = true;
    });
    for (let i = 1; i < 200; i++) {
      a.store32(page, 0, i);
      if (fenced) a.writeFence();
      a.store32(page, 4, i);
      m.scheduler.run(m.nowNs + 300);
    }
    return swapped;
  };

  it.each([
    ['tso', false, false],
    ['weak', false, true],
    ['weak', true, false],
  ] as const)('MEM-1, MEM-6: %s, write fence %s: payload and index seen swapped: %s', (order, fenced, seen) => {
    expect(swaps(order, fenced)).toBe(seen);
  });

  it('MEM-1: two stores to one word are never seen swapped', () => {
    const { m, page, cpu: a } = cpu('weak');
    const seen: number[] = [];
    page.subscribe((_, __, after) => seen.push(after));
    for (let i = 1; i <= 50; i++) a.store32(page, 0, i);
    m.scheduler.run(1_000);
    expect(seen).toEqual([...seen].sort((x, y) => x - y));
    expect(page.load32(0)).toBe(50);
  });
});
