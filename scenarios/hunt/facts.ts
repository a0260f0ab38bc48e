import { type Tear, text, XS } from '../../guests/index.ts';
import { VERIFIER } from '../engine/cuts.ts';
import type { RunOutcome, RunResult } from '../engine/scenario.ts';
import type { History } from '../judge/history.ts';
import { causedAt, violationsOf } from '../report/cause.ts';
import { historiesOf, historyOf } from '../report/histories.ts';
import { type Signature, signaturesOf } from './signature.ts';
import type { RunExtras, Runner, RunSpec } from './spec.ts';

/** One request that went out. */
export interface MadeRequest {
  readonly thread: string;
  /** Its number among those of its thread. */
  readonly request: number;
  readonly atNs: number;
  readonly type: number;
  /** Its first strings: a path, mostly. */
  readonly about: string;
  /** Octets of value that it writes. */
  readonly valueBytes: number;
  /** How it was torn on its way into the ring. */
  readonly tears: readonly Tear[];
  /** Whether nobody relies on what its thread asks. */
  readonly isFree: boolean;
}

/** What is kept of a run that was tried: plain data, for whoever reduces it. */
export interface RunFacts {
  readonly outcome: RunOutcome;
  /** What failed; what came first at first. */
  readonly signatures: readonly Signature[];
  /** Who missed something first, and when that was certain, virtual ns; '' where nobody in particular. */
  readonly actor: string;
  readonly failedNs: number;
  /** When it was caused, as far as its message tells. */
  readonly causedNs: number | undefined;
  readonly digest: string;
  readonly events: number;
  readonly virtualNs: number;
  /** In the order in which they went out, without those of the last reading. */
  readonly made: readonly MadeRequest[];
  /** When images were written that came to something, or to nothing, virtual ns. */
  readonly updatesNs: readonly number[];
  /** When the store took or gave octets, each moment once, virtual ns. */
  readonly movesNs: readonly number[];
  /** Faults that struck. */
  readonly faults: readonly string[];
  /** Ids of domains that had a ring, by name: one that was restored has had several. */
  readonly domids: Readonly<Record<string, readonly number[]>>;
}

/** How many octets of a request are kept to tell what it is about. */
const ABOUT_MAX = 200;

/** Run a spec and keep the facts. Errors: none; those of a run are outcomes. */
export function tryRun(runner: Runner, spec: RunSpec, extras: RunExtras = {}): RunFacts {
  return tryWhole(runner, spec, extras).facts;
}

/** As tryRun, with everything that the run came to. */
export function tryWhole(
  runner: Runner,
  spec: RunSpec,
  extras: RunExtras = {},
): { readonly facts: RunFacts; readonly result: RunResult } {
  const made: MadeRequest[] = [];
  const tears = new Map<string, Tear[]>();
  const result = runner(spec, {
    ...extras,
    requestNoted: ({ thread, isFree, request, atNs, type, payload }) => {
      const about = text(payload.subarray(0, ABOUT_MAX));
      const valueBytes = type === XS.WRITE ? payload.length - payload.indexOf(0) - 1 : 0;
      const torn: Tear[] = [];
      tears.set(`${thread} ${request}`, torn);
      made.push({ thread, request, atNs, type, about, valueBytes, tears: torn, isFree });
    },
    tearNoted: (thread, request, tear) => tears.get(`${thread} ${request}`)?.push(tear),
  });
  return { facts: factsOf(result, made), result };
}

function factsOf(result: RunResult, made: readonly MadeRequest[]): RunFacts {
  const { outcome, digest, traceEvents, virtualNs, updates, faults = [] } = result;
  const [first] = violationsOf(result);
  const histories = historiesOf(result).map(({ history }) => history);
  const caused = first === undefined ? undefined : causedAt(first);
  const epochs = histories.flatMap((history) => history.epochs);
  const domids: Record<string, number[]> = {};
  for (const { name, domid } of epochs) {
    domids[name] ??= [];
    const known = domids[name];
    if (!known.includes(domid)) known.push(domid);
  }
  return {
    outcome,
    signatures: signaturesOf(result),
    actor: first?.actor ?? result.failure?.actor ?? result.waits?.[0]?.who ?? '',
    failedNs: first?.timeNs ?? virtualNs,
    causedNs:
      caused === undefined || first === undefined ? undefined : historyOf(result, first)?.records[caused]?.timeNs,
    digest,
    events: traceEvents,
    virtualNs,
    made: made.filter(({ thread }) => thread !== VERIFIER),
    updatesNs: updates.map(({ atNs }) => atNs),
    movesNs: movesOf(histories),
    faults: faults.flatMap(({ id, injected }) => (injected > 0 ? [id] : [])),
    domids,
  };
}

function movesOf(histories: readonly History[]): number[] {
  const moments = new Set<number>();
  for (const record of histories.flatMap(({ records }) => records)) {
    const { kind } = record;
    if ((kind === 'consume' && record.dir === 'req') || (kind === 'publish' && record.dir === 'rsp'))
      moments.add(record.timeNs);
  }
  return [...moments];
}

/** Whether a run fails as another does: what came first there came to pass here, too. */
export function failsLike({ signatures }: Pick<RunFacts, 'signatures'>, kin: string): boolean {
  return signatures.some((each) => each.kin === kin);
}
