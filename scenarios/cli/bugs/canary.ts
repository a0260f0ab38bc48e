import { Streams } from '../../../sim/index.ts';
import { type Bug, CANARIES } from '../../bugs/index.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import type { SeedReport } from '../seed-report.ts';
import { type Sweeping, sweep } from '../sweep.ts';
import { moduleUrl } from './modules.ts';
import { isFound } from './protocol.ts';
import { usableBugs } from './restart.ts';
import { startedWith } from './switch.ts';

/** Of so many runs of a campaign one is made once more with the canary on; of a short campaign each. */
const ONE_IN = 8;
const FIRST = 24;

/** The exit code of a campaign that found nothing, not even its canary. */
export const BLIND = 5;

/** A bug that a campaign has to find in a share of its own runs: one that does not would find no other like it. */
export class Canary {
  readonly bug: Bug;
  readonly #specs: RunSpec[] = [];
  #seen = 0;
  #runs = 0;
  #found: SeedReport | undefined;

  /** @param asked its id; `true`: one of those that show in any traffic, by the first seed. Errors: Unusable. */
  constructor(asked: string | true, firstSeed: number) {
    const id = asked === true ? new Streams(String(firstSeed)).for('canary').pick(CANARIES) : asked;
    this.bug = usableBugs([id])[0] as Bug;
  }

  /** A run of the campaign is given out. */
  note(spec: RunSpec): void {
    if (this.#seen++ % ONE_IN === 0 || this.#seen <= FIRST) this.#specs.push(spec);
  }

  /** Make the runs of its share, until one fails. */
  fly(jobs: number): Sweeping {
    const flight = sweep(this.#specs.values(), jobs, (report) => this.#take(report, flight), {
      worker: moduleUrl('scenarios/cli/sweep-worker.ts'),
      options: startedWith([this.bug]),
    });
    return flight;
  }

  #take(report: SeedReport, flight: Sweeping): void {
    if (this.#found !== undefined) return;
    this.#runs++;
    if (!isFound(report)) return;
    this.#found = report;
    flight.stop();
  }

  get isBlind(): boolean {
    return this.#found === undefined;
  }

  /** What it came to, as data. */
  get result(): { readonly bug: string; readonly found: boolean; readonly runs: number; readonly text: string } {
    const text = this.#found?.finding?.text ?? '';
    return { bug: this.bug.id, found: !this.isBlind, runs: this.#runs, text };
  }

  /** And in words. */
  get text(): string {
    const { id, title } = this.bug;
    const { runs, text } = this.result;
    if (this.isBlind) return `this campaign is blind: with ${id} on (${title}) ${runs} of its runs found nothing`;
    return `canary ${id} found in run ${runs} of its own: ${text}`;
  }
}
