import { formatOf, LAB_FORMATS } from '../../store/format/model/index.ts';
import { SCENARIOS } from '../catalogue/index.ts';
import { formatAsk, parseAsk } from '../engine/asks.ts';
import { parseSettings } from '../engine/settings.ts';
import { type RunSpec, runnerOf, specOf } from '../hunt/spec.ts';
import { formatToken, type Parsed, parseToken } from '../hunt/token.ts';
import { pageDataOf } from '../report/page/page-data.ts';
import { replayLine } from '../report/text.ts';
import type { Told, Wanted, WantedRun } from './messages.ts';

/** Images of the daemon's own. */
const OWN_FORMATS = ['v1', 'v2'];

/**
 * The simulator behind the page: answers what the page wants. It is the one of the command line, and needs nothing of the host.
 * @param version of the package, for tokens. @param tell gets progress, and the answer last.
 */
export function answer(wanted: Wanted, version: string, tell: (told: Told) => void): void {
  if (wanted.kind === 'catalogue') {
    const scenarios = SCENARIOS.map(({ name, story, settings }) => ({ name, story, settings }));
    const formats = [...OWN_FORMATS, ...LAB_FORMATS.map(({ name }) => name)];
    return tell({ kind: 'catalogue', scenarios, formats, version });
  }
  const spec = wanted.kind === 'run' ? specFor(wanted.run) : specIn(wanted.token);
  if (!spec.ok) return tell({ kind: 'refused', reason: spec.reason });
  tell(made(spec.value, version, (virtualNs, requests) => tell({ kind: 'progress', virtualNs, requests })));
}

/** What was filled in, as a spec. Errors: a reason. */
function specFor({ scenario: name, seed, format, settings, asks }: WantedRun): Parsed<RunSpec> {
  const scenario = SCENARIOS.find((each) => each.name === name);
  if (scenario === undefined) return refused(`there is no scenario '${name}'`);
  if (!/^(0|[1-9][0-9]{0,17})$/.test(seed)) return refused(`a seed is decimal digits, not '${seed}'`);
  if (!isFormat(format)) return refused(`there is no format '${format}'`);
  const parsed = parseSettings(name, scenario.settings, settings);
  if (!parsed.ok) return refused(parsed.reason);
  const cuts = asks.length === 0 ? {} : { cuts: { asks: asks.map(formatAsk) } };
  return { ok: true, value: { scenario: name, seed, format, settings: parsed.settings, ...cuts } };
}

/** Errors: a reason, also for runs that a browser cannot make. */
function specIn(token: string): Parsed<RunSpec> {
  const parsed = parseToken(token, SCENARIOS);
  if (!parsed.ok) return parsed;
  const { spec } = parsed.value;
  if (spec.daemon !== undefined) return refused(`it was served by ${spec.daemon.binary}, which does not run here`);
  if (spec.module !== undefined) return refused(`it is of a module of somebody's own, ${spec.scenario}`);
  return isFormat(spec.format) ? { ok: true, value: spec } : refused(`there is no format '${spec.format}' here`);
}

function isFormat(name: string): boolean {
  return OWN_FORMATS.includes(name) || formatOf(name) !== undefined;
}

function refused(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

function made(spec: RunSpec, version: string, progress: (virtualNs: number, requests: number) => void): Told {
  const lab = OWN_FORMATS.includes(spec.format) ? undefined : formatOf(spec.format);
  const result = runnerOf(SCENARIOS, { lab })(spec, {
    looked: ({ virtualNs, requests }) => progress(virtualNs, requests),
  });
  const { scenario, seed, format, settings, outcome, digest, traceEvents } = result;
  const asked = spec.cuts?.asks ?? [];
  const token = formatToken({ spec: specOf(result), version, digest, events: traceEvents }, SCENARIOS);
  const does = SCENARIOS.find(({ name }) => name === scenario)?.does(settings) ?? [];
  return {
    kind: 'done',
    page: pageDataOf(result, { token }),
    scenario,
    seed,
    format,
    settings,
    asks: asked.flatMap((word) => parseAsk(word) ?? []),
    asked,
    outcome,
    digest,
    token,
    line: replayLine(result, 'xenarium', token),
    mayBreak: does.includes('spares'),
  };
}
