import type { Knobs } from '../schema/knobs.ts';
import type { Place, Rule, Where } from '../schema/rules.ts';
import type { Format, FormatRecord } from './format.ts';
import { messagesFault } from './messages.ts';
import { pathFault } from './paths.ts';
import { conditionOf, type Keys, type Known, keyOf, PlaceReader } from './places.ts';
import { type Broken, type Check, codeOf, type Group, type Look, type Memory, type Take } from './rule-code.ts';

/** Records of one kind that make something known. */
interface Feed {
  readonly kind: string;
  readonly where?: Where | undefined;
  readonly key: readonly Place[];
}

/** The rules of a format, ready for records: good for any number of files. */
export interface Rules {
  /** What looks at a record of a kind and remembers it. */
  readonly take: (kind: string) => Take;
  /** What only looks at it. */
  readonly look: (kind: string) => Take;
  readonly place: (place: Place) => PlaceReader;
  /** How many sets of keys a file needs. */
  readonly seenCount: number;
  /** The number of the set that a rule `be-unique` of this name fills; `undefined`: there is none. */
  readonly uniqueBy: (rule: string) => number | undefined;
}

const rulesOfFormats = new WeakMap<Format, Map<string, Rules>>();

/**
 * The rules of a format as code, made once for the same knobs.
 * @param least `error`: what would only be worth a note is not looked for
 */
export function rulesOf(format: Format, knobs: Knobs, least: 'note' | 'error' = 'note'): Rules {
  const known = rulesOfFormats.get(format) ?? new Map<string, Rules>();
  rulesOfFormats.set(format, known);
  return made(known, `${least} ${JSON.stringify(knobs)}`, () => {
    const making = new Making();
    for (const [order, rule] of format.rules.entries()) {
      const choice = rule.knob === undefined ? 'fatal' : knobs[rule.knob];
      const severity = choice === 'fatal' && !rule.isNote ? 'error' : 'note';
      if (choice === 'ignore' || (least === 'error' && severity === 'note')) continue;
      making.add({ order, rule, severity });
    }
    return making.made();
  });
}

/** The records that a rule is about, as what makes the values at these places known. */
function feedsOf({ of, where }: Rule, key: readonly Place[]): Feed[] {
  return of.map((kind) => ({ kind, where, key }));
}

class Making {
  readonly #groups = new Map<string, Group[]>();
  readonly #uniques = new Map<string, number>();
  #seenCount = 0;
  #isLastAsked = false;
  readonly #places = new Map<Place, PlaceReader>();
  readonly #conditions = new Map<string, Group['where']>();
  readonly #registers = new Map<string, { readonly seen: number; readonly memories: readonly Memory[] }>();

  add(check: Check): void {
    const { rule } = check;
    if (rule.must === 'be-unique') {
      const { key } = rule;
      const show = (record: FormatRecord, known: Known): Broken => [
        key.at(-1) ?? '',
        `${this.#show(record, key, known)} again`,
      ];
      const { seen, memories } = this.#register(feedsOf(rule, key));
      this.#uniques.set(rule.rule, seen);
      for (const { uniques } of memories) uniques.push({ check, show });
      return;
    }
    const look = this.#look(rule);
    for (const kind of new Set(rule.of)) this.#group(kind, rule.where).checks.push({ check, look });
  }

