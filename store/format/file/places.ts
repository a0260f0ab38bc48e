import { identifier } from '../codec/emitter.ts';
import type { Place, Where } from '../schema/rules.ts';
import { textOf } from '../schema/text.ts';
import type { FormatRecord } from './format.ts';

/** What stands at a place of a record. */
type Get = (record: FormatRecord | undefined) => unknown;

/** Straight-line code once per place, as for the codecs: one closure for all places would look every name up in every record. */
function getterOf(steps: readonly string[]): Get {
  const at = steps.map((step) => (/^\d+$/.test(step) ? `?.[${step}]` : `?.${identifier(step)}`));
  return new Function('record', `return record${at.join('')}`) as Get;
}

/** Keys that records have told. */
export interface Keys {
  readonly size: number;
  has(key: string | number): boolean;
  /** Add it. False: it was there. */
  remember(key: string | number): boolean;
}

/** What is known of the records of one file so far. */
export interface Known {
  /** The last record of each kind. */
  readonly last: Map<string, FormatRecord>;
  /** What records have told, by the number of what asks for it. */
  readonly seen: readonly Keys[];
  /** Nodes that are there before the file is read. */
  readonly paths: readonly string[];
  /** The machine that wrote the file puts the high octet first. */
  isBigEndian: boolean;
  /** A path that was found to be there. */
  parent: string;
  /** Texts made of the record at hand, by the number of the place: rules ask for the same again. */
  readonly texts: string[];
  readonly textsOf: (FormatRecord | undefined)[];
}

/** A place in records, and what stands there. */
export class PlaceReader {
  readonly #number: number;
  readonly #get: Get;
  /** The kind whose last record is meant, in place of the record at hand. */
  readonly #other: string | undefined;

  constructor(place: Place, number: number) {
    const colon = place.indexOf(':');
    this.#number = number;
    this.#other = colon < 0 ? undefined : place.slice(0, colon);
    this.#get = getterOf(place.slice(colon + 1).split('.'));
  }

  value(record: FormatRecord, known: Known): unknown {
    return this.#get(this.#other === undefined ? record : known.last.get(this.#other));
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
export function keyOf(places: readonly PlaceReader[], record: FormatRecord, known: Known): string {
  let key = '';
  for (const place of places) {
    const one = place.key(record, known);
    key += typeof one === 'number' ? `${one},` : `${one.length}:${one}`;
  }
  return key;
}

/** Whether a record is one that a rule looks at. */
export function conditionOf(
  where: Where,
  placeOf: (place: Place) => PlaceReader,
): (record: FormatRecord, known: Known) => boolean {
  const [first, ...others] = Object.entries(where).map(([place, wanted]) => {
    const reader = placeOf(place);
    const [value, isWanted] = typeof wanted === 'object' ? [wanted.not, false] : [wanted, true];
    return (record: FormatRecord, known: Known) => (reader.value(record, known) === value) === isWanted;
  });
  if (first === undefined) return () => true;
  return (record, known) => first(record, known) && others.every((holds) => holds(record, known));
}
