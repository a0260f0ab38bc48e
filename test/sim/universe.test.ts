import { describe, expect, it } from 'vitest';
import { type Actor, loneMachine, type Machine, type TraceEvent, Universe } from '../../sim/index.ts';

const OPTIONS = { seed: '7', jitter: { stepNs: 64, absentOneIn: 16, absentNsMax: 1_000 } };

/** A host's life: dom0 and a guest, whose tasks tell `told` of each of their steps. */
function populate(machine: Machine, told: (what: string) => void = () => {}): void {
  const hardware = machine.createDomain(0, 'dom0');
  const guest = machine.createDomain(1, 'guest');
  for (const domain of [hardware, guest]) {
    machine.unpause(domain);
    for (const name of ['a', 'b'])
      machine.start(
        `${domain.name}/${name}`,
        domain,
        (function* (): Actor {
          for (let n = 0; n < 50; n++) {
            told(`${domain.name}/${name}@${machine.nowNs}`);
            machine.trace.mark(domain.name, name, n);
            yield 10;
          }
        })(),
      );
  }
}

/** Two hosts in one universe, with what each was told of in the order of the run. */
function pair() {
  const universe = new Universe(OPTIONS);
  const steps: string[] = [];
  const left = universe.add('left');
  const right = universe.add('right');
  populate(left, (what) => steps.push(`left ${what}`));
  populate(right, (what) => steps.push(`right ${what}`));
  return { universe, left, right, steps };
}

const of = (host: string, steps: readonly string[]) => steps.filter((step) => step.startsWith(host));