  /** What was added, as code that is made when a record of its kind comes. */
  made(): Rules {
    const codes = (remembers: boolean) => {
      const known = new Map<string, Take>();
      return (kind: string) =>
        made(known, kind, () => codeOf(this.#groups.get(kind) ?? [], remembers, this.#isLastAsked));
    };
    const uniqueBy = (rule: string) => this.#uniques.get(rule);
    return { take: codes(true), look: codes(false), place: this.#place, seenCount: this.#seenCount, uniqueBy };
  }

  readonly #place = (place: Place): PlaceReader => {
    const known = this.#places.get(place);
    if (known !== undefined) return known;
    const reader = new PlaceReader(place, this.#places.size);
    this.#places.set(place, reader);
    this.#isLastAsked ||= place.includes(':');
    return reader;
  };

  #group(kind: string, wanted: Where | undefined): Group {
    const where = wanted && made(this.#conditions, JSON.stringify(wanted), () => conditionOf(wanted, this.#place));
    const groups = made(this.#groups, kind, () => []);
    const known = groups.find((one) => one.where === where);
    if (known !== undefined) return known;
    const group: Group = { where, checks: [], memories: [] };
    groups.push(group);
    return group;
  }

  #key(places: readonly Place[]): Memory['key'] {
    const readers = places.map(this.#place);
    const [first] = readers;
    if (readers.length === 1 && first !== undefined) return (record, known) => first.key(record, known);
    return (record, known) => keyOf(readers, record, known);
  }

  /** The keys of all records so far that one of the feeds tells of. */
  #register(feeds: readonly Feed[]): { readonly seen: number; readonly memories: readonly Memory[] } {
    return made(this.#registers, JSON.stringify(feeds), () => {
      const seen = this.#seenCount++;
      const memories = feeds.map(({ kind, where, key }) => {
        const memory: Memory = { key: this.#key(key), seen, uniques: [] };
        this.#group(kind, where).memories.push(memory);
        return memory;
      });
      return { seen, memories };
    });
  }

  /** The number of their set in `Known.seen`. */
  #seen(feeds: readonly Feed[]): number {
    return this.#register(feeds).seen;
  }

  #look(rule: Exclude<Rule, { readonly must: 'be-unique' }>): Look {
    switch (rule.must) {
      case 'be-single': {
        const others = (rule.before ?? []).map((kind): Feed => ({ kind, key: ['kind'] }));
        const seen = this.#seen([...feedsOf(rule, ['kind']), ...others]);
        return ({ kind }, known) => {
          if (seenOf(known, seen).has(kind)) return ['', `a second ${kind}`];
          const late = rule.before?.find((other) => seenOf(known, seen).has(other));
          return late === undefined ? undefined : ['', `comes after ${late}`];
        };
      }
      case 'be-known': {
        const seen = this.#seen(rule.from);
        const key = this.#key(rule.key);
        const field = rule.key.at(-1) ?? '';
        return (record, known) =>
          seenOf(known, seen).has(key(record, known))
            ? undefined
            : [field, `no earlier record tells ${this.#show(record, rule.key, known)}`];
      }
      case 'follow': {
        const seen = this.#seen([{ kind: rule.kind, where: rule.like, key: ['kind'] }]);
        return (_record, known) =>
          seenOf(known, seen).size > 0 ? undefined : ['', `${rule.text}: there is no such ${rule.kind} yet`];
      }
      case 'fit': {
        const [field, within] = [this.#place(rule.field), this.#place(rule.within)];
        return (record, known) => {
          const [value, room] = [Number(field.value(record, known)), sizeOf(within.value(record, known))];
          return value > room ? [rule.field, `is ${value}, more than the ${room} octets of ${rule.within}`] : undefined;
        };
      }
      case 'be-something': {
        const field = this.#place(rule.field);
        return (record, known) =>
          sizeOf(field.value(record, known)) > 0 ? undefined : [rule.field, 'is empty or zero'];
      }
      case 'agree': {
        const tells = (place: Place) => ({ place, reader: this.#place(place) });
        const [needed, allowed] = [rule.needed.map(tells), rule.allowed.map(tells)];
        return (record, known) => {
          const isTold = ({ reader }: ReturnType<typeof tells>) => sizeOf(reader.value(record, known)) > 0;
          const told = needed.filter(isTold);
          if (told.length === needed.length) return undefined;
          const odd = told[0] ?? allowed.find(isTold);
          return odd && [odd.place, 'is there although the record means a deletion'];
        };
      }
      case 'be-path': {
        const field = this.#place(rule.field);
        return (record, known) => {
          const path = field.text(record, known);
          const fault = path.includes('\0') ? 'has a NUL inside' : pathFault(path, rule.as === 'watch');
          if (fault !== undefined) return [rule.field, fault];
          return rule.as === 'absolute' && !path.startsWith('/') ? [rule.field, 'is not absolute'] : undefined;
        };
      }
      case 'have-parent': {
        const seen = this.#seen(feedsOf(rule, [rule.field]));
        const field = this.#place(rule.field);
        return (record, known) => {
          const path = field.text(record, known);
          if (path === '/' || !path.startsWith('/')) return undefined;
          const parent = path.slice(0, Math.max(1, path.lastIndexOf('/')));
          // Siblings come together: the parent that was found last is not looked for again.
          if (parent === known.parent) return undefined;
          if (!seenOf(known, seen).has(parent) && !rule.known.includes(parent) && !known.paths.includes(parent))
            return [rule.field, `there is no ${parent} yet`];
          known.parent = parent;
          return undefined;
        };
      }
      case 'differ': {
        const field = this.#place(rule.field);
        const others = rule.from.map((place) => [place, this.#place(place)] as const);
        return (record, known) => {
          const value = field.value(record, known);
          const same = others.find(([, other]) => other.value(record, known) === value);
          return value === undefined || same === undefined
            ? undefined
            : [rule.field, `is ${value}, as is ${same[0].replace(':', ' ')}`];
        };
      }
      case 'be-short': {
        const fields = rule.fields.map(this.#place);
        const field = rule.fields.at(-1) ?? '';
        const together = rule.fields.length === 1 ? 'has' : `and ${rule.fields.slice(0, -1).join(', ')} have`;
        return (record, known) => {
          let bytes = 0;
          for (const one of fields) bytes += sizeOf(one.value(record, known));
          return bytes > rule.bytesMax ? [field, `${together} ${bytes} octets, more than ${rule.bytesMax}`] : undefined;
        };
      }
      case 'be-messages': {
        const { mayEndEarly, after } = rule;
        const field = this.#place(rule.field);
        const behind = after === undefined ? undefined : this.#place(after);
        return (record, known) => {
          const octets = field.value(record, known);
          if (!(octets instanceof Uint8Array) || octets.length === 0) return undefined;
          const from = Number(behind?.value(record, known) ?? 0);
          const fault = messagesFault(octets, { from, isBigEndian: known.isBigEndian, mayEndEarly });
          return fault === undefined ? undefined : [rule.field, fault];
        };
      }
      case 'have-no-nul': {
        const field = this.#place(rule.field);
        return (record, known) =>
          field.text(record, known).includes('\0') ? [rule.field, 'has a NUL inside'] : undefined;
      }
    }
  }

  #show(record: FormatRecord, places: readonly Place[], known: Known): string {
    return places.map((place) => `${place} ${this.#place(place).text(record, known)}`).join(', ');
  }
}

function seenOf(known: Known, number: number): Keys {
  return known.seen[number] as Keys;
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
