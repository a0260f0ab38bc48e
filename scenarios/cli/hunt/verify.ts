import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { Comparison, divergenceText } from '../../hunt/divergence.ts';
import { CHECKPOINT_EVERY, firstDifference, type LoggedEvent } from '../../hunt/event-log.ts';
import type { RunSpec } from '../../hunt/spec.ts';
import { isToken } from '../../hunt/token.ts';
import { daemonOf, formatFor, prepareFor } from '../daemon.ts';
import { labOf } from '../lab-of.ts';
import { isModulePath, moduleDigest } from '../load-module.ts';
import { EXIT_OF } from '../run.ts';
import { print } from '../terminal/output.ts';
import { namedRun } from './ticket.ts';

/** What a process of its own is asked for. */
export interface VerifyRequest {
  readonly spec: RunSpec;
  /** Events that are to be written down one by one; left out: checkpoints. */
  readonly range?: { readonly from: number; readonly to: number };
}

export interface VerifyAnswer {
  readonly digest: string;
  readonly count: number;
  readonly checkpoints: readonly string[];
  readonly events: readonly LoggedEvent[];
}

/** Two hosts as unlike as one machine can be: language, time zone, and how the engine hashes and compiles. */
const HOSTS = [
  { name: 'first process', env: { TZ: 'UTC', LC_ALL: 'C' }, flags: ['--hash-seed=1'] },
  {
    name: 'second process',
    env: { TZ: 'Asia/Kathmandu', LC_ALL: 'tr_TR.UTF-8' },
    flags: ['--hash-seed=2', '--no-opt'],
  },
] as const;

/**
 * Run a spec in two processes and compare all events, by their digests at checkpoints; where they differ, both run again from there
 * and the first event that differs is told. @returns 0: they are the same; 2: they are not. Errors: rejects if a process dies.
 */
async function verifySpec(spec: RunSpec): Promise<number> {
  const [a, b] = await both({ spec });
  const at = firstDifference([...a.checkpoints, a.digest], [...b.checkpoints, b.digest]);
  if (at === undefined) {
    print(
      `${spec.scenario} seed ${spec.seed}: the same in two processes: ${a.count} events, ${a.checkpoints.length} checkpoints, digest ${a.digest}\n`,
    );
    return EXIT_OF.pass;
  }
  const from = Math.max(0, at - 1) * CHECKPOINT_EVERY;
  const [left, right] = await both({ spec, range: { from, to: from + 2 * CHECKPOINT_EVERY } });
  const comparison = new Comparison(left.events);
  for (const event of right.events) comparison.add(event);
  const parted = comparison.result();
  print(`${spec.scenario} seed ${spec.seed}: two processes differ: digests ${a.digest} and ${b.digest}\n`);
  print(
    parted === undefined
      ? '  and not once they were watched\n'
      : divergenceText(parted, [HOSTS[0].name, HOSTS[1].name]),
  );
  print(
    '  something asks the host: its time, its chance, an order of its own; or state is left from one run to the next\n',
  );
  return EXIT_OF.error;
}

async function both(request: VerifyRequest): Promise<readonly [VerifyAnswer, VerifyAnswer]> {
  const [first, second] = HOSTS;
  return [await inProcess(request, first), await inProcess(request, second)];
}

function inProcess(request: VerifyRequest, { env, flags }: (typeof HOSTS)[number]): Promise<VerifyAnswer> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./verify-child.js', import.meta.url), {
      env: { ...process.env, ...env },
      execArgv: [...process.execArgv, ...flags],
    });
    let answer: VerifyAnswer | undefined;
    child.on('message', (message) => {
      answer = message as VerifyAnswer;
      child.disconnect();
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (answer === undefined) reject(new Error(`a process that was to run the scenario ended with ${code}`));
      else resolve(answer);
    });
    child.send(request);
  });
}

interface VerifyOptions {
  readonly seed: string;
  readonly format?: string;
  readonly daemon?: string;
  readonly daemonNext?: string;
  readonly all?: true;
  readonly set: readonly string[];
}

/** `name`: of a scenario, or what names a run. Errors: Unusable. */
export async function verifyCommand(name: string, options: VerifyOptions): Promise<number> {
  const { seed, set } = options;
  if (isToken(name) || (existsSync(name) && !isModulePath(basename(name))))
    return verifySpec((await namedRun(name, options.daemon)).ticket.spec);
  const daemon = daemonOf(options);
  const { scenario, settings } = await prepareFor(daemon, name, set);
  const format = formatFor(daemon, options.format);
  await labOf(format); // whether it can be loaded: processes load their own
  const module = isModulePath(name) ? moduleDigest(name) : undefined;
  return verifySpec({
    scenario: scenario.name,
    ...(module && { module }),
    seed,
    format,
    settings,
    ...(daemon && { daemon: daemon.named }),
  });
}
