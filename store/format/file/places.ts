import type { Place, Where } from '../schema/rules.ts';
import { textOf } from '../schema/text.ts';
import type { FormatRecord } from './format.ts';

type Values = Readonly<Record<string, unknown>>;

/** What is known of the records of one file so far. */
export interface Known {
  /** The last record of each kind. */
  readonly last: Map<string, FormatRecord>;
  /** What records have told, by the number of what asks for it. */
  readonly seen: readonly Set<string | number>[];
  /** Nodes that are there before the file is read. */
  readonly paths: readonly string[];
  /** A path that was found to be there. */
  parent: string;
  /** Texts made of the record at hand, by the number of the place: rules ask for the same again. */
  readonly texts: string[];
  readonly textsOf: (FormatRecord | undefined)[];
}

/** A place in records, and what stands there. */
export class PlaceReader {
  readonly #number: number;
  readonly #first: string;
  readonly #more: readonly string[];
  /** The kind whose last record is meant, in place of the record at hand. */
  readonly #other: string | undefined;

  constructor(place: Place, number: number) {
    const colon = place.indexOf(':');
    const [first = '', ...more] = place.slice(colon + 1).split('.');
    this.#number = number;
    this.#other = colon < 0 ? undefined : place.slice(0, colon);
    this.#first = first;
    this.#more = more;
  }

  value(record: FormatRecord, known: Known): unknown {
    const from = this.#other === undefined ? record : known.last.get(this.#other);
    let value = (from as object as Values | undefined)?.[this.#first];
    for (const step of this.#more) value = (value as Values | undefined)?.[step];
    return value;
  }

  text(record: FormatRecord, known: Known): string {
    return this.#textOf(this.value(record, known), record, known);
  }

  /** What tells this value from others: numbers stay what they are. */
  key(record: FormatRecord, known: Known): string | number {
    const value = this.value(record, known);
    if (typeof value === 'number') return value;
    if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
    return this.#textOf(value, record, known);
  }

  #textOf(value: unknown, record: FormatRecord, { texts, textsOf }: Known): string {
    if (!(value instanceof Uint8Array)) return String(value);
    if (this.#other !== undefined) return textOf(value);
    const kept = textsOf[this.#number] === record ? texts[this.#number] : undefined;
    if (kept !== undefined) return kept;
    const made = textOf(value);
    textsOf[this.#number] = record;
    texts[this.#number] = made;
    return made;
  }
}

/** The values at several places, as one that no others make. */
export class KeyReader {
  readonly #places: readonly PlaceReader[];

  constructor(places: readonly PlaceReader[]) {
    this.#places = places;
  }

  key(record: FormatRecord, known: Known): string {
    let key = '';
    for (const place of this.#places) {
      const one = place.key(record, known);
      key += typeof one === 'number' ? `${one},` : `${one.length}:${one}`;
    }
    return key;
  }
}

/** Whether a record is one that a rule looks at. */
export class Condition {
  readonly #wanted: readonly { readonly place: PlaceReader; readonly value: unknown; readonly isWanted: boolean }[];

  constructor(where: Where, placeOf: (place: Place) => PlaceReader) {
    this.#wanted = Object.entries(where).map(([place, wanted]) =>
      typeof wanted === 'object'
        ? { place: placeOf(place), value: wanted.not, isWanted: false }
        : { place: placeOf(place), value: wanted, isWanted: true },
    );
  }

  holds(record: FormatRecord, known: Known): boolean {
    for (const { place, value, isWanted } of this.#wanted)
      if ((place.value(record, known) === value) !== isWanted) return false;
    return true;
  }
}
