import { describe, expect, it } from 'vitest';
import { type Actor, loneMachine, type Machine, PARK, type Program, type Task } from '../../sim/index.ts';

function machine(seed = '1'): Machine {
  return loneMachine({ seed });
}

function* forever(): Actor {
  for (;;) yield PARK;
}

describe('the scheduler', () => {
  it('runs what is due first, and among equals who waited longest', () => {
    const m = machine();
    const order: string[] = [];
    const actor = (name: string, waits: readonly number[]): Actor =>
      (function* () {
        for (const ns of waits) {
          order.push(`${name}@${m.nowNs}`);
          yield ns;
        }
        order.push(`${name}@${m.nowNs}`);
      })();
    m.start('a', undefined, actor('a', [10, 10]));
    m.start('b', undefined, actor('b', [5, 15]));
    expect(m.scheduler.run(1_000)).toBe(false);
    expect(order).toEqual(['a@0', 'b@0', 'b@5', 'a@10', 'b@20', 'a@20']);
  });

  it('goes on with the actor that one ends in, in its place and within the same step', () => {
    const m = machine();
    const log: string[] = [];
    const second = function* (): Actor {
      log.push(`second@${m.nowNs}`);
      yield 5;
      log.push(`end@${m.nowNs}`);
    };
    const first = function* (): Actor<Program> {
      yield 10;
      log.push(`first@${m.nowNs}`);
      return second();
    };
    const task = m.start('one', undefined, first());
    m.scheduler.run(1_000);
    expect([log, m.scheduler.steps, task.state]).toEqual([['first@10', 'second@10', 'end@15'], 3, 'done']);
  });

  it('ends the threads of a kernel that gives its place to another, but for the one that does it', () => {
    const m = machine();
    const [domain, other] = [m.createDomain(1, 'd1'), m.createDomain(2, 'd2')];
    for (const each of [domain, other]) m.unpause(each);
    const log: string[] = [];
    const ticks = function* (name: string): Actor {
      for (let n = 0; n < 3; n++) {
        yield 10;
        log.push(name);
      }
    };
    const [queued, parked] = [m.start('queued', domain, ticks('queued')), m.start('parked', domain, forever())];
    m.start('other', other, ticks('other'));
    const replaces = function* (): Actor {
      yield 15;
      m.scheduler.abandon(domain, m.scheduler.running);
      yield* ticks('last');
    };
    m.start('last', domain, replaces());
    m.scheduler.run(1_000);
    expect(log.filter((name) => name === 'queued')).toHaveLength(1);
    expect(log.filter((name) => name !== 'queued').sort()).toEqual(['last', 'last', 'last', 'other', 'other', 'other']);
    expect([queued.state, parked.state]).toEqual(['done', 'done']);
    parked.wake();
    expect(m.scheduler.run(2_000)).toBe(false);
  });

  it('lets go of threads that are done, however many a domain starts', () => {
    const m = machine();
    const domain = m.createDomain(1, 'd1');
    m.unpause(domain);
    const sleeper = m.start('sleeper', domain, forever());
    for (let i = 0; i < 100; i++) {
      m.start(`short-${i}`, domain, (function* (): Actor {})());
      m.scheduler.run(m.nowNs + 1);
    }
    expect(m.scheduler.tasksOf(domain)).toContain(sleeper);
    expect(m.scheduler.tasksOf(domain).length).toBeLessThan(10);
  });

  it('remembers a wake that comes before the task parks', () => {
    const m = machine();
    const log: string[] = [];
    const sleeper: Task = m.start(
      'sleeper',
      undefined,
      (function* () {
        yield 100; // the wake comes now
        yield PARK;
        log.push(`woke@${m.nowNs}`);
        yield PARK;
        log.push('woke twice');
      })(),
    );
    m.start(
      'waker',
      undefined,
      (function* () {
        yield 50;
        sleeper.wake();
        sleeper.wake(); // two wakes are one: a condition, not a count
      })(),
    );
    m.scheduler.run(10_000);
    expect(log).toEqual(['woke@100']);
  });

  it('lets no task of a paused domain take a step, and goes on where it was', () => {
    const m = machine();
    const d = m.createDomain(1, 'd1');
    const times: number[] = [];
    m.start(
      'd1/a',
      d,
      (function* () {
        for (;;) {
          times.push(m.nowNs);
          yield 10;
        }
      })(),
    );
    m.scheduler.at(100, () => m.unpause(d));
    m.scheduler.at(125, () => m.pause(d));
    m.scheduler.at(500, () => m.unpause(d));
    m.scheduler.run(515);
    expect(times).toEqual([100, 110, 120, 500, 510]);
  });

  it('drops the tasks of a destroyed domain at the next step, whatever they were doing', () => {
    const m = machine();
    const d = m.createDomain(1, 'd1');
    m.unpause(d);
    let steps = 0;
    m.start(
      'd1/a',
      d,
      (function* () {
        for (;;) {
          steps++;
          yield 10;
        }
      })(),
    );
    m.scheduler.run(35);
    m.destroy(d);
    m.scheduler.run(10_000);
    expect(steps).toBe(4);
    expect(m.domain(1)).toBeUndefined();
  });

  it('calls timers in order of their time', () => {
    const m = machine();
    const fired: number[] = [];
    m.scheduler.at(20, () => fired.push(20));
    m.scheduler.at(10, () => fired.push(10));
    m.scheduler.run(15);
    expect(fired).toEqual([10]);
    m.scheduler.run(25);
    expect(fired).toEqual([10, 20]);
  });

  it('gives the same digest for the same seed and another for another', () => {
    const run = (seed: string) => {
      const m = loneMachine({ seed, jitter: { stepNs: 64, absentOneIn: 16, absentNsMax: 1_000 } });
      for (const name of ['a', 'b', 'c'])
        m.start(
          name,
          undefined,
          (function* () {
            for (let i = 0; i < 100; i++) yield 10;
          })(),
        );
      m.scheduler.run(1_000_000);
      return m.trace.digest.hex();
    };
    expect(run('7')).toBe(run('7'));
    expect(run('7')).not.toBe(run('8'));
  });
});

describe('random streams', () => {
  it('do not move when another stream is drawn from', () => {
    const a = machine('5').streams.for('guest');
    const m = machine('5');
    const other = m.streams.for('other');
    other.bits();
    const b = m.streams.for('guest');
    expect([a.bits(), a.bits()]).toEqual([b.bits(), b.bits()]);
  });

  it('differ for seeds of which one repeats the other', () => {
    const draws = ['1', '11', '111'].map((seed) => machine(seed).streams.for('x').bits());
    expect(new Set(draws).size).toBe(3);
  });

  it('are frozen: these draws mean these runs for ever', () => {
    const s = machine('1').streams.for('pinned');
    expect([s.bits(), s.bits(), s.below(10), s.between(5, 9), s.chance(1, 3)]).toMatchInlineSnapshot(`
      [
        4166526995,
        213688857,
        0,
        7,
        false,
      ]
    `);
  });
});
