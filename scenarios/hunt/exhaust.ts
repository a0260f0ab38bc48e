import { formatAsk } from '../engine/asks.ts';
import type { RunFacts } from './facts.ts';
import type { RunSpec } from './spec.ts';

/** A run in which somebody asks for one live update more, at this moment, virtual ns. */
export interface Placement {
  readonly atNs: number;
  readonly spec: RunSpec;
}

/** What became of it. */
export interface Placed extends Placement {
  readonly facts: RunFacts;
}

/**
 * One live update at every step of a run: between any two moves of the store. What the store is when its image is written follows from
 * the moves before it, so that all other moments are like one of these. Up to where the update is asked for the run is as it was;
 * whoever asks takes a few steps until the image is written, and others move meanwhile: a gap that no image fell into is aimed at once
 * more, by as much earlier as it took in the run that came nearest.
 */
export class UpdatePlaces {
  readonly #spec: RunSpec;
  readonly #base: RunFacts;
  /** When the store took or gave octets, ascending, virtual ns. */
  readonly #movesNs: readonly number[];
  /** Gaps into which an image fell, by the number of moves before them. */
  readonly #met = new Set<number>();
  #refused = 0;

  /** @param base what became of the run without it. */
  constructor(spec: RunSpec, base: RunFacts) {
    this.#spec = spec;
    this.#base = base;
    this.#movesNs = [...new Set(base.movesNs)].sort((a, b) => a - b);
  }

  /** Between two moves of the store, before the first, and behind the last. */
  get gaps(): number {
    return this.#movesNs.length + 1;
  }

  get gapsMet(): number {
    return this.#met.size;
  }

  /** Updates of which there was no image: the daemon would not. */
  get refused(): number {
    return this.#refused;
  }

  /** One right behind each move. */
  all(): Placement[] {
    return [0, ...this.#movesNs].map((ns) => this.#at(ns + 1));
  }

  /** Once more, for the gaps that none of these fell into. */
  missed(placed: readonly Placed[]): Placement[] {
    const tried = new Set(placed.map(({ atNs }) => atNs));
    const hits = placed.flatMap((one) => {
      const imageNs = this.imageOf(one);
      return imageNs === undefined ? [] : [{ imageNs, latencyNs: imageNs - one.atNs }];
    });
    const places: Placement[] = [];
    for (let gap = 0; gap < this.gaps; gap++) {
      if (this.#met.has(gap)) continue;
      const ns = gap === 0 ? 0 : (this.#movesNs[gap - 1] as number);
      const near = nearest(hits, ns);
      if (near === undefined) continue;
      const atNs = Math.max(0, ns + 1 - near.latencyNs);
      if (tried.has(atNs)) continue;
      tried.add(atNs);
      places.push(this.#at(atNs));
    }
    return places;
  }

  /** Take in what became of one. */
  add(placed: Placed): void {
    const imageNs = this.imageOf(placed);
    if (imageNs === undefined) this.#refused++;
    else this.#met.add(this.#movesBefore(imageNs));
  }

  /** When the image was written that was asked for; `undefined`: none was. */
  imageOf({ atNs, facts }: Placed): number | undefined {
    return facts.updatesNs.find((ns) => ns >= atNs && !this.#base.updatesNs.includes(ns));
  }

  #at(atNs: number): Placement {
    const { cuts } = this.#spec;
    const asks = [...(cuts?.asks ?? []), formatAsk({ kind: 'update', atNs, host: 0 })];
    return { atNs, spec: { ...this.#spec, cuts: { ...cuts, asks } } };
  }

  #movesBefore(ns: number): number {
    let [low, high] = [0, this.#movesNs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#movesNs[middle] as number) < ns) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function nearest<T extends { readonly imageNs: number }>(hits: readonly T[], ns: number): T | undefined {
  return hits.reduce<T | undefined>(
    (best, hit) => (best === undefined || Math.abs(hit.imageNs - ns) < Math.abs(best.imageNs - ns) ? hit : best),
    undefined,
  );
}
