import type { Cuts, Kept, Tear } from '../../guests/index.ts';
import { type Jitter, NO_JITTER } from '../../sim/index.ts';

/** How evenly virtual CPUs advance: as in life, with nobody absent for long, or each step as long as it says. */
export const PACES = ['lifelike', 'present', 'even'] as const;
export type Pace = (typeof PACES)[number];

/**
 * What of a run is left out, put elsewhere, or asked for beside, so that what fails in it is seen better. All that is not said is
 * as the seed and the settings have it.
 */
export interface RunCuts {
  /** By thread, which of its requests are made, counted from 0, at what virtual ns at the earliest, and with at most how many octets
   *  of value: `3@120500,7@130000=12`; behind `~` how a chunk of it is torn: octets before it, of it, of its first part, and for how
   *  many ns its writer is absent behind that, and behind the index. Threads that are not named make none, or, with `*` as the name of
   *  one and `@` with the end of the traffic in virtual ns, all. Left out: all make all. */
  readonly requests?: Readonly<Record<string, string>>;
  /** When the operator asks for each live update, virtual ns; left out: as drawn. */
  readonly updatesAtNs?: readonly number[];
  /** Left out: lifelike. */
  readonly pace?: Pace;
  /** What toolstacks make: domains with nothing but a ring and a home; left out: all that libxl makes. */
  readonly domains?: 'bare';
  /** What somebody asks for beside the scenario, as `Ask` tells it; left out: nobody asks for anything. */
  readonly asks?: readonly string[];
}

/** Who looks at the end of a run what there is: its requests belong to the judge, and none is ever left out. */
export const VERIFIER = 'dom0/verifier';

/** So long after the last request that is kept, traffic stops, virtual ns. */
export const LINGER_NS = 3_000_000;

const WHOLE = Number.POSITIVE_INFINITY;

/** The name that stands for all threads that have none, and what all of their requests are. */
export const REST = '*';
const ALL: Kept = { atNs: 0, valueMax: WHOLE, tears: undefined };

/** When traffic stops that threads go on with that are not named; undefined: this is no entry for those. */
export function parseRest(thread: string, text: string): number | undefined {
  const found = thread === REST ? /^@(\d{1,15})$/.exec(text) : null;
  return found === null ? undefined : Number(found[1]);
}

/** The requests of a thread as `RunCuts` tells them. Errors: undefined, if it does not read so. */
export function parseKept(text: string): ReadonlyMap<number, Kept> | undefined {
  const kept = new Map<number, Kept>();
  for (const part of text === '' ? [] : text.split(',')) {
    const found = /^(\d{1,9})@(\d{1,15})(?:=(\d{1,5}))?((?:~\d{1,9}(?:\.\d{1,9}){4})*)$/.exec(part);
    if (found === null) return undefined;
    const [, request, atNs, valueMax, torn = ''] = found;
    kept.set(Number(request), {
      atNs: Number(atNs),
      valueMax: valueMax === undefined ? WHOLE : Number(valueMax),
      tears: torn.split('~').slice(1).map(parseTear),
    });
  }
  return kept;
}

function parseTear(text: string): Tear {
  const [at = 0, octets = 0, first = 0, copyNs = 0, storeNs = 0] = text.split('.').map(Number);
  return { at, octets, first, copyNs, storeNs };
}

/** The opposite. */
export function formatKept(kept: Iterable<readonly [request: number, kept: Kept]>): string {
  return [...kept]
    .map(([request, { atNs, valueMax, tears = [] }]) => {
      const value = valueMax === WHOLE ? '' : `=${valueMax}`;
      return `${request}@${atNs}${value}${tears.map(formatTear).join('')}`;
    })
    .join(',');
}

function formatTear({ at, octets, first, copyNs, storeNs }: Tear): string {
  return `~${[at, octets, first, copyNs, storeNs].join('.')}`;
}

/** What threads ask, and when the last of all is made; `undefined`: nothing is left out. Throws for what no parser lets through. */
export function cutsOf({ requests }: RunCuts): (Cuts & { readonly endNs: number }) | undefined {
  if (requests === undefined) return undefined;
  const byThread = new Map<string, ReadonlyMap<number, Kept>>();
  const lastKept = new Map<string, number>();
  let endNs = 0;
  let rest: Kept | undefined;
  for (const [thread, text] of Object.entries(requests)) {
    const restNs = parseRest(thread, text);
    if (restNs !== undefined) {
      rest = ALL;
      endNs = Math.max(endNs, restNs);
      continue;
    }
    const kept = parseKept(text);
    if (kept === undefined) throw new Error(`assertion: requests of ${thread}: ${text}`);
    byThread.set(thread, kept);
    for (const [request, { atNs }] of kept) {
      endNs = Math.max(endNs, atNs);
      lastKept.set(thread, Math.max(request, lastKept.get(thread) ?? -1));
    }
  }
  return {
    kept: (thread, request) => {
      if (thread === VERIFIER) return ALL;
      const kept = byThread.get(thread);
      return kept === undefined ? rest : kept.get(request);
    },
    lastKept: (thread) => lastKept.get(thread) ?? -1,
    endNs,
  };
}

export function jitterOf(lifelike: Jitter, pace: Pace = 'lifelike'): Jitter {
  if (pace === 'even') return NO_JITTER;
  return pace === 'present' ? { ...lifelike, absentOneIn: 0 } : lifelike;
}
