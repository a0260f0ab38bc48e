import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bootStorm } from '../../scenarios/catalogue/boot-storm.ts';
import { liveUpdateMidTraffic } from '../../scenarios/catalogue/live-update-mid-traffic.ts';
import { userSeconds } from './user-time.ts';

const ROUNDS = 5;

/** What recording and judging cost in the headline with 16 guests and one update: user time, by turns, the best of each. */
export interface JudgedHeadline {
  readonly requests: number;
  readonly unobservedSeconds: number;
  readonly judgedSeconds: number;
}

export function judgedHeadline(): JudgedHeadline {
  const settings = { domains: 16, updates: 1, requests: 20_000 };
  let requests = 0;
  const run = (checks: boolean) => () => {
    ({ requests } = liveUpdateMidTraffic.run({ seed: '1', format: 'v2', settings, checks }));
  };
  const best = { unobserved: Number.POSITIVE_INFINITY, judged: Number.POSITIVE_INFINITY };
  for (let i = 0; i <= ROUNDS; i++) {
    const unobserved = userSeconds(run(false));
    const judged = userSeconds(run(true));
    if (i === 0) continue; // to warm up
    best.unobserved = Math.min(best.unobserved, unobserved);
    best.judged = Math.min(best.judged, judged);
  }
  return { requests, unobservedSeconds: best.unobserved, judgedSeconds: best.judged };
}

/** One judged run alone in a process: its user time, and the most memory that the process had. */
export interface Alone {
  readonly requests: number;
  readonly seconds: number;
  readonly mebibytes: number;
}

/** Called in a process of its own, by `alone`. */
export function judgedBootStorm(): Alone {
  return measured(() => bootStorm.run({ seed: '1', format: 'v2', settings: defaultsOf(bootStorm), checks: true }));
}

/** The same of a long run of the headline. */
export function judgedLongRun(requests: number): Alone {
  const settings = { ...defaultsOf(liveUpdateMidTraffic), requests };
  return measured(() => liveUpdateMidTraffic.run({ seed: '1', format: 'v2', settings, checks: true }));
}

function defaultsOf({ settings }: typeof bootStorm): Record<string, string | number> {
  return Object.fromEntries(Object.entries(settings).map(([key, spec]) => [key, spec.default]));
}

function measured(run: () => { readonly requests: number }): Alone {
  let requests = 0;
  const seconds = userSeconds(() => {
    ({ requests } = run());
  });
  return { requests, seconds, mebibytes: process.resourceUsage().maxRSS / 1024 };
}

/** Call one of the functions above in a new process. */
export function alone(call: string): Alone {
  const program = `import('${join(import.meta.dirname, 'judging.js')}').then((m) => console.log(JSON.stringify(m.${call})))`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Alone;
}

/** Seconds from the start to the end of a program, the least of some by turns. */
export function startSeconds(programs: readonly (readonly string[])[], rounds = 10): readonly number[] {
  const best = programs.map(() => Number.POSITIVE_INFINITY);
  for (let i = 0; i < rounds; i++)
    for (const [at, args] of programs.entries()) {
      const from = process.hrtime.bigint();
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
      best[at] = Math.min(best[at] as number, Number(process.hrtime.bigint() - from) / 1e9);
    }
  return best;
}
