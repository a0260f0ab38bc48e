import { describe, expect, it } from 'vitest';
import { deviceIo } from '../../../scenarios/catalogue/device-io.ts';
import { liveUpdateMidTraffic } from '../../../scenarios/catalogue/live-update-mid-traffic.ts';
import type { RunResult } from '../../../scenarios/engine/scenario.ts';
import type { Setting } from '../../../scenarios/engine/settings.ts';
import { FAULT_RULES } from '../../../scenarios/faults/catalogue.ts';
import { FaultPlan, swarmsOf } from '../../../scenarios/faults/plan.ts';
import type { PlannedFault } from '../../../scenarios/faults/rule.ts';
import { jsonReport } from '../../../scenarios/report/json.ts';
import { planText, textReport } from '../../../scenarios/report/text.ts';
import { loneMachine } from '../../../sim/index.ts';
import { broken } from '../../support/headline.ts';

interface Watched {
  readonly result: RunResult;
  /** What was planned, and how many lines the trace had by then. */
  readonly planned: readonly { readonly faults: readonly PlannedFault[]; readonly after: number }[];
  readonly marks: readonly { readonly what: string; readonly n: number }[];
}

function run(seed: string, faults: string, set: Record<string, Setting> = {}): Watched {
  const planned: Watched['planned'][number][] = [];
  const marks: Watched['marks'][number][] = [];
  let lines = 0;
  const result = liveUpdateMidTraffic.run({
    seed,
    format: 'v2',
    settings: { requests: 2_000, faults, ...set },
    checks: true,
    planned: (f) => planned.push({ faults: f, after: lines }),
    traceLine: (line) => {
      lines++;
      const event = JSON.parse(line) as { kind: string; actor?: string; what: string; n: number };
      if (event.kind === 'mark' && event.actor === 'faults') marks.push(event);
    },
  });
  return { result, planned, marks };
}

/** Rules that have an occasion only where there are many domains, or where they end. */
const NEEDS_LIVES = /^INJ-(?:D\d+|E7|E8|E12|E13|G10)$/;

describe('the plan', () => {
  const plan = (seed: string, which = 'swarm') =>
    new FaultPlan(loneMachine({ seed }), which).faults.map((f) => `${f.id} ${f.oneIn}`);

  it('is the same for the same seed, and another one for others', () => {
    expect(plan('5')).toEqual(plan('5'));
    expect(new Set(Array.from({ length: 20 }, (_, i) => plan(String(i)).join())).size).toBe(20);
  });

  it('enables common rules for about half of the seeds, others for a quarter, with weights over their whole range', () => {
    const seen = new Map<string, Set<number>>();
    let drawn = 0;
    for (let seed = 0; seed < 200; seed++)
      for (const { id, oneIn } of new FaultPlan(loneMachine({ seed: String(seed) }), 'swarm').faults) {
        drawn++;
        seen.set(id, (seen.get(id) ?? new Set()).add(oneIn));
      }
    expect([...seen.keys()].sort()).toEqual(FAULT_RULES.map((r) => r.id).sort());
    const expected = FAULT_RULES.reduce((sum, rule) => sum + 1 / swarmsOf(rule), 0);
    expect(drawn / (200 * expected)).toBeCloseTo(1, 1);
    for (const { id, oneIn } of FAULT_RULES) {
      expect(Math.min(...(seen.get(id) ?? []))).toBeGreaterThanOrEqual(oneIn[0]);
      expect(Math.max(...(seen.get(id) ?? []))).toBeLessThanOrEqual(oneIn[1]);
      expect(seen.get(id)?.size).toBeGreaterThan(1);
    }
  });

  it('is never a swarm without a rule, where few are offered, and tries each of them', () => {
    const offered = FAULT_RULES.filter(({ needs = [] }) => needs.length === 0).map(({ id }) => id);
    const taken = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const { faults } = new FaultPlan(loneMachine({ seed: String(seed) }), 'swarm', [], []);
      expect(faults).not.toEqual([]);
      for (const { id } of faults) taken.add(id);
    }
    expect([...taken].sort()).toEqual([...offered].sort());
    expect(new FaultPlan(loneMachine({ seed: '1' }), 'off', [], []).faults).toEqual([]);
  });

  it('has in each swarm a rule that is sure to strike, or three or more at their highest rates', () => {
    const ruleOf = (id: string) => FAULT_RULES.find((rule) => rule.id === id)!;
    let rare = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { faults } = new FaultPlan(
        loneMachine({ seed: String(seed) }),
        'swarm',
        [],
        ['migrates', 'updates', 'ours'],
      );
      if (faults.some(({ id }) => ruleOf(id).isSure)) continue;
      rare++;
      expect(faults.length).toBeGreaterThanOrEqual(3);
      for (const { id, oneIn } of faults) expect(oneIn).toBe(ruleOf(id).oneIn[0]);
    }
    expect(rare).toBeGreaterThan(0);
  });

  it('leaves rates as they were drawn where rules are asked for by name', () => {
    const named = (seed: string) => plan(seed, 'INJ-M1,INJ-M2').join();
    expect(new Set(Array.from({ length: 20 }, (_, i) => named(String(i)))).size).toBeGreaterThan(5);
  });

  it('can be nothing, all, or one', () => {
    expect(plan('1', 'off')).toEqual([]);
    expect(plan('1', 'all')).toHaveLength(FAULT_RULES.length);
    expect(plan('1', 'INJ-D1').map((line) => line.split(' ')[0])).toEqual(['INJ-D1']);
  });

  it('names each rule once, by an id of the catalogue', () => {
    const ids = FAULT_RULES.map((r) => r.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^INJ-[EGDMRT][0-9]+$/);
  });
});

