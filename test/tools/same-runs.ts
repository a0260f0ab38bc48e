import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { RunResult, Scenario } from '../../scenarios/engine/scenario.ts';

// Whether a change of code changes runs: each seed of each scenario, as this build runs it and as another one does.
// `node dist/test/tools/same-runs.js OTHER_CHECKOUT [SCENARIO…] [--seeds A..B] [--faults] [--traces-differ]`, both built.

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '1..20' },
    faults: { type: 'boolean', default: false },
    'traces-differ': { type: 'boolean', default: false },
  },
});
const [other, ...names] = positionals;
const [first = 1, last = first] = values.seeds.split('..').map(Number);
if (other === undefined || !Number.isInteger(first) || !Number.isInteger(last)) {
  console.error('same-runs OTHER_CHECKOUT [SCENARIO…] [--seeds A..B] [--faults] [--traces-differ]');
  process.exit(2);
}

async function catalogueOf(dist: string): Promise<readonly Scenario[]> {
  const module: unknown = await import(pathToFileURL(join(dist, 'scenarios/catalogue/index.js')).href);
  return (module as { readonly SCENARIOS: readonly Scenario[] }).SCENARIOS;
}

const text = (value: unknown) =>
  JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return `${each}n`;
    if (each instanceof Map || each instanceof Set) return [...each];
    return each instanceof Uint8Array ? Buffer.from(each).toString('latin1') : each;
  });

/** Where two runs part, in words; '' where they do not. Settings that only one of them has are not a difference. */
function difference(here: RunResult, there: RunResult): string {
  const { history, digest, traceEvents, settings: _, ...rest } = here;
  const { history: _history, digest: _digest, traceEvents: _events, settings: _settings, ...restThere } = there;
  const records = history?.records ?? [];
  const recordsThere = there.history?.records ?? [];
  for (let i = 0; i < Math.max(records.length, recordsThere.length); i++)
    if (text(records[i]) !== text(recordsThere[i]))
      return `record ${i}: here ${text(records[i])?.slice(0, 300)}, there ${text(recordsThere[i])?.slice(0, 300)}`;
  if (text({ ...history, records: 0 }) !== text({ ...there.history, records: 0 })) return 'histories, beside records';
  for (const key of Object.keys(rest) as (keyof typeof rest)[])
    if (text(rest[key]) !== text(restThere[key])) return `${key}: here ${text(rest[key])?.slice(0, 300)}`;
  if (values['traces-differ']) return '';
  if (digest !== there.digest) return `digests: here ${digest}, there ${there.digest}`;
  return traceEvents === there.traceEvents ? '' : `trace events: here ${traceEvents}, there ${there.traceEvents}`;
}

const here = await catalogueOf(join(import.meta.dirname, '../..'));
const there = await catalogueOf(resolve(other, 'dist'));
let runs = 0;
let differing = 0;
for (const scenario of here) {
  if (names.length > 0 && !names.includes(scenario.name)) continue;
  const same = there.find(({ name }) => name === scenario.name);
  if (same === undefined) {
    console.log(`${scenario.name}: only here`);
    continue;
  }
  const settings = Object.fromEntries(Object.entries(same.settings).map(([key, spec]) => [key, spec.default]));
  if (values.faults) settings.faults = 'swarm';
  for (let seed = first; seed <= last; seed++) {
    const request = { seed: String(seed), format: 'v2', settings, checks: true };
    const parted = difference(scenario.run(request), same.run(request));
    runs++;
    if (parted === '') continue;
    differing++;
    console.log(`${scenario.name} seed ${seed}: ${parted}`);
  }
}
console.log(`${runs} runs of each, ${differing} differ`);
process.exitCode = differing === 0 ? 0 : 1;
