import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersistentMap } from '../../../store/tree/persistent-map.ts';

/** Few names, so that they meet again; some long and alike, as paths are. */
const key = fc.oneof(
  fc.constantFrom('/', '/a', '/a/b', '/local/domain/1/device/vbd/0/state', '/local/domain/1/device/vbd/1/state', ''),
  fc.string({ maxLength: 3 }),
  fc.nat(500).map((n) => `/local/domain/${n}`),
);
type Step =
  | { readonly kind: 'set'; readonly key: string; readonly value: number }
  | { readonly kind: 'delete'; readonly key: string };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key, value: fc.nat() }),
  fc.record({ kind: fc.constant('delete' as const), key }),
);

function apply(map: PersistentMap<number>, model: Map<string, number>, s: Step): PersistentMap<number> {
  if (s.kind === 'set') {
    model.set(s.key, s.value);
    return map.set(s.key, s.value);
  }
  model.delete(s.key);
  return map.delete(s.key);
}

function sameAs(map: PersistentMap<number>, model: ReadonlyMap<string, number>): void {
  expect(map.size).toBe(model.size);
  for (const [k, v] of model) expect(map.get(k)).toBe(v);
  const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);
  expect(sorted(map.values())).toEqual(sorted(model.values()));
}

describe('a persistent map', () => {
  it('agrees with a Map after any steps, and so do all earlier versions of it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let map = PersistentMap.empty<number>();
        const model = new Map<string, number>();
        const versions: [PersistentMap<number>, Map<string, number>][] = [];
        for (const [i, s] of steps.entries()) {
          map = apply(map, model, s);
          if (i % 10 === 0) versions.push([map, new Map(model)]);
        }
        sameAs(map, model);
        for (const [version, then] of versions) sameAs(version, then);
      }),
    );
  });

  it('is the same when made at once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 200 }), (values) => {
        const keyOf = (n: number) => `/${n % 50}`;
        sameAs(PersistentMap.of(values, keyOf), new Map(values.map((n) => [keyOf(n), n])));
      }),
    );
  });

  it('lists values in an order that depends on the keys alone', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 60 }), (keys) => {
        const fill = (order: readonly string[]) => {
          let map = PersistentMap.empty<string>();
          for (const k of order) map = map.set(k, k);
          return [...map.values()];
        };
        expect(fill(keys.toReversed())).toEqual(fill(keys));
      }),
    );
  });

  it('keeps ten thousand siblings apart', () => {
    let map = PersistentMap.empty<number>();
    for (let i = 0; i < 10_000; i++) map = map.set(`/local/domain/1/data/${i}`, i);
    for (let i = 0; i < 10_000; i += 2) map = map.delete(`/local/domain/1/data/${i}`);
    expect(map.size).toBe(5_000);
    for (let i = 0; i < 10_000; i++) expect(map.get(`/local/domain/1/data/${i}`)).toBe(i % 2 === 0 ? undefined : i);
  });

  it('is itself after the removal of what is not there', () => {
    const map = PersistentMap.empty<number>().set('/a', 1);
    expect(map.delete('/b')).toBe(map);
  });
});
