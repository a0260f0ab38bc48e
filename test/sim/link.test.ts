import { describe, expect, it } from 'vitest';
import { type Actor, type Link, type LinkTraits, PIPE_BYTES, readExactly, Universe } from '../../sim/index.ts';

const TRAITS: LinkTraits = { bandwidth: 1_000_000, latencyNs: 1_000_000, windowBytes: 1 << 20 };

interface Ends {
  readonly universe: Universe;
  readonly link: Link;
  start(body: () => Actor): void;
}

function linked(traits: LinkTraits = TRAITS): Ends {
  const universe = new Universe({ seed: '1' });
  const machine = universe.add('here');
  let n = 0;
  return { universe, link: universe.link(traits), start: (body) => void machine.start(`t${++n}`, undefined, body()) };
}

const octets = (count: number) => Uint8Array.from({ length: count }, (_, i) => i & 0xff);

describe('LK-2: a link', () => {
  it('delivers what was written, in order, after the time that bandwidth and latency take', () => {
    const { universe, link, start } = linked();
    let got: Uint8Array = new Uint8Array(0);
    start(function* () {
      yield* link.near.write(octets(1_000));
      link.near.close();
    });
    let atNs = 0;
    start(function* () {
      got = yield* readExactly(link.far, 1_000);
      atNs = universe.timeline.nowNs;
      expect(yield* link.far.read(1)).toBe('end');
    });
    universe.timeline.run(1e12);
    expect(got).toEqual(octets(1_000));
    expect(atNs).toBe(1_000_000 + 1_000_000); // 1,000 octets at 1 MB/s, and 1 ms
  });

  it('takes a pipe full at once, and more only as it goes (XM-6)', () => {
    const { universe, link, start } = linked();
    let takenAtNs = -1;
    start(function* () {
      yield* link.near.write(octets(PIPE_BYTES));
      takenAtNs = universe.timeline.nowNs;
    });
    universe.timeline.run(1e12);
    expect(takenAtNs).toBe(0);
    expect(link.forth.taken).toBe(PIPE_BYTES);
  });

  it('moves one octet at a time where it is told to', () => {
    const { universe, link, start } = linked({ ...TRAITS, pieceBytes: 1 });
    const sizes: number[] = [];
    start(function* () {
      yield* link.near.write(octets(5));
    });
    start(function* () {
      for (let i = 0; i < 5; i++) {
        const some = yield* link.far.read(100);
        if (typeof some !== 'string') sizes.push(some.length);
      }
    });
    universe.timeline.run(1e12);
    expect(sizes).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('LK-3: a link that ends', () => {
  it.each([0, 1, 7, 99, 100])('after octet %i of 100 delivers these, then the end', (n) => {
    const { universe, link, start } = linked();
    link.tie();
    link.forth.cutAfter(n);
    let got = -1;
    let after: unknown;
    let second: unknown;
    start(function* () {
      yield* link.near.write(octets(100));
      yield 10_000_000;
      second = yield* link.near.write(octets(1));
    });
    start(function* () {
      got = (yield* readExactly(link.far, 100)).length;
      after = yield* link.far.read(1);
    });
    universe.timeline.run(1e12);
    expect(got).toBe(n);
    expect(after).toBe('end');
    expect(second).toBe('broken');
    expect(link.back.isCut).toBe(true);
  });

  it('half leaves the other direction as it was', () => {
    const { universe, link, start } = linked();
    link.forth.cutAfter(0);
    let got: unknown;
    start(function* () {
      yield* link.far.write(octets(3));
    });
    start(function* () {
      got = (yield* readExactly(link.near, 3)).length;
    });
    universe.timeline.run(1e12);
    expect(got).toBe(3);
  });

  it('stalls without a word, and goes on (LK-4)', () => {
    const { universe, link, start } = linked();
    link.stall(5_000_000_000);
    let atNs = 0;
    start(function* () {
      yield* link.near.write(octets(1));
    });
    start(function* () {
      yield* readExactly(link.far, 1);
      atNs = universe.timeline.nowNs;
    });
    universe.timeline.run(1e12);
    expect(atNs).toBe(5_001_001_000);
  });

  it('tells a writer that nobody reads any more', () => {
    const { universe, link, start } = linked();
    let said: unknown;
    start(function* () {
      link.far.close();
      yield 0;
    });
    start(function* () {
      yield 10_000_000;
      said = yield* link.near.write(octets(1));
    });
    universe.timeline.run(1e12);
    expect(said).toBe('broken');
  });
});
