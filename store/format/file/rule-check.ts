import { pathFault } from '../check.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { Place, Rule, Where } from '../schema/rules.ts';
import { textOf } from '../schema/text.ts';
import type { Format, FormatRecord } from './format.ts';

/** A breach of one rule by one record. */
export interface Breach {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
  readonly severity: 'error' | 'note';
}

type Values = Readonly<Record<string, unknown>>;

/** Interprets the rules of a format, record by record. `breaches` changes nothing; `admit` remembers the record. */
export class RuleCheck {
  readonly #rules: readonly Rule[];
  readonly #knobs: Knobs;
  /** The last record of each kind. */
  readonly #last = new Map<string, FormatRecord>();
  /** What each rule has seen, by its place among the rules. */
  readonly #seen: readonly Set<string>[];

  readonly #knownPaths: readonly string[];

  /** @param knownPaths nodes that are there before the file is read */
  constructor(format: Format, knobs: Knobs, knownPaths: readonly string[] = []) {
    this.#knownPaths = knownPaths;
    this.#rules = format.rules;
    this.#knobs = knobs;
    this.#seen = format.rules.map(() => new Set());
  }

  /** What the next record would break. */
  breaches(record: FormatRecord): Breach[] {
    const found: Breach[] = [];
    for (const [index, rule] of this.#rules.entries()) {
      if (!rule.of.includes(record.kind) || !this.#isWhere(record, rule.where)) continue;
      const choice = rule.knob === undefined ? 'fatal' : this.#knobs[rule.knob];
      if (choice === 'ignore') continue;
      const broken = this.#broken(rule, index, record);
      if (broken === undefined) continue;
      const [path, reason] = broken;
      const severity = choice === 'fatal' && !rule.isNote ? 'error' : 'note';
      found.push({ rule: rule.rule, path, reason, severity });
    }
    return found;
  }

  /** The record is part of the file: what comes later may depend on it. */
  admit(record: FormatRecord): void {
    this.#last.set(record.kind, record);
    for (const [index, rule] of this.#rules.entries()) {
      const seen = this.#seen[index];
      const isSubject = rule.of.includes(record.kind) && this.#isWhere(record, rule.where);
      switch (rule.must) {
        case 'be-single':
          if (isSubject || rule.before?.includes(record.kind)) seen?.add(record.kind);
          break;
        case 'be-unique':
          if (isSubject) seen?.add(this.#key(record, rule.key));
          break;
        case 'be-known':
          for (const source of rule.from)
            if (source.kind === record.kind && this.#isWhere(record, source.where))
              seen?.add(this.#key(record, source.key));
          break;
        case 'follow':
          if (record.kind === rule.kind && this.#isWhere(record, rule.like)) seen?.add('');
          break;
        case 'have-parent':
          if (isSubject) seen?.add(this.#text(record, rule.field));
          break;
        default:
          break;
      }
    }
  }

  /** Where and why, if the rule is broken. */
  #broken(rule: Rule, index: number, record: FormatRecord): readonly [path: string, reason: string] | undefined {
    const seen = this.#seen[index] ?? new Set<string>();
    switch (rule.must) {
      case 'be-single': {
        if (seen.has(record.kind)) return ['', `a second ${record.kind}`];
        const late = rule.before?.find((kind) => seen.has(kind));
        return late === undefined ? undefined : ['', `comes after ${late}`];
      }
      case 'be-unique':
        return seen.has(this.#key(record, rule.key))
          ? [rule.key.at(-1) ?? '', `${this.#show(record, rule.key)} again`]
          : undefined;
      case 'be-known':
        return seen.has(this.#key(record, rule.key))
          ? undefined
          : [rule.key.at(-1) ?? '', `no earlier record tells ${this.#show(record, rule.key)}`];
      case 'follow':
        return seen.size > 0 ? undefined : ['', `${rule.text}: there is no such ${rule.kind} yet`];
      case 'fit': {
        const [value, room] = [Number(this.#at(record, rule.field)), sizeOf(this.#at(record, rule.within))];
        return value > room ? [rule.field, `is ${value}, more than the ${room} octets of ${rule.within}`] : undefined;
      }
      case 'be-something':
        return sizeOf(this.#at(record, rule.field)) > 0 ? undefined : [rule.field, 'is empty or zero'];
      case 'agree': {
        const told = rule.needed.filter((place) => sizeOf(this.#at(record, place)) > 0);
        if (told.length === rule.needed.length) return undefined;
        const odd = told[0] ?? rule.allowed.find((place) => sizeOf(this.#at(record, place)) > 0);
        return odd === undefined ? undefined : [odd, 'is there although the record means a deletion'];
      }
      case 'be-path': {
        const path = this.#text(record, rule.field);
        const fault = path.includes('\0') ? 'has a NUL inside' : pathFault(path, rule.as === 'watch');
        if (fault !== undefined) return [rule.field, fault];
        return rule.as === 'absolute' && !path.startsWith('/') ? [rule.field, 'is not absolute'] : undefined;
      }
      case 'have-parent': {
        const path = this.#text(record, rule.field);
        if (path === '/' || !path.startsWith('/')) return undefined;
        const parent = path.slice(0, Math.max(1, path.lastIndexOf('/')));
        return seen.has(parent) || rule.known.includes(parent) || this.#knownPaths.includes(parent)
          ? undefined
          : [rule.field, `there is no ${parent} yet`];
      }
      case 'have-no-nul':
        return this.#text(record, rule.field).includes('\0') ? [rule.field, 'has a NUL inside'] : undefined;
    }
  }

  #isWhere(record: FormatRecord, where: Where | undefined): boolean {
    return Object.entries(where ?? {}).every(([place, wanted]) => {
      const value = this.#at(record, place);
      return typeof wanted === 'object' ? value !== wanted.not : value === wanted;
    });
  }

  #at(record: FormatRecord, place: Place): unknown {
    const colon = place.indexOf(':');
    let value: unknown = colon < 0 ? record : this.#last.get(place.slice(0, colon));
    for (const step of place.slice(colon + 1).split('.')) value = (value as Values | undefined)?.[step];
    return value;
  }

  #text(record: FormatRecord, place: Place): string {
    const value = this.#at(record, place);
    return value instanceof Uint8Array ? textOf(value) : String(value);
  }

  /** The values at these places, as one text that no others make. */
  #key(record: FormatRecord, places: readonly Place[]): string {
    return JSON.stringify(places.map((place) => this.#text(record, place)));
  }

  #show(record: FormatRecord, places: readonly Place[]): string {
    return places.map((place) => `${place} ${this.#text(record, place)}`).join(', ');
  }
}

function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length;
  return typeof value === 'bigint' || typeof value === 'number' ? Number(value) : 0;
}
