import type { Knobs } from '../schema/knobs.ts';
import type { Place, Rule, Where } from '../schema/rules.ts';
import type { Format, FormatRecord } from './format.ts';
import { pathFault } from './paths.ts';
import { Condition, KeyReader, type Known, PlaceReader } from './places.ts';

/** Where and why a record breaks a rule. */
export type Broken = readonly [path: string, reason: string];
type Look = (record: FormatRecord, known: Known) => Broken | undefined;
type Key = Pick<PlaceReader, 'key'>;

/** A rule as it is applied to a record. */
export interface Check {
  /** Its place among the rules. */
  readonly order: number;
  readonly rule: Rule;
  readonly severity: 'error' | 'note';
}

/** What is remembered of a record. */
interface Memory {
  readonly key: Key;
  /** Number of the set in `Known.seen`. */
  readonly seen: number;
  /** Of rules by which no two records have the same: looked at where it is remembered, one search instead of two. */
  readonly uniques: { readonly check: Check; readonly show: (record: FormatRecord, known: Known) => Broken }[];
}

/** What is done with the records of one kind that are so. */
export interface Group {
  readonly where: Condition | undefined;
  readonly checks: { readonly check: Check; readonly look: Look }[];
  readonly memories: Memory[];
}

/** Records of one kind that make something known. */
interface Feed {
  readonly kind: string;
  readonly where?: Where | undefined;
  readonly key: readonly Place[];
}

/** The rules of a format, ready for records: good for any number of files. */
export interface Rules {
  readonly groups: ReadonlyMap<string, readonly Group[]>;
  readonly place: (place: Place) => PlaceReader;
  /** Sets that a file needs. */
  readonly seenCount: number;
  /** Some rule looks at the last record of another kind. */
  readonly isLastAsked: boolean;
}

/**
 * Looks up once what rules need. Rules that would remember the same share it: files have a million records.
 * @param least `error`: what would only be worth a note is not looked for
 */
export function rulesOf(format: Format, knobs: Knobs, least: 'note' | 'error' = 'note'): Rules {
  const making = new Making();
  for (const [order, rule] of format.rules.entries()) {
    const choice = rule.knob === undefined ? 'fatal' : knobs[rule.knob];
    const severity = choice === 'fatal' && !rule.isNote ? 'error' : 'note';
    if (choice === 'ignore' || (least === 'error' && severity === 'note')) continue;
    making.add({ order, rule, severity });
  }
  return making;
}

/** The records that a rule is about, as what makes the values at these places known. */
function feedsOf({ of, where }: Rule, key: readonly Place[]): Feed[] {
  return of.map((kind) => ({ kind, where, key }));
}

class Making implements Rules {
  readonly groups = new Map<string, Group[]>();
  seenCount = 0;
  isLastAsked = false;
  readonly #places = new Map<Place, PlaceReader>();
  readonly #conditions = new Map<string, Condition>();
  readonly #registers = new Map<string, { readonly seen: number; readonly memories: readonly Memory[] }>();

  add(check: Check): void {
    const { rule } = check;
    if (rule.must === 'be-unique') {
      const { key } = rule;
      const show = (record: FormatRecord, known: Known): Broken => [
        key.at(-1) ?? '',
        `${this.#show(record, key, known)} again`,
      ];
      for (const { uniques } of this.#register(feedsOf(rule, key)).memories) uniques.push({ check, show });
      return;
    }
    const look = this.#look(rule);
    for (const kind of new Set(rule.of)) this.#group(kind, rule.where).checks.push({ check, look });
  }

  readonly place = (place: Place): PlaceReader => {
    const known = this.#places.get(place);
    if (known !== undefined) return known;
    const reader = new PlaceReader(place, this.#places.size);
    this.#places.set(place, reader);
    this.isLastAsked ||= place.includes(':');
    return reader;
  };

  #group(kind: string, wanted: Where | undefined): Group {
    const where = wanted && made(this.#conditions, JSON.stringify(wanted), () => new Condition(wanted, this.place));
    const groups = made(this.groups, kind, () => []);
    const known = groups.find((one) => one.where === where);
    if (known !== undefined) return known;
    const group: Group = { where, checks: [], memories: [] };
    groups.push(group);
    return group;
  }

  #key(places: readonly Place[]): Key {
    const readers = places.map(this.place);
    return readers.length === 1 && readers[0] !== undefined ? readers[0] : new KeyReader(readers);
  }

  /** The keys of all records so far that one of the feeds tells of. */
  #register(feeds: readonly Feed[]): { readonly seen: number; readonly memories: readonly Memory[] } {
    return made(this.#registers, JSON.stringify(feeds), () => {
      const seen = this.seenCount++;
      const memories = feeds.map(({ kind, where, key }) => {
        const memory: Memory = { key: this.#key(key), seen, uniques: [] };
        this.#group(kind, where).memories.push(memory);
        return memory;
      });
      return { seen, memories };
    });
  }

