import { describe, expect, it } from 'vitest';
import { text, type Xs } from '../../../guests/index.ts';
import { type GuestPlan, startGuests } from '../../../scenarios/engine/guests.ts';
import { openRun, type RunPlan, runAndJudge, startOperator } from '../../../scenarios/engine/run.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import { FaultPlan } from '../../../scenarios/faults/plan.ts';
import type { FaultRule } from '../../../scenarios/faults/rule.ts';
import { type Actor, loneMachine, PARK } from '../../../sim/index.ts';

interface Wish {
  readonly guests: Readonly<Record<string, GuestPlan>>;
  readonly plan?: RunPlan;
  readonly settings?: { readonly store?: 'stubdom'; readonly faults?: string };
  readonly updateAt?: number;
  readonly horizonNs?: number;
}

function play({ guests, plan, settings = {}, updateAt, horizonNs }: Wish): RunResult {
  const more = horizonNs === undefined ? {} : { horizonNs };
  const run = openRun({ seed: '1', format: 'v2', settings, checks: true, ...more }, plan);
  startGuests(run, guests);
  if (updateAt !== undefined) startOperator(run, { atRequests: [updateAt] });
  return runAndJudge(run, { scenario: 'test' });
}

function* writing(xs: Xs): Actor {
  for (let n = 1; n <= 20; n++) yield* xs.write('data/n', String(n));
}

/** Each event of a guest comes later, once in two. */
const LATE: FaultRule = {
  id: 'OWN-1',
  what: 'events are late',
  mustHold: 'everything',
  oneIn: [2, 2],
  arm: ({ strikes, injected }) => ({
    edge: () => {
      if (!strikes()) return undefined;
      injected('');
      return { kind: 'delay', delayNs: 50_000 };
    },
  }),
};

describe('guests of a scenario', () => {
  it('are domains under their names, each with its program, and the run rests when all have ended', () => {
    const seen: string[] = [];
    const result = play({
      guests: {
        one: {
          domid: 7,
          *program(xs, { os }) {
            seen.push(`${os.domain.domid} ${xs.me.name}`);
            yield* xs.watch('data/n', 'mine');
            yield* writing(xs);
            seen.push((yield* xs.nextEvent()).token, text((yield* xs.read('data/n')).payload));
            yield* xs.unwatch('data/n', 'mine');
          },
        },
        two: { program: writing },
      },
    });
    expect([result.outcome, result.domainsCreated]).toEqual(['pass', 2]);
    expect(seen).toEqual(['7 one/main', 'mine', '20']);
  });

  it('that cannot be created are among the refusals, and the others go on', () => {
    let began = 0;
    const program = function* (xs: Xs): Actor {
      began++;
      yield* writing(xs);
    };
    const result = play({ guests: { one: { domid: 7, program }, two: { domid: 7, program }, three: { program } } });
    expect([result.outcome, began]).toEqual(['pass', 2]);
    expect(result.refusals).toEqual([['ERROR_FAIL in C1', 1]]);
  });

  it('live beside a store in a domain of its own', () => {
    const result = play({ guests: { one: { program: writing } }, settings: { store: 'stubdom' }, updateAt: 100 });
    expect([result.outcome, result.updates.length]).toEqual(['pass', 1]);
  });

  it('come to no rest while a program waits, and the reason is told', () => {
    const program = function* (): Actor {
      for (;;) yield PARK;
    };
    const { outcome, reason } = play({ guests: { one: { program } }, horizonNs: 20_000_000 });
    expect(outcome).not.toBe('pass');
    expect(reason).toMatch(/was not at its end after 20000000 ns/);
  });
});

describe('an operator', () => {
  it('updates in traffic, and when it has ended what is left', () => {
    const isBeforeLastWrite = (updateAt: number) => {
      const { updates, history } = play({ guests: { one: { program: writing } }, updateAt });
      expect(updates.map(({ answer }) => answer)).toEqual(['OK']);
      const records = history?.records ?? [];
      const last = records.findLast((r) => r.kind === 'sent' && r.actor === 'one/main');
      return (records.find((r) => r.kind === 'liveUpdate')?.seq ?? Number.NaN) < (last?.seq ?? Number.NaN);
    };
    expect([isBeforeLastWrite(10), isBeforeLastWrite(1_000_000)]).toEqual([true, false]);
  });
});

describe('a fault of a scenario', () => {
  it('strikes in each of its runs, and is told beside those of the plan', () => {
    const guests = { one: { program: writing } };
    const alone = play({ guests, plan: { ownFaults: [LATE] } });
    expect(alone.outcome).toBe('pass');
    expect(alone.faults?.map(({ id, injected }) => [id, injected > 5])).toEqual([['OWN-1', true]]);
    expect(alone.virtualNs).toBeGreaterThan(play({ guests }).virtualNs);
    const beside = play({ guests, plan: { ownFaults: [LATE] }, settings: { faults: 'INJ-E2' } });
    expect(beside.faults?.map(({ id }) => id)).toEqual(['INJ-E2', 'OWN-1']);
  });

  it('moves no draw of those that there are', () => {
    const plan = (own: readonly FaultRule[]) => new FaultPlan(loneMachine({ seed: '3' }), 'swarm', own).faults;
    expect(plan([LATE]).slice(0, -1)).toEqual(plan([]));
  });
});
