import type { Scenario } from '../engine/scenario.ts';
import type { Settings } from '../engine/settings.ts';
import { FAULT_RULES } from '../faults/catalogue.ts';
import { namedIn } from '../faults/choice.ts';
import { RealDaemon } from '../real/lockstep/daemon.ts';
import { Unusable } from './image/io.ts';
import { prepare } from './prepare.ts';

/** The daemon that is to serve; `undefined`: that of this package. Errors: Unusable. */
export function daemonOf(options: {
  readonly daemon?: string;
  readonly daemonNext?: string;
  readonly all?: boolean;
}): RealDaemon | undefined {
  const { daemon, daemonNext, all } = options;
  if (daemon === undefined) {
    if (daemonNext !== undefined) throw new Unusable('--daemon-next: there is no --daemon to be updated');
    return undefined;
  }
  try {
    return new RealDaemon({ binary: daemon, successor: daemonNext, all });
  } catch (error) {
    throw new Unusable(`--daemon: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The format of updates: a real daemon has its own. Errors: Unusable. */
export function formatFor(daemon: RealDaemon | undefined, format: string | undefined): string {
  const own = daemon?.traits.format;
  if (own === undefined) return format ?? 'v2';
  if (format !== undefined && format !== own)
    throw new Unusable(`--format ${format}: this daemon updates itself through images of its own, of ${own}`);
  return own;
}

/** As `prepare`; what a real daemon has no choice in is set as it is. Errors: Unusable. */
export async function prepareFor(
  daemon: RealDaemon | undefined,
  name: string,
  set: readonly string[],
  commands: readonly string[] = [],
): Promise<{ readonly scenario: Scenario; readonly settings: Settings }> {
  const prepared = await prepare(name, set, commands);
  if (daemon === undefined) return prepared;
  const { scenario, settings } = prepared;
  if (scenario.oursAlone !== undefined)
    throw new Unusable(
      `--daemon: ${scenario.name} needs a store that ${scenario.oursAlone}, which no released daemon does`,
    );
  if (settings.store === 'stubdom')
    throw new Unusable('--set store=stubdom: a daemon that runs on Linux is one of dom0');
  const named = namedIn(String(settings.faults ?? 'off'));
  const strange = FAULT_RULES.find(({ id, needs = [] }) => named.includes(id) && needs.includes('ours'));
  if (strange !== undefined)
    throw new Unusable(`--set faults=${settings.faults}: ${strange.id} strikes this package's own store alone`);
  const fixed = Object.entries({ policy: 'daemon', limit: 1 }).filter(([key]) => key in scenario.settings);
  return { scenario, settings: { ...settings, ...Object.fromEntries(fixed) } };
}
