import { availableParallelism } from 'node:os';
import { BUGS, type Bug } from '../../bugs/index.ts';
import { Unusable } from '../image/io.ts';
import { Progress } from '../progress.ts';
import { print } from '../terminal/output.ts';
import { huntOne } from './hunt-one.ts';
import type { Found } from './protocol.ts';
import { HuntResults } from './results.ts';

interface RecheckOptions {
  readonly results: string;
  /** In all. */
  readonly minutes: number;
  readonly jobs?: number;
}

/** For one run: ample. */
const RUN_MINUTES = 3;
/** Neighbours in the list are of one family: with such a stride each family is reached soon. */
const STRIDE = 37;

/** Make the runs once more that have found bugs, for as long as there is time. @returns the exit code. Errors: Unusable. */
export async function recheckCommand(options: RecheckOptions): Promise<number> {
  const { results: file, minutes, jobs = availableParallelism() } = options;
  const results = new HuntResults(file);
  const known = inStrides(BUGS.flatMap((bug) => foundOf(results, bug)));
  if (known.length === 0) throw new Unusable(`--results ${file}: nothing of it was found, or is as it was then`);
  const progress = new Progress();
  const todo = known.values();
  let done = 0;
  const passed: string[] = [];
  async function work() {
    for (const { bug, found } of todo) {
      if (progress.seconds >= minutes * 60) return;
      const { found: again, gaveUp } = await huntOne(bug, {
        runs: () => [[found.spec]],
        minutes: RUN_MINUTES,
        shrink: false,
      });
      done++;
      if (again === undefined)
        passed.push(
          `${bug.id} is not found any more by ${found.spec.scenario} seed ${found.spec.seed}: ${gaveUp ?? 'the run passes'}`,
        );
      progress.at(() => `${done}/${known.length} bugs`);
    }
  }
  await Promise.all(Array.from({ length: jobs }, work));
  progress.clear();
  for (const line of passed) print(`${line}\n`);
  print(`${done} of ${known.length} bugs tried once more, ${done - passed.length} found\n`);
  return passed.length === 0 ? 0 : 1;
}

interface Known {
  readonly bug: Bug;
  readonly found: Found;
}

function foundOf(results: HuntResults, bug: Bug): Known[] {
  const found = results.of(bug)?.found;
  return found === undefined ? [] : [{ bug, found }];
}

function inStrides<T>(all: readonly T[]): T[] {
  return Array.from({ length: STRIDE }, (_, from) => all.filter((_each, i) => i % STRIDE === from)).flat();
}
