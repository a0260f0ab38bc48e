import { type Profiler, Session } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';

// Loaded before anything else of a thread that has to know which code a run executes: only what is compiled later is counted block
// by block.

/** Which parts of a module were executed how often, the inner ones behind those that they are in. */
export type Ranges = readonly Profiler.CoverageRange[];

// Calls of functions that V8 has optimized are not counted.
setFlagsFromString('--no-opt');
const session = new Session();
session.connect();
ask('Profiler.enable');
ask('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/** What was executed since it was asked for the last time: by URL. A function that was not, in one that was not, is not told of. */
export function takeCoverage(): ReadonlyMap<string, Ranges> {
  const { result } = ask('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
  return new Map(result.map(({ url, functions }) => [url, functions.flatMap(({ ranges }) => ranges).sort(outerFirst)]));
}

function outerFirst(a: Profiler.CoverageRange, b: Profiler.CoverageRange): number {
  return a.startOffset - b.startOffset || b.endOffset - a.endOffset;
}

/** Ask V8, which answers at once. */
function ask(method: string, params: object = {}): unknown {
  let answer: unknown;
  session.post(method, params, (error, result) => {
    if (error !== null) throw error;
    answer = result;
  });
  return answer;
}
