import { existsSync } from 'node:fs';
import { Driver } from '../drive/drive.ts';
import { formatAction } from '../drive/script.ts';
import { conform, type Outcome, type RunScript } from '../real/conform/conform.ts';
import { DaemonNotStarted } from '../real/conform/daemon.ts';
import { deathText } from '../real/conform/deaths.ts';
import { OXENSTORED } from '../real/conform/known.ts';
import { isOcaml, whyNot } from '../real/conform/standin.ts';
import { Progress } from './progress.ts';
import { print, say } from './terminal/output.ts';

interface ConformOptions {
  readonly daemon: string;
  readonly compat: '4.22' | '4.17';
  readonly seeds: { readonly from: number; readonly to: number };
  readonly actions: number;
  readonly liveUpdates?: true;
  readonly liveUpdateEvery: number;
  readonly all?: true;
}

/** Run seeded scripts on a real daemon and on ours, and print the shortest script of each difference. Exit 1: they differ. */
export async function conformCommand(options: ConformOptions): Promise<number> {
  const { daemon, compat, actions, seeds, liveUpdateEvery } = options;
  const reason = existsSync(daemon) ? await whyNot(daemon) : `${daemon}: no such file`;
  if (reason !== undefined) {
    say(reason);
    return 2;
  }
  const progress = new Progress();
  const all = seeds.to - seeds.from + 1;
  let compared = 0;
  const outcomes = await started({
    daemon,
    compat,
    seeds: Array.from({ length: seeds.to - seeds.from + 1 }, (_, i) => String(seeds.from + i)),
    count: actions,
    liveUpdates: options.liveUpdates === true,
    liveUpdateEvery,
    all: options.all === true,
    runOurs: runOurs(compat),
    ...(isOcaml(daemon) ? { known: OXENSTORED } : {}),
    onSeed: (seed, outcome) => {
      compared++;
      const text = outcomeText(seed, outcome);
      if (text !== '') {
        progress.clear();
        print(text);
      }
      progress.at(() => `${compared}/${all} scripts`);
    },
  });
  progress.clear();
  if (outcomes === undefined) return 2;
  const count = (kind: Outcome['kind']) => outcomes.filter((one) => one.kind === kind).length;
  const deaths = outcomes.filter((one) => one.kind === 'died');
  const unknown = deaths.filter((one) => one.known === undefined).length;
  const died = deaths.length > 0 ? `, in ${deaths.length} the daemon died (${unknown} for an unknown reason)` : '';
  const known = new Map<string, number>();
  const add = (name: string, times: number) => known.set(name, (known.get(name) ?? 0) + times);
  for (const one of outcomes) {
    if (one.kind === 'same') for (const [name, times] of one.known ?? []) add(name, times);
    if (one.kind === 'died' && one.known !== undefined) add(one.known, 1);
  }
  for (const [name, times] of [...known].sort((a, b) => b[1] - a[1]))
    print(`known (docs/daemons.md): ${name} ${times}\n`);
  print(`seeds ${seeds.from}..${seeds.to}, ${actions} actions each: ${count('different')} differ${died}\n`);
  return count('different') + unknown === 0 ? 0 : 1;
}

/** Compare; `undefined`, with a message, when what was named is no daemon. */
async function started(options: Parameters<typeof conform>[0]): Promise<readonly Outcome[] | undefined> {
  try {
    return await conform(options);
  } catch (error) {
    if (!(error instanceof DaemonNotStarted)) throw error;
    say(error.message);
    return undefined;
  }
}

function outcomeText(seed: string, outcome: Outcome): string {
  if (outcome.kind === 'same') return '';
  const lines = (title: string, text: readonly string[]) => `  ${title}\n${text.map((l) => `    ${l}\n`).join('')}`;
  if (outcome.kind === 'died') {
    const { script, death } = outcome.ended;
    const label = outcome.known === undefined ? '' : ` (known: ${outcome.known})`;
    return `seed ${seed}: the daemon dies${label}:\n${lines('script', script.map(formatAction))}${lines('end', [deathText(death)])}`;
  }
  const { script, daemon, ours } = outcome.difference;
  return `seed ${seed} differs:\n${lines('script', script.map(formatAction))}${lines('daemon', daemon)}${lines('ours', ours)}`;
}

/** A script in the simulator, as `xenarium drive` runs it. */
export function runOurs(compat: '4.22' | '4.17'): RunScript {
  return (script, liveUpdateEvery) => {
    const driver = new Driver({ compat, seed: '1', liveUpdateEvery, format: compat === '4.17' ? 'v1' : 'v2' });
    return script.map((action) => driver.perform(action));
  };
}
