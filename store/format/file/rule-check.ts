import type { Place } from '../schema/rules.ts';
import type { FormatRecord } from './format.ts';
import type { Known } from './places.ts';
import type { Broken, Check, Group, Rules } from './rules.ts';

/** A breach of one rule by one record. */
export interface Breach {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
  readonly severity: 'error' | 'note';
}

/** A check that failed, where and why. */
type Found = readonly [check: Check, path: string, reason: string];

const NONE: readonly Breach[] = [];

/** Holds the records of one file to rules, one by one. */
export class RuleCheck {
  readonly #rules: Rules;
  readonly #known: Known;

  /** @param paths nodes that are there before the file is read */
  constructor(rules: Rules, paths: readonly string[] = []) {
    this.#rules = rules;
    const seen = Array.from({ length: rules.seenCount }, () => new Set<string | number>());
    this.#known = { last: new Map(), seen, paths, parent: '', texts: [], textsOf: [] };
  }

  /** The next record: what it breaks. What comes later may depend on it. */
  take(record: FormatRecord): readonly Breach[] {
    const known = this.#known;
    const groups = this.#rules.groups.get(record.kind) ?? [];
    let found = this.#broken(groups, record);
    if (this.#rules.isLastAsked) known.last.set(record.kind, record);
    for (const { where, memories } of groups) {
      if (memories.length === 0 || (where !== undefined && !where.holds(record, known))) continue;
      for (const memory of memories) {
        const seen = known.seen[memory.seen] as Set<string | number>;
        const { size } = seen;
        seen.add(memory.key.key(record, known));
        if (seen.size > size) continue;
        for (const { check, show } of memory.uniques) found = added(found, check, show(record, known));
      }
    }
    return found === undefined ? NONE : breachesOf(found);
  }

  /** What a record would break if it came next; changes nothing. */
  breaches(record: FormatRecord): readonly Breach[] {
    const known = this.#known;
    const groups = this.#rules.groups.get(record.kind) ?? [];
    let found = this.#broken(groups, record);
    for (const { where, memories } of groups) {
      if (where !== undefined && !where.holds(record, known)) continue;
      for (const { key, seen, uniques } of memories) {
        if (uniques.length === 0 || known.seen[seen]?.has(key.key(record, known)) !== true) continue;
        for (const { check, show } of uniques) found = added(found, check, show(record, known));
      }
    }
    return found === undefined ? NONE : breachesOf(found);
  }

  /** The octets at a place as text, which is not made anew when a rule has looked at them. */
  text(record: FormatRecord, place: Place): string {
    return this.#rules.place(place).text(record, this.#known);
  }

  #broken(groups: readonly Group[], record: FormatRecord): Found[] | undefined {
    const known = this.#known;
    let found: Found[] | undefined;
    for (const { where, checks } of groups) {
      if (where !== undefined && !where.holds(record, known)) continue;
      for (const { check, look } of checks) {
        const broken = look(record, known);
        if (broken !== undefined) found = added(found, check, broken);
      }
    }
    return found;
  }
}

function added(found: Found[] | undefined, check: Check, [path, reason]: Broken): Found[] {
  const one: Found = [check, path, reason];
  if (found === undefined) return [one];
  found.push(one);
  return found;
}

/** Breaches in the order of the rules. What is not known is told once, and not again for what would follow from it. */
function breachesOf(found: readonly Found[]): Breach[] {
  let unknown: readonly Place[] | undefined;
  const breaches: Breach[] = [];
  for (const [{ rule, severity }, path, reason] of found.toSorted(([a], [b]) => a.order - b.order)) {
    if (rule.must === 'be-known') {
      if (unknown?.every((place) => rule.key.includes(place))) continue;
      if (severity === 'error') unknown ??= rule.key;
    }
    breaches.push({ rule: rule.rule, path, reason, severity });
  }
  return breaches;
}