describe('a universe', () => {
  it('runs its hosts by turns, on one clock', () => {
    const { universe, left, right, steps } = pair();
    universe.timeline.run(1_000_000);
    const switches = steps.filter((step, n) => n > 0 && step.split(' ')[0] !== steps[n - 1]?.split(' ')[0]);
    expect(switches.length).toBeGreaterThan(20);
    expect(of('left', steps)).toHaveLength(200);
    expect(of('right', steps)).toHaveLength(200);
    expect([left.nowNs, right.nowNs]).toEqual([universe.timeline.nowNs, universe.timeline.nowNs]);
    const times = steps.map((step) => Number(step.split('@')[1]));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('has one digest of all its hosts, the same for the same seed', () => {
    const run = (name = 'right') => {
      const universe = new Universe(OPTIONS);
      populate(universe.add('left'));
      populate(universe.add(name));
      universe.timeline.run(1_000_000);
      return universe.journal.digest.hex();
    };
    expect(run()).toBe(run());
    expect(run('right')).not.toBe(run('other')); // its draws bear its name
  });

  it('tells in the digest on which host something happened', () => {
    const digest = (mark: number) => {
      const { universe, left, right } = pair();
      (mark === 0 ? left : right).trace.mark('somebody', 'something', 1);
      return universe.journal.digest.hex();
    };
    expect(digest(0)).not.toBe(digest(1));
  });

  it('leaves a host that is alone in it the digest and the draws of a lone machine', () => {
    const alone = loneMachine(OPTIONS);
    const universe = new Universe(OPTIONS);
    const first = universe.add('whatever its name');
    const runs = [alone, first].map((machine) => {
      const steps: string[] = [];
      populate(machine, (what) => steps.push(what));
      machine.scheduler.run(1_000_000);
      return { steps, digest: machine.trace.digest.hex(), count: machine.trace.count };
    });
    expect(runs[1]).toEqual(runs[0]);
    expect(universe.journal.digest.hex()).toMatchInlineSnapshot(`"db4d43c7a0dfda1d"`);
  });

  it('does not move the draws or the times of a host when another one comes', () => {
    const alone = loneMachine(OPTIONS);
    const steps: string[] = [];
    populate(alone, (what) => steps.push(`left ${what}`));
    alone.scheduler.run(1_000_000);
    const both = pair();
    both.universe.timeline.run(1_000_000);
    expect(of('left', both.steps)).toEqual(steps);
    const draws = [alone, both.left, both.right].map((machine) => machine.streams.for('x').bits());
    expect(draws[1]).toBe(draws[0]);
    expect(draws[2]).not.toBe(draws[0]);
    const ids = [alone, both.left, both.right].map((machine) => machine.domain(1)?.uniqueId);
    expect(ids[1]).toBe(ids[0]);
    expect(ids[2]).not.toBe(ids[0]);
  });

  it('tells an observer of all its hosts which host an event is of, and one of a host only its own', () => {
    const universe = new Universe(OPTIONS);
    const [left, right] = [universe.add('left'), universe.add('right')];
    const all: TraceEvent[] = [];
    const rights: TraceEvent[] = [];
    universe.journal.observe((event) => void all.push(event));
    right.trace.observe((event) => void rights.push(event));
    left.createDomain(3, 'a');
    right.createDomain(4, 'b');
    left.trace.mark('x', 'y', 1);
    expect(all.map(({ host, kind }) => [host, kind])).toEqual([
      [0, 'life'],
      [1, 'life'],
      [0, 'mark'],
    ]);
    expect(rights).toEqual([all[1]]);
    expect(universe.machines).toEqual([left, right]);
    expect(universe.machines.map(({ trace }) => trace.host)).toEqual([0, 1]);
  });

  it.each([
    { which: 'the first', down: 'left', up: 'right' },
    { which: 'the second', down: 'right', up: 'left' },
  ])('goes on without a host whose hardware domain has shut down: $which', ({ down, up }) => {
    const { universe, left, right, steps } = pair();
    const [dying, other] = down === 'left' ? [left, right] : [right, left];
    let fired = 0;
    for (const machine of [dying, other]) machine.scheduler.at(600, () => fired++);
    dying.scheduler.at(500, () => {
      const hardware = dying.domain(0);
      if (hardware !== undefined) dying.shutdown(hardware, 'poweroff');
    });
    universe.timeline.run(499);
    const [before, untilThen] = [of(down, steps).length, of(up, steps).length];
    universe.timeline.run(1_000_000);
    expect(of(down, steps)).toHaveLength(before);
    expect(untilThen).toBeLessThan(200);
    expect(of(up, steps)).toHaveLength(200);
    expect(fired).toBe(1);
    expect([dying.lives.hostShutdown, other.lives.hostShutdown]).toEqual([0, undefined]);
    dying.start(
      'late',
      undefined,
      (function* (): Actor {
        fired++;
        yield 1;
      })(),
    );
    dying.scheduler.at(0, () => fired++);
    expect(universe.timeline.run(2_000_000)).toBe(false);
    expect(fired).toBe(1);
  });

  it('lets the step in which a host ends be its last one, and changes nobody else’s times', () => {
    const whole = pair();
    whole.universe.timeline.run(1_000_000);
    const { universe, left, steps } = pair();
    left.start(
      'end',
      undefined,
      (function* (): Actor {
        yield 300;
        left.scheduler.halt();
        steps.push('left has ended');
        yield 0;
        steps.push('left goes on');
      })(),
    );
    universe.timeline.run(1_000_000);
    expect(of('left', steps).at(-1)).toBe('left has ended');
    expect(of('right', steps)).toEqual(of('right', whole.steps));
  });

  it('gives the only task that there is no step after the one in which it ends its host', () => {
    const machine = loneMachine({ seed: '1' });
    const said: string[] = [];
    machine.start(
      'end',
      undefined,
      (function* (): Actor {
        machine.scheduler.halt();
        said.push('the last words');
        yield 0;
        said.push('and some more');
      })(),
    );
    expect(machine.scheduler.run(1_000)).toBe(false);
    expect(said).toEqual(['the last words']);
  });

  it('has no two hosts of one name', () => {
    const universe = new Universe({ seed: '1' });
    universe.add('a');
    expect(() => universe.add('a')).toThrow('a second host a');
  });
});
