import { FAULT_TAKERS, SCENARIOS } from '../catalogue/index.ts';
import { type Scenario, unhosted } from '../engine/scenario.ts';
import { parseSettings, type Settings } from '../engine/settings.ts';
import { DOINGS } from '../faults/doings.ts';
import { meant, Unusable } from './image/io.ts';
import { scenariosOf } from './scenarios-of.ts';

/** Scenarios in which a rule can strike, with their default settings. */
export function hostsOf(id: string): string[] {
  return FAULT_TAKERS.filter((each) => unhosted(each.does({}), { faults: id }).length === 0).map((each) => each.name);
}

/** The scenario and the settings that were asked for. `commands`: what may have been meant in place of a scenario. Errors: Unusable. */
export async function prepare(
  name: string,
  set: readonly string[],
  commands: readonly string[] = [],
): Promise<{ readonly scenario: Scenario; readonly settings: Settings }> {
  const scenario = (await scenariosOf(name)).find((each) => each.name === name);
  if (scenario === undefined) {
    const names = [...SCENARIOS.map((each) => each.name), ...commands];
    throw new Unusable(
      `no scenario '${name}'${meant(name, names)}; xenarium list names them, and a path, as ./mine.ts, is that of a module`,
    );
  }
  const parsed = parseSettings(name, scenario.settings, set);
  if (!parsed.ok) throw new Unusable(`--set ${parsed.reason}${meant(parsed.given, parsed.known)}`);
  const [strange] = unhosted(scenario.does(parsed.settings), parsed.settings);
  if (strange !== undefined) {
    const needs = strange.lacks.map((doing) => DOINGS[doing]).join('; ');
    const others = hostsOf(strange.id).join(', ');
    throw new Unusable(
      `--set faults=${parsed.settings.faults}: ${strange.id} never strikes in ${name} with these settings. It needs ${needs}; with their defaults, ${others} have that`,
    );
  }
  return { scenario, settings: parsed.settings };
}
