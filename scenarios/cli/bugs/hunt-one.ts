import { type ChildProcess, fork } from 'node:child_process';
import type { Bug } from '../../bugs/index.ts';
import { Progress } from '../progress.ts';
import type { SeedReport } from '../seed-report.ts';
import { moduleUrl } from './modules.ts';
import { RUNS_OF_SEED, runsOf } from './portfolio.ts';
import { type Found, type HuntAnswer, type Hunted, type HuntRequest, isFound } from './protocol.ts';
import { startedWith } from './switch.ts';

/** A run that tells nothing for so long has no end: others take seconds. */
const ENDLESS_MS = 60_000;
/** How long all the smaller runs may take. */
const SHRINK_MS = 300_000;

export interface HuntPlan extends HuntRequest {
  /** For one bug, without what it takes to make the run smaller. */
  readonly minutes: number;
}

/** Run the portfolio in a process of its own with one bug on, or with none, until a run fails. Errors: none. */
export function huntOne(bug: Bug | undefined, plan: HuntPlan): Promise<Hunted> {
  const child = fork(moduleUrl('scenarios/cli/bugs/hunt-child.ts'), {
    ...startedWith(bug === undefined ? [] : [bug]),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  return new Hunt(child, bug?.id ?? '', plan).done;
}

/** One process that hunts, watched from outside: bugs may make anything of it. */
class Hunt {
  readonly #child: ChildProcess;
  readonly #id: string;
  readonly #plan: HuntPlan;
  readonly #clock = new Progress(false);
  readonly #box: NodeJS.Timeout;
  #watchdog: NodeJS.Timeout | undefined;
  #runs = 0;
  #found: Found | undefined;
  #gaveUp: string | undefined;
  /** Its time is over: the run that is under way is the last. */
  #isLate = false;
  #errors = '';
  readonly done: Promise<Hunted>;

  constructor(child: ChildProcess, id: string, plan: HuntPlan) {
    this.#child = child;
    this.#id = id;
    this.#plan = plan;
    this.#box = setTimeout(() => {
      this.#isLate = true;
    }, plan.minutes * 60_000);
    this.#watch();
    child.stderr?.on('data', (data) => {
      this.#errors = (this.#errors + data).slice(-2_000);
    });
    child.on('message', (message) => this.#take(message as HuntAnswer));
    this.done = new Promise((resolve) => {
      child.on('error', (error) => this.#giveUp(error.message));
      child.on('close', (code) => resolve(this.#end(code)));
    });
    child.send({ runs: plan.runs, shrink: plan.shrink } satisfies HuntRequest);
  }

  #watch(): void {
    clearTimeout(this.#watchdog);
    const late = () => {
      this.#found = this.#endless();
      this.#child.kill('SIGKILL');
    };
    this.#watchdog = setTimeout(late, ENDLESS_MS);
  }

  #take(answer: HuntAnswer): void {
    this.#watch();
    if (answer.kind === 'end') {
      if (this.#found !== undefined && answer.shrunk !== undefined)
        this.#found = { ...this.#found, shrunk: answer.shrunk };
      return;
    }
    this.#runs++;
    if (!isFound(answer.report)) {
      if (this.#isLate) this.#giveUp(`its ${this.#plan.minutes} minutes are over`);
      return;
    }
    this.#found = foundBy(answer.report, this.#runs);
    clearTimeout(this.#box);
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#child.kill('SIGKILL'), SHRINK_MS);
  }

  #giveUp(why: string): void {
    this.#gaveUp ??= why;
    this.#child.kill('SIGKILL');
  }

  #endless(): Found {
    const [spec] = [...runsOf(this.#plan.runs)].slice(this.#runs);
    if (spec === undefined) throw new Error('assertion: it ended all its runs');
    const text = `the run has not ended after ${ENDLESS_MS / 1_000} s: a step of it does not come to its end`;
    return { spec, outcome: 'endless', check: 'endless', text, ...countsOf(this.#runs + 1) };
  }

  #end(code: number | null): Hunted {
    clearTimeout(this.#box);
    clearTimeout(this.#watchdog);
    const found = this.#found;
    if (found === undefined && code !== 0) this.#gaveUp ??= `its process ended with ${code}: ${this.#errors.trim()}`;
    const seconds = Math.round(this.#clock.seconds);
    const hunted = { id: this.#id, runs: this.#runs, seconds };
    if (found !== undefined) return { ...hunted, runs: found.runs, found };
    return this.#gaveUp === undefined ? hunted : { ...hunted, gaveUp: this.#gaveUp };
  }
}

function foundBy({ spec, outcome, finding }: SeedReport, runs: number): Found {
  const { key = '', text = '' } = finding ?? {};
  const check = outcome === 'violation' ? key.slice(0, key.indexOf(':')) : outcome;
  return { spec, outcome, check, text, ...countsOf(runs) };
}

function countsOf(runs: number): Pick<Found, 'runs' | 'seedsOfPlace'> {
  return { runs, seedsOfPlace: Math.ceil(runs / RUNS_OF_SEED) };
}
