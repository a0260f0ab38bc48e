import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FAULT_TAKERS, SCENARIOS } from '../../../scenarios/catalogue/index.ts';
import type { Scenario } from '../../../scenarios/engine/scenario.ts';
import type { Settings } from '../../../scenarios/engine/settings.ts';
import { FAULT_RULES } from '../../../scenarios/faults/catalogue.ts';
import { lacking } from '../../../scenarios/faults/doings.ts';
import { codeOf } from '../../support/code.ts';

/*
 * A fault that cannot fire must not be offered. What a rule needs and what a scenario does are lists; here it is seen that they are
 * right: each rule that a scenario offers strikes there. All of them together first, since one run then shows many; those that have
 * not struck by then once more, and what is left alone. Nothing is judged: that is for the sweeps.
 */
const SMALL: Readonly<Record<string, Settings>> = {
  'live-update-mid-traffic': { domains: 12, requests: 5_000, updates: 4, workers: 1 },
  'hostile-guests': { domains: 12, hostile: 1, requests: 5_000, updates: 4 },
  'device-io': { domains: 10, block: 1_500, net: 1_500, updates: 4 },
  'boot-storm': { domains: 12, builders: 3, updates: 6, io: 1 },
  'hotplug-storm': { domains: 10, devices: 4, updates: 4, restarts: 2, io: 1 },
  'steady-state': { domains: 10, minutes: 1, updates: 4 },
  'suspend-resume': { domains: 12, bad: 0, requests: 5_000, updates: 4 },
  'conflict-storm': { domains: 14, requests: 9_000, updates: 4 },
  'soft-reset': { domains: 14, requests: 12_000, updates: 4, kernels: 1 },
  'ring-reconnect': { domains: 14, requests: 9_000, updates: 4 },
  'slow-consumers': { domains: 14, requests: 6_000, updates: 4 },
  'migrate-mid-traffic': { domains: 8, requests: 3_000, block: 300, net: 300 },
  'evacuate-host': { domains: 10, requests: 3_000, block: 300, net: 300 },
  'upgrade-by-migration': { domains: 6, requests: 3_000, block: 300, net: 300 },
  'migration-breaks': { requests: 3_000, block: 300, net: 300 },
  'watch-flood': { domains: 14, requests: 5_000, updates: 5 },
};
const TOGETHER = ['1', '2', '3', '4'];
const ALONE = ['5', '6', '7', '8'];

function strikes(scenario: Scenario, seed: string, settings: Settings): readonly string[] {
  const result = scenario.run({ seed, format: 'v2', settings, checks: false });
  return result.faults?.flatMap(({ id, injected }) => (injected > 0 ? [id] : [])) ?? [];
}

describe('a scenario of the catalogue', () => {
  const dir = join(import.meta.dirname, '../../../scenarios/catalogue');
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  it.each(files)('%s hands faults to nobody, and makes no toolstack past its host', (file) => {
    const code = codeOf(readFileSync(join(dir, file), 'utf8'));
    expect(code).not.toMatch(/faults\.(?!faults\b)\w+\(|new Libxl\(|\bmishaps\b/);
  });
});

describe('each rule that is offered strikes', () => {
  const [headline] = SCENARIOS as [Scenario];
  const rows: readonly (readonly [string, Scenario, Settings])[] = [
    ...FAULT_TAKERS.map((scenario) => [scenario.name, scenario, SMALL[scenario.name] ?? {}] as const),
    ['a store in a stub domain', headline, { ...SMALL[headline.name], store: 'stubdom' }],
  ];
  it.each(rows)('in %s', (_, scenario, small) => {
    const does = scenario.does(small);
    const offered = FAULT_RULES.filter(({ needs }) => lacking(needs, does).length === 0).map(({ id }) => id);
    const struck = new Set<string>();
    const left = () => offered.filter((id) => !struck.has(id));
    for (const seed of TOGETHER)
      if (left().length > 0)
        for (const id of strikes(scenario, seed, { ...small, faults: left().join() })) struck.add(id);
    for (const id of left())
      if (ALONE.some((seed) => strikes(scenario, seed, { ...small, faults: id }).length > 0)) struck.add(id);
    expect(left()).toEqual([]);
  });
});
