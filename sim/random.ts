import seedrandom from 'seedrandom';

/** A named stream of pseudo-random draws; integers only, so that no engine's floating point can matter. */
export interface Stream {
  /** Uniform in 0 .. bound-1; bound 1 .. 2^32. */
  below(bound: number): number;
  /** Uniform in min .. max, both included. */
  between(min: number, max: number): number;
  /** True in one of `n` draws on average. */
  oneIn(n: number): boolean;
  /** True in `num` of `den` draws on average. */
  chance(num: number, den: number): boolean;
  /** One of the items; the list must not be empty. */
  pick<T>(items: readonly T[]): T;
  /** 32 raw bits, unsigned. */
  bits(): number;
}

/** Streams of one run. Each actor and each purpose has its own name, so that adding one moves no other's draws. */
export class Streams {
  readonly #seed: string;
  readonly #prefix: string;

  /** @param seed decimal digits; the run's name for all its randomness. */
  constructor(seed: string, prefix = '') {
    this.#seed = seed;
    this.#prefix = prefix;
  }

  /** Streams that bear a further host's name before their own, so that its draws move nobody else's. */
  ofHost(name: string): Streams {
    return new Streams(this.#seed, `${name}:`);
  }

  /** The stream of that name from its beginning. Names are unique within a run by convention of the caller. */
  for(name: string): Stream {
    // The NUL ends the key: '1' and '11' must not be prefixes of one another inside the generator's hash.
    return new NamedStream(`${this.#seed}/${this.#prefix}${name}\0`);
  }
}

/** A stream that is begun when somebody draws: most threads never do, and each of them has one. */
class NamedStream implements Stream {
  readonly #key: string;
  #draw: { int32(): number } | undefined = undefined;

  constructor(key: string) {
    this.#key = key;
  }

  bits(): number {
    this.#draw ??= seedrandom.alea(this.#key);
    return this.#draw.int32() >>> 0;
  }

  below(bound: number): number {
    if (!(bound >= 1 && bound <= 0x1_0000_0000)) throw new Error(`assertion: a draw below ${bound}`);
    // Reject the incomplete last multiple, so that no residue is favoured.
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
    for (;;) {
      const b = this.bits();
      if (b < limit) return b % bound;
    }
  }

  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  chance(num: number, den: number): boolean {
    return this.below(den) < num;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('assertion: pick from an empty list');
    return items[this.below(items.length)] as T;
  }
}

/** The same items in an order that is drawn. */
export function shuffled<T>(draws: Stream, items: readonly T[]): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = draws.below(i + 1);
    [mixed[i], mixed[j]] = [mixed[j] as T, mixed[i] as T];
  }
  return mixed;
}