  #seen(feeds: readonly Feed[]): (known: Known) => ReadonlySet<string | number> {
    const { seen } = this.#register(feeds);
    return (known) => known.seen[seen] as Set<string | number>;
  }

  #look(rule: Exclude<Rule, { readonly must: 'be-unique' }>): Look {
    switch (rule.must) {
      case 'be-single': {
        const others = (rule.before ?? []).map((kind): Feed => ({ kind, key: ['kind'] }));
        const seen = this.#seen([...feedsOf(rule, ['kind']), ...others]);
        return ({ kind }, known) => {
          if (seen(known).has(kind)) return ['', `a second ${kind}`];
          const late = rule.before?.find((other) => seen(known).has(other));
          return late === undefined ? undefined : ['', `comes after ${late}`];
        };
      }
      case 'be-known': {
        const seen = this.#seen(rule.from);
        const key = this.#key(rule.key);
        const field = rule.key.at(-1) ?? '';
        return (record, known) =>
          seen(known).has(key.key(record, known))
            ? undefined
            : [field, `no earlier record tells ${this.#show(record, rule.key, known)}`];
      }
      case 'follow': {
        const seen = this.#seen([{ kind: rule.kind, where: rule.like, key: ['kind'] }]);
        return (_record, known) =>
          seen(known).size > 0 ? undefined : ['', `${rule.text}: there is no such ${rule.kind} yet`];
      }
      case 'fit': {
        const [field, within] = [this.place(rule.field), this.place(rule.within)];
        return (record, known) => {
          const [value, room] = [Number(field.value(record, known)), sizeOf(within.value(record, known))];
          return value > room ? [rule.field, `is ${value}, more than the ${room} octets of ${rule.within}`] : undefined;
        };
      }
      case 'be-something': {
        const field = this.place(rule.field);
        return (record, known) =>
          sizeOf(field.value(record, known)) > 0 ? undefined : [rule.field, 'is empty or zero'];
      }
      case 'agree': {
        const isTold = (record: FormatRecord, known: Known) => (place: Place) =>
          sizeOf(this.place(place).value(record, known)) > 0;
        return (record, known) => {
          const told = rule.needed.filter(isTold(record, known));
          if (told.length === rule.needed.length) return undefined;
          const odd = told[0] ?? rule.allowed.find(isTold(record, known));
          return odd === undefined ? undefined : [odd, 'is there although the record means a deletion'];
        };
      }
      case 'be-path': {
        const field = this.place(rule.field);
        return (record, known) => {
          const path = field.text(record, known);
          const fault = path.includes('\0') ? 'has a NUL inside' : pathFault(path, rule.as === 'watch');
          if (fault !== undefined) return [rule.field, fault];
          return rule.as === 'absolute' && !path.startsWith('/') ? [rule.field, 'is not absolute'] : undefined;
        };
      }
      case 'have-parent': {
        const seen = this.#seen(feedsOf(rule, [rule.field]));
        const field = this.place(rule.field);
        return (record, known) => {
          const path = field.text(record, known);
          if (path === '/' || !path.startsWith('/')) return undefined;
          const parent = path.slice(0, Math.max(1, path.lastIndexOf('/')));
          // Siblings come together: the parent that was found last is not looked for again.
          if (parent === known.parent) return undefined;
          if (!seen(known).has(parent) && !rule.known.includes(parent) && !known.paths.includes(parent))
            return [rule.field, `there is no ${parent} yet`];
          known.parent = parent;
          return undefined;
        };
      }
      case 'have-no-nul': {
        const field = this.place(rule.field);
        return (record, known) =>
          field.text(record, known).includes('\0') ? [rule.field, 'has a NUL inside'] : undefined;
      }
    }
  }

  #show(record: FormatRecord, places: readonly Place[], known: Known): string {
    return places.map((place) => `${place} ${this.place(place).text(record, known)}`).join(', ');
  }
}

function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length;
  return typeof value === 'bigint' || typeof value === 'number' ? Number(value) : 0;
}

function made<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const one = make();
  map.set(key, one);
  return one;
}