describe('a run with faults', () => {
  it('tells its plan once, before anything happens, and has it in its reports', () => {
    const { result, planned } = run('3', 'swarm');
    expect(planned).toHaveLength(1);
    expect(planned[0]?.after).toBe(0);
    const ids = planned[0]?.faults.map((f) => f.id) ?? [];
    expect(ids.length).toBeGreaterThan(0);
    expect(result.faults?.map((f) => f.id)).toEqual(ids);
    const printed = planText(planned[0]?.faults ?? [], { colour: false });
    for (const { id, oneIn, mustHold } of planned[0]?.faults ?? []) {
      expect(printed).toContain(`${id.padEnd(8)} 1 in ${oneIn}`);
      expect(printed).toContain(mustHold);
    }
    expect(textReport(result, { colour: false })).toContain(`faults: ${ids[0]} `);
    expect(JSON.parse(jsonReport(result)).faults).toEqual(result.faults);
  });

  it('records each injection in the trace', () => {
    const { result, marks } = run('4', 'swarm');
    for (const { id, injected } of result.faults ?? [])
      expect(marks.filter((m) => m.what === id)).toHaveLength(injected);
    expect(marks.length).toBeGreaterThan(0);
  });

  it('is the same octets for the same seed, and other ones than without', () => {
    const [a, b, c] = [run('6', 'swarm'), run('6', 'swarm'), run('6', 'off')];
    expect(a.result.digest).toBe(b.result.digest);
    expect(c.result.digest).not.toBe(a.result.digest);
    expect(c.result.faults).toBeUndefined();
    expect(c.planned).toEqual([]);
  });

  // Those of a migration strike in test/scenarios/faults/trips.test.ts.
  it.each(FAULT_RULES.map((r) => r.id).filter((id) => !id.startsWith('INJ-M')))(
    '%s strikes, and what must hold holds',
    (id) => {
      let injected = 0;
      // Domains live for a while before anything ends them.
      const requests = NEEDS_LIVES.test(id) ? 5_000 : 3_000;
      for (const seed of ['1', '2', '3', '4']) {
        if (injected > 0) break;
        const { result } = run(seed, id, { requests });
        expect(broken(result)).toEqual([]);
        injected += result.faults?.[0]?.injected ?? 0;
        expect(result.outcome).toBe(injected > 0 ? 'pass' : 'unknown');
      }
      expect(injected).toBeGreaterThan(0);
    },
  );

  it.each(['9', '13', '94'])('passes with a swarm of them, seed %s', (seed) => {
    expect(broken(run(seed, 'swarm', { requests: 2_500 }).result)).toEqual([]);
  });

  it('goes on with the old instance where the image is broken, and says so', () => {
    const { result } = run('3', 'INJ-T2', { updates: 8 });
    const failed = result.updates.filter((u) => u.outcome === 'failed');
    expect(failed.length).toBe(result.faults?.[0]?.injected);
    expect(failed.length).toBeGreaterThan(0);
    for (const { answer, reason } of failed) {
      expect(answer).toMatch(/header|Error activating new binary/);
      expect(answer).toBe(reason);
    }
  });

  it('INJ-E7 closes the port of the store, and no port of a driver', () => {
    const settings = { faults: 'INJ-E7', block: 800, net: 800 };
    const { history } = deviceIo.run({ seed: '1', format: 'v2', settings, checks: true });
    const struck = (history?.records ?? []).flatMap((r) => (r.kind === 'fault' ? [r.detail] : []));
    expect(struck.length).toBeGreaterThan(0);
    expect(struck.filter((detail) => !/^domain \d+ port 1$/.test(detail))).toEqual([]); // a kernel's first one
  });
});
