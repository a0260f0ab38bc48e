import type { Cuts, Kept } from '../../guests/index.ts';
import { type Jitter, NO_JITTER } from '../../sim/index.ts';

/** How evenly virtual CPUs advance: as in life, with nobody absent for long, or each step as long as it says. */
export const PACES = ['lifelike', 'present', 'even'] as const;
export type Pace = (typeof PACES)[number];

/**
 * What of a run is left out, or put elsewhere, so that what fails in it is seen better. All that is not said is as the seed and
 * the settings have it.
 */
export interface RunCuts {
  /** By thread, which of its requests are made, counted from 0, and with at most how many octets of value: `0-3,7=12`. Threads that
   *  are not named make none. Left out: all make all. */
  readonly requests?: Readonly<Record<string, string>>;
  /** When the operator asks for each live update, virtual ns; left out: as drawn. */
  readonly updatesAtNs?: readonly number[];
  /** Left out: lifelike. */
  readonly pace?: Pace;
}

/** Who looks at the end of a run what there is: its requests belong to the judge, and none is ever left out. */
export const VERIFIER = 'dom0/verifier';

/** The requests of a thread as `RunCuts` tells them. Errors: undefined, if it does not read so. */
export function parseKept(text: string): ReadonlyMap<number, number> | undefined {
  const kept = new Map<number, number>();
  for (const part of text === '' ? [] : text.split(',')) {
    const found = /^(\d{1,9})(?:-(\d{1,9}))?(?:=(\d{1,5}))?$/.exec(part);
    if (found === null) return undefined;
    const [, from, to = from, valueMax] = found;
    for (let n = Number(from); n <= Number(to); n++)
      kept.set(n, valueMax === undefined ? Number.POSITIVE_INFINITY : Number(valueMax));
  }
  return kept;
}

/** The opposite: by request, ascending, how many octets of value it has at most. */
export function formatKept(kept: Iterable<readonly [request: number, valueMax: number]>): string {
  const parts: { from: number; to: number; valueMax: number }[] = [];
  for (const [n, valueMax] of kept) {
    const last = parts.at(-1);
    if (last !== undefined && last.to === n - 1 && last.valueMax === valueMax) last.to = n;
    else parts.push({ from: n, to: n, valueMax });
  }
  return parts
    .map(({ from, to, valueMax }) => {
      const value = valueMax === Number.POSITIVE_INFINITY ? '' : `=${valueMax}`;
      return `${from}${to > from ? `-${to}` : ''}${value}`;
    })
    .join(',');
}

/** What threads ask; `undefined`: nothing is left out. Throws for what no parser lets through. */
export function cutsOf({ requests }: RunCuts): Cuts | undefined {
  if (requests === undefined) return undefined;
  const byThread = new Map<string, ReadonlyMap<number, Kept>>();
  for (const [thread, text] of Object.entries(requests)) {
    const kept = parseKept(text);
    if (kept === undefined) throw new Error(`assertion: requests of ${thread}: ${text}`);
    byThread.set(thread, new Map([...kept].map(([n, valueMax]) => [n, { valueMax }])));
  }
  return {
    kept: (thread, request) =>
      thread === VERIFIER ? { valueMax: Number.POSITIVE_INFINITY } : byThread.get(thread)?.get(request),
  };
}

export function jitterOf(lifelike: Jitter, pace: Pace = 'lifelike'): Jitter {
  if (pace === 'even') return NO_JITTER;
  return pace === 'present' ? { ...lifelike, absentOneIn: 0 } : lifelike;
}
