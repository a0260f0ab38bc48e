import { BUGS, type Bug } from '../../bugs/index.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { Pool } from '../hunt/pool.ts';
import { moduleUrl } from './modules.ts';
import { REACHES, type Reach } from './reach.ts';

/** Which runs are worth making for which bug: those that execute something of what it changes, found out once for all bugs. */
export class Reaches {
  readonly #pool: Pool<RunSpec, readonly Reach[]>;
  readonly #known = new Map<string, Promise<readonly Reach[]>>();

  /** @param jobs threads that run the clean code */
  constructor(jobs: number) {
    const options = { execArgv: ['--import', moduleUrl('scenarios/cli/bugs/coverage.ts').href] };
    const anything = BUGS.map((): Reach => 'part');
    this.#pool = new Pool<RunSpec, readonly Reach[]>(
      moduleUrl('scenarios/cli/bugs/reach-worker.ts'),
      jobs,
      () => anything,
      options,
    );
  }

  /** Those of some runs that can find a bug, first those that execute all of some change; else in their order. */
  async worthwhile(specs: readonly RunSpec[], bug: Bug): Promise<RunSpec[]> {
    const reaches = await Promise.all(specs.map((spec) => this.#of(spec)));
    const place = BUGS.indexOf(bug);
    const rank = (i: number) => REACHES.indexOf(reaches[i]?.[place] as Reach);
    const order = specs.map((_, i) => i).filter((i) => rank(i) > 0);
    return order.sort((a, b) => rank(b) - rank(a) || a - b).map((i) => specs[i] as RunSpec);
  }

  /** End its threads. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  #of(spec: RunSpec): Promise<readonly Reach[]> {
    const key = JSON.stringify(spec);
    const known = this.#known.get(key) ?? this.#pool.do(spec);
    this.#known.set(key, known);
    return known;
  }
}

/** Do something that asks which runs are worth making. Errors: rejects as that does. */
export async function withReaches(jobs: number, work: (reaches: Reaches) => Promise<void>): Promise<void> {
  const reaches = new Reaches(jobs);
  try {
    await work(reaches);
  } finally {
    await reaches.close();
  }
}
