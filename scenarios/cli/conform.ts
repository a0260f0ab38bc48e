import { existsSync } from 'node:fs';
import { Driver } from '../drive/drive.ts';
import { formatAction } from '../drive/script.ts';
import { conform, type Outcome, type RunScript } from '../real/conform/conform.ts';
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
  const outcomes = await conform({
    daemon,
    compat,
    seeds: Array.from({ length: seeds.to - seeds.from + 1 }, (_, i) => String(seeds.from + i)),
    count: actions,
    liveUpdates: options.liveUpdates === true,
    liveUpdateEvery,
    runOurs: runOurs(compat, liveUpdateEvery),
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
  const count = (kind: Outcome['kind']) => outcomes.filter((one) => one.kind === kind).length;
  const died = count('died') > 0 ? `, in ${count('died')} the daemon died` : '';
  const known = new Map<string, number>();
  for (const one of outcomes)
    if (one.kind === 'same')
      for (const [name, times] of one.known ?? []) known.set(name, (known.get(name) ?? 0) + times);
  for (const [name, times] of [...known].sort((a, b) => b[1] - a[1]))
    print(`known (docs/daemons.md): ${name} ${times}\n`);
  print(`seeds ${seeds.from}..${seeds.to}, ${actions} actions each: ${count('different')} differ${died}\n`);
  return count('same') === outcomes.length ? 0 : 1;
}

function outcomeText(seed: string, outcome: Outcome): string {
  if (outcome.kind === 'same') return '';
  if (outcome.kind === 'died') return `seed ${seed}: ${outcome.reason.trimEnd()}\n`;
  const { script, daemon, ours } = outcome.difference;
  const lines = (title: string, text: readonly string[]) => `  ${title}\n${text.map((l) => `    ${l}\n`).join('')}`;
  return `seed ${seed} differs:\n${lines('script', script.map(formatAction))}${lines('daemon', daemon)}${lines('ours', ours)}`;
}

/** A script in the simulator, as `xenarium drive` runs it. */
export function runOurs(compat: '4.22' | '4.17', liveUpdateEvery = 0): RunScript {
  return (script) => {
    const driver = new Driver({ compat, seed: '1', liveUpdateEvery, format: compat === '4.17' ? 'v1' : 'v2' });
    return script.map((action) => driver.perform(action));
  };
}
