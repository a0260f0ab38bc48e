import { SCENARIOS } from '../catalogue/index.ts';
import type { RunResult, Scenario } from '../engine/scenario.ts';
import { Unusable } from './image/io.ts';
import { type Exports, fileOf, isModulePath, lineIn, loadModule, moduleDigest } from './load-module.ts';

/**
 * The scenarios among which one of this name is: those of the catalogue, or, where the name is the path of a module, the one that it
 * exports, under its path. Whoever names the module trusts it, as it is run. Errors: `Unusable` where there is no such module, or none
 * that exports a scenario.
 */
export async function scenariosOf(name: string): Promise<readonly Scenario[]> {
  if (!isModulePath(name)) return SCENARIOS;
  const exported = scenarioIn(name, await loadModule(name));
  const module = moduleDigest(name);
  const run: Scenario['run'] = (request) => ({ ...placed(name, exported.run(request)), scenario: name, module });
  return [{ ...exported, name, run }];
}

/** What was thrown in a module is told with its line. */
function placed(path: string, result: RunResult): RunResult {
  const { failure } = result;
  if (failure === undefined) return result;
  const line = lineIn(failure.stack, fileOf(path));
  return line === undefined ? result : { ...result, failure: { ...failure, what: `${path}:${line}: ${failure.what}` } };
}

/** Whether a word names a scenario where a script may be meant as well: it is one of the catalogue, or called as modules are. */
export function isScenario(word: string): boolean {
  return /\.[cm]?[jt]s$/.test(word) || SCENARIOS.some(({ name }) => name === word);
}

function scenarioIn(path: string, exports: Exports): Scenario {
  if (!('default' in exports)) {
    const names = Object.keys(exports).join(', ');
    throw new Unusable(
      `${path}: has no default export${names && `, only ${names}`}; it needs \`export default story({ … })\``,
    );
  }
  const fault = scenarioFault(exports.default);
  if (fault !== undefined) throw new Unusable(`${path}: its default export is no scenario: ${fault}`);
  return exports.default as Scenario;
}

/** What keeps a value from being a scenario; `undefined`: nothing. */
function scenarioFault(value: unknown): string | undefined {
  if (typeof value === 'function') return 'it is a function; `story({ … })` makes one';
  if (typeof value !== 'object' || value === null) return `it is ${value === null ? 'null' : typeof value}`;
  const { name, story, settings, does, marks, run, tell } = value as Readonly<Record<string, unknown>>;
  if (typeof tell === 'function' && run === undefined) return 'it is the plan of one: call `story` with it';
  if (typeof name !== 'string') return '`name` is no text';
  if (typeof story !== 'string') return '`story` is no text';
  if (typeof settings !== 'object' || settings === null) return '`settings` are no object';
  for (const [key, each] of Object.entries({ does, marks, run }))
    if (typeof each !== 'function')
      return `\`${key}\` is no function; \`story({ … })\` and \`scenario({ … })\` make all of it`;
  return undefined;
}
