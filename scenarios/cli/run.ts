import { closeSync, openSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { SCENARIOS } from '../catalogue/index.ts';
import type { Scenario } from '../engine/scenario.ts';
import { parseSettings, type SettingSpecs, type Settings } from '../engine/settings.ts';
import { jsonReport } from '../report/json.ts';
import { planText, textReport } from '../report/text.ts';
import { labOf } from './lab-of.ts';
import { type SeedRange, sweep } from './sweep.ts';

const EXIT_OF = { pass: 0, violation: 1, unknown: 3 } as const;

export function listCommand(options: { readonly json?: true }): number {
  if (options.json) {
    const listed = SCENARIOS.map(({ name, story, settings }) => ({ name, story, settings: withoutRanges(settings) }));
    process.stdout.write(`${JSON.stringify(listed, null, 2)}\n`);
    return 0;
  }
  for (const { name, story, settings } of SCENARIOS) {
    process.stdout.write(`${name}\n  ${story}\n`);
    for (const [key, spec] of Object.entries(settings)) {
      const words = 'words' in spec ? ` (${spec.words.join(', ')})` : '';
      process.stdout.write(`    ${`${key}=${spec.default}`.padEnd(18)} ${spec.meaning}${words}\n`);
    }
  }
  return 0;
}

/** The record has no word for ranges. */
function withoutRanges(settings: SettingSpecs): object {
  const entries = Object.entries(settings).map(([key, spec]) => {
    const { default: initial, meaning } = spec;
    return [key, { default: initial, meaning, ...('words' in spec ? { words: spec.words } : {}) }];
  });
  return Object.fromEntries(entries);
}

interface RunOptions {
  readonly seed: string;
  readonly format: string;
  readonly set: readonly string[];
  readonly trace?: string;
  readonly json?: true;
}

export async function runCommand(name: string, options: RunOptions): Promise<number> {
  const found = prepare(name, options.set);
  if (typeof found === 'string') return usage(found);
  const { scenario, settings } = found;
  const lab = await labOf(options.format);
  const trace = options.trace === undefined ? undefined : openTrace(options.trace);
  if (typeof trace === 'string') return usage(trace);
  const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  const result = scenario.run({
    seed: options.seed,
    format: options.format,
    settings,
    lab,
    checks: true,
    ...(options.json ? {} : { planned: (faults) => process.stdout.write(planText(faults, { colour })) }),
    ...(trace === undefined ? {} : { traceLine: trace.line }),
  });
  trace?.close();
  process.stdout.write(options.json ? jsonReport(result) : textReport(result, { colour }));
  return EXIT_OF[result.outcome];
}

interface SweepOptions {
  readonly seeds: SeedRange;
  readonly format: string;
  readonly set: readonly string[];
  readonly jobs?: number;
}

export async function sweepCommand(name: string, options: SweepOptions): Promise<number> {
  const found = prepare(name, options.set);
  if (typeof found === 'string') return usage(found);
  const lab = await labOf(options.format);
  const { from, to } = options.seeds;
  const count = to - from + 1;
  let done = 0;
  let requests = 0;
  let violations = 0;
  let unknowns = 0;
  const plan = { scenario: found.scenario.name, format: options.format, settings: found.settings };
  await sweep(plan, lab, options.seeds, options.jobs ?? availableParallelism(), (report) => {
    done++;
    requests += report.requests;
    if (report.outcome === 'violation') violations++;
    else if (report.outcome === 'unknown') unknowns++;
    if (report.outcome !== 'pass') process.stdout.write(`${report.outcome.padEnd(10)} ${report.detail}\n`);
    if (process.stderr.isTTY) process.stderr.write(`\r${done}/${count} seeds, ${violations + unknowns} failed `);
  });
  if (process.stderr.isTTY) process.stderr.write('\n');
  process.stdout.write(`${count} seeds, ${requests} requests, ${violations + unknowns} failed\n`);
  return violations > 0 ? 1 : unknowns > 0 ? 3 : 0;
}

function prepare(name: string, set: readonly string[]): { scenario: Scenario; settings: Settings } | string {
  const scenario = SCENARIOS.find((s) => s.name === name);
  if (scenario === undefined) return `no scenario '${name}'; xenarium list names them`;
  const parsed = parseSettings(name, scenario.settings, set);
  return parsed.ok ? { scenario, settings: parsed.settings } : `--set ${parsed.reason}`;
}

function openTrace(file: string): { line: (text: string) => void; close: () => void } | string {
  let fd: number;
  try {
    fd = openSync(file, 'w');
  } catch (error) {
    return `--trace ${file}: ${error instanceof Error ? error.message : String(error)}`;
  }
  let buffered: string[] = [];
  let size = 0;
  const flush = () => {
    if (size > 0) writeSync(fd, buffered.join(''));
    buffered = [];
    size = 0;
  };
  return {
    line: (text) => {
      buffered.push(`${text}\n`);
      size += text.length;
      if (size > 1 << 16) flush();
    },
    close: () => {
      flush();
      closeSync(fd);
    },
  };
}

function usage(message: string): number {
  process.stderr.write(`xenarium: ${message}\n`);
  return 2;
}
