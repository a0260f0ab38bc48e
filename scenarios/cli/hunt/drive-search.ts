import { failsLike, type RunFacts } from '../../hunt/facts.ts';
import type { Hit, Search } from '../../hunt/shrink/attempts.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { Pool } from './pool.ts';

export interface Driven<T> {
  readonly found: T;
  /** Runs that were made; a few more with several threads, which try ahead. */
  readonly replays: number;
}

/** A search in threads, as `driveHere`: it comes to the same. `tried` is called with the number of runs so far. */
export class SearchDriver {
  readonly #pool: Pool<RunSpec, RunFacts>;
  readonly #known = new Map<string, RunFacts>();
  readonly #tried: (replays: number) => void;
  #replays = 0;

  constructor(jobs: number, tried: (replays: number) => void) {
    this.#pool = new Pool(new URL('./facts-worker.js', import.meta.url), jobs, diedFacts);
    this.#tried = tried;
  }

  get replays(): number {
    return this.#replays;
  }

  /** Errors: rejects with what a search throws. */
  async drive<T>(search: Search<T>, kin: string): Promise<T> {
    for (let step = search.next(); ; ) {
      if (step.done === true) return step.value;
      const { specs, isLook = false } = step.value;
      step = search.next(await this.#first(specs, (facts) => isLook || failsLike(facts, kin)));
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** The first in order that is as wanted; as many are tried ahead as there are threads. */
  async #first(specs: readonly RunSpec[], isWanted: (facts: RunFacts) => boolean): Promise<Hit | undefined> {
    const ahead: Promise<RunFacts>[] = [];
    for (let index = 0; index < specs.length; index++) {
      for (let next = ahead.length; next < Math.min(specs.length, index + this.#pool.jobs); next++)
        ahead.push(this.#facts(specs[next] as RunSpec));
      const facts = await (ahead[index] as Promise<RunFacts>);
      if (isWanted(facts)) return { index, facts };
    }
    return undefined;
  }

  async #facts(spec: RunSpec): Promise<RunFacts> {
    const key = JSON.stringify(spec);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const facts = await this.#pool.do(spec);
    this.#known.set(key, facts);
    this.#tried(++this.#replays);
    return facts;
  }
}

/** What is known of a run whose thread has died. */
export function diedFacts(_spec: RunSpec, why: string): RunFacts {
  return {
    outcome: 'error',
    signatures: [{ key: `error: ${why}`, kin: `error: ${why}`, text: why }],
    actor: '',
    failedNs: 0,
    causedNs: undefined,
    digest: '',
    events: 0,
    virtualNs: 0,
    made: [],
    updatesNs: [],
    movesNs: [],
    faults: [],
    domids: {},
  };
}
