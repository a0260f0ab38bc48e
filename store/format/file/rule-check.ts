import type { Place } from '../schema/rules.ts';
import type { FormatRecord } from './format.ts';
import type { Keys, Known } from './places.ts';
import type { Found } from './rule-code.ts';
import type { Rules } from './rules.ts';

/** A breach of one rule by one record. */
export interface Breach {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
  readonly severity: 'error' | 'note';
}

const NONE: readonly Breach[] = [];

class KeySet implements Keys {
  readonly #keys = new Set<string | number>();

  get size(): number {
    return this.#keys.size;
  }

  has(key: string | number): boolean {
    return this.#keys.has(key);
  }

  remember(key: string | number): boolean {
    const { size } = this.#keys;
    return this.#keys.add(key).size > size; // one search in place of two
  }
}

/** Holds the records of one file to rules, one by one. */
export class RuleCheck {
  readonly #rules: Rules;
  readonly #known: Known;

  /**
   * @param paths nodes that are there before the file is read
   * @param kept keys that the caller keeps anyhow, by the name of the rule that makes them unique
   */
  constructor(rules: Rules, paths: readonly string[] = [], kept: Readonly<Record<string, Keys>> = {}) {
    this.#rules = rules;
    const seen: Keys[] = Array.from({ length: rules.seenCount }, () => new KeySet());
    for (const [rule, keys] of Object.entries(kept)) {
      const number = rules.uniqueBy(rule);
      if (number !== undefined) seen[number] = keys;
    }
    this.#known = { last: new Map(), seen, paths, isBigEndian: false, parent: '', texts: [], textsOf: [] };
  }

  /** The next record: what it breaks. What comes later may depend on it. */
  take(record: FormatRecord): readonly Breach[] {
    const found = this.#rules.take(record.kind)(record, this.#known);
    return found === undefined ? NONE : breachesOf(found);
  }

  /** What a record would break if it came next; changes nothing. */
  breaches(record: FormatRecord): readonly Breach[] {
    const found = this.#rules.look(record.kind)(record, this.#known);
    return found === undefined ? NONE : breachesOf(found);
  }

  /** Of the machine that wrote the file: little endian unless told. */
  set byteOrder(order: 'little' | 'big' | undefined) {
    this.#known.isBigEndian = order === 'big';
  }

  /** The octets at a place as text, which is not made anew when a rule has looked at them. */
  text(record: FormatRecord, place: Place): string {
    return this.#rules.place(place).text(record, this.#known);
  }
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
