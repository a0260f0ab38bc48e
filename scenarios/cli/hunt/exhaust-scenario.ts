import { availableParallelism } from 'node:os';
import { type Placed, type Placement, UpdatePlaces } from '../../hunt/exhaust.ts';
import { type RunFacts, tryRun, tryWhole } from '../../hunt/facts.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { labOf } from '../lab-of.ts';
import { loader } from '../loader.ts';
import { prepare } from '../prepare.ts';
import { Progress } from '../progress.ts';
import { EXIT_OF } from '../run.ts';
import { print, printJson } from '../terminal/output.ts';
import { diedFacts } from './drive-search.ts';
import { Pool } from './pool.ts';
import { shrinkCommand } from './shrink.ts';
import { tokenFor } from './ticket.ts';

export interface ExhaustScenarioOptions {
  readonly set: readonly string[];
  readonly format?: string;
  readonly seed: string;
  readonly jobs?: number;
  readonly json?: true;
}

/** What a shell sees of a program that SIGINT has ended: 128 + SIGINT. */
const INTERRUPTED = 130;

/** Outcomes that are a failure of a placement. */
const FAILED: readonly string[] = ['violation', 'error', 'stuck'];

/**
 * One live update at every step of a scenario's run, each in a run of its own. The first that fails is made small and told. Exit codes:
 * those of its run; 3 where the run itself is not passed, or nothing could be tried. Errors: Unusable.
 */
export async function exhaustScenarioCommand(
  name: string,
  { set, format = 'v2', seed, jobs = availableParallelism(), json }: ExhaustScenarioOptions,
): Promise<number> {
  const { scenario, settings } = await prepare(name, set);
  await labOf(format); // whether it can be loaded: threads load their own
  const spec: RunSpec = { scenario: scenario.name, seed, format, settings };
  const runner = await loader()(spec);
  const base = tryRun(runner, spec);
  const places = new UpdatePlaces(spec, base);
  const isJson = json === true;
  const words = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  if (!isJson) print(`exhaust ${name}  seed ${seed}  format ${format}  ${words.join(' ')}\n\n`);
  if (base.outcome !== 'pass') {
    const what = base.signatures[0]?.text ?? '';
    if (isJson) printJson({ record: 'xenarium-exhausted', version: 1, spec, base: { outcome: base.outcome, what } });
    else print(`  the run as it is, without a live update more: ${base.outcome}${what && `: ${what}`}\n`);
    return EXIT_OF[base.outcome];
  }
  const placed: Placed[] = [];
  const runs = new Runs(jobs, placed, places);
  try {
    await runs.through(places.all());
    if (runs.failure === undefined && !runs.isInterrupted) await runs.through(places.missed(placed));
  } finally {
    await runs.close();
  }
  const { failure, isInterrupted } = runs;
  const held = placed.filter(({ facts }) => facts.outcome === 'pass').length;
  const unknown = placed.filter(({ facts }) => facts.outcome === 'unknown').length;
  const token = failure && tokenFor(tryWhole(runner, failure.spec).result);
  const count = { placements: placed.length, held, unknown, refused: places.refused };
  const gaps = { gaps: places.gaps, met: places.gapsMet };
  if (isJson) {
    const told = failure && {
      atNs: failure.atNs,
      imageNs: places.imageOf(failure),
      token,
      what: whatOf(failure.facts),
    };
    printJson({ record: 'xenarium-exhausted', version: 1, spec, ...count, ...gaps, failure: told, isInterrupted });
  } else {
    const end = failure === undefined ? `${held} of ${placed.length} held` : `${held} held, the next did not`;
    const more = [
      `images written in ${gaps.met} of ${gaps.gaps} places between two moves of the store`,
      ...(unknown === 0 ? [] : [`${unknown} unknown`]),
      ...(places.refused === 0 ? [] : [`${places.refused} updates refused`]),
      ...(isInterrupted ? ['interrupted'] : []),
    ];
    print(`  updates  ${end}; ${more.join('; ')}\n`);
  }
  if (failure !== undefined) {
    if (!isJson) {
      print(`\n  asked for at ${failure.atNs} ns: ${whatOf(failure.facts)}\n  token: ${token}\n\n`);
      await shrinkCommand(token as string, { jobs });
    }
    return EXIT_OF[failure.facts.outcome];
  }
  if (isInterrupted) return INTERRUPTED;
  return held === 0 ? EXIT_OF.unknown : 0;
}

function whatOf({ outcome, signatures }: RunFacts): string {
  return signatures[0]?.text ?? outcome;
}

/** Runs on threads, taken in in their order until one fails: with any number of threads it is the same one. */
class Runs {
  readonly #pool: Pool<RunSpec, RunFacts>;
  readonly #placed: Placed[];
  readonly #places: UpdatePlaces;
  readonly #progress = new Progress();
  readonly #interrupt = () => {
    this.isInterrupted = true;
    this.#stop?.();
  };
  #stop: (() => void) | undefined;
  failure: Placed | undefined;
  isInterrupted = false;

  constructor(jobs: number, placed: Placed[], places: UpdatePlaces) {
    this.#pool = new Pool(new URL('./facts-worker.js', import.meta.url), jobs, diedFacts);
    this.#placed = placed;
    this.#places = places;
    process.once('SIGINT', this.#interrupt);
  }

  async through(placements: readonly Placement[]): Promise<void> {
    const stopped = new Promise<undefined>((resolve) => {
      this.#stop = () => resolve(undefined);
    });
    const ahead: Promise<RunFacts>[] = [];
    for (const [at, placement] of placements.entries()) {
      for (let next = ahead.length; next < Math.min(placements.length, at + 2 * this.#pool.jobs); next++)
        ahead.push(this.#pool.do((placements[next] as Placement).spec));
      this.#progress.at(() => `${this.#placed.length} of ${this.#places.gaps} or so`);
      const facts = await Promise.race([ahead[at] as Promise<RunFacts>, stopped]);
      if (facts === undefined) return;
      const one = { ...placement, facts };
      this.#placed.push(one);
      this.#places.add(one);
      if (!FAILED.includes(facts.outcome)) continue;
      this.failure = one;
      return;
    }
  }

  async close(): Promise<void> {
    process.off('SIGINT', this.#interrupt);
    this.#progress.clear();
    await this.#pool.close();
  }
}
