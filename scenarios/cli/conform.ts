import { existsSync } from 'node:fs';
import { conform, type RunScript } from '../conform/conform.ts';
import { whyNot } from '../conform/daemon.ts';
import { Driver } from '../drive/drive.ts';
import { formatAction } from '../drive/script.ts';

interface ConformOptions {
  readonly daemon: string;
  readonly compat: '4.22' | '4.17';
  readonly seeds: { readonly from: number; readonly to: number };
  readonly actions: number;
  readonly liveUpdates?: true;
}

/** Run seeded scripts on a real daemon and on ours, and print the shortest script of each difference. Exit 1: they differ. */
export async function conformCommand(options: ConformOptions): Promise<number> {
  const { daemon, compat, actions, seeds } = options;
  const reason = existsSync(daemon) ? await whyNot(daemon) : `${daemon}: no such file`;
  if (reason !== undefined) {
    process.stderr.write(`xenarium: ${reason}\n`);
    return 2;
  }
  const found = await conform({
    daemon,
    compat,
    seeds: Array.from({ length: seeds.to - seeds.from + 1 }, (_, i) => String(seeds.from + i)),
    count: actions,
    liveUpdates: options.liveUpdates === true,
    runOurs: runOurs(compat),
    onSeed: (seed, difference) => {
      if (difference === undefined) return;
      const lines = (title: string, text: readonly string[]) => `  ${title}\n${text.map((l) => `    ${l}\n`).join('')}`;
      process.stdout.write(
        `seed ${seed} differs:\n${lines('script', difference.script.map(formatAction))}${lines('daemon', difference.daemon)}${lines('ours', difference.ours)}`,
      );
    },
  });
  process.stdout.write(`seeds ${seeds.from}..${seeds.to}, ${actions} actions each: ${found.length} differ\n`);
  return found.length === 0 ? 0 : 1;
}

/** A script in the simulator, as `xenarium drive` runs it. */
export function runOurs(compat: '4.22' | '4.17'): RunScript {
  return (script) => {
    const driver = new Driver({ compat, seed: '1', liveUpdateEvery: 0, format: compat === '4.17' ? 'v1' : 'v2' });
    return script.map((action) => driver.perform(action));
  };
}
