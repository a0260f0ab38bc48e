import type { IntType } from '../schema/cursor.ts';
import { INT_BYTES } from '../schema/cursor.ts';
import type { Cases, Field, Fields, IntField, OptionalField, TableField, VariantField } from '../schema/schema.ts';
import { derivedFields, fieldsBytes, fixedBytes } from '../schema/sizes.ts';
import { kept, type Pair, pairsOf } from './pairs.ts';
import type { CompareRuleId } from './table.ts';

/** A difference between two layouts, before it is proven. */
export interface FieldChange {
  readonly rule: CompareRuleId;
  /** `perms[].pad`, `conn.ring.port`; where it is in the old and in the new layout. */
  readonly oldPath?: string;
  readonly newPath?: string;
  readonly detail: string;
  /** Values that show it: what the old or the new writer puts there. */
  readonly oldValue?: unknown;
  readonly newValue?: unknown;
}

/** What two lists of fields come to. */
export interface FieldsDiff {
  readonly changes: readonly FieldChange[];
  /** Paths of values that mean the same: old to new. */
  readonly same: ReadonlyMap<string, string>;
}

/** Compare two layouts field by field; nothing but the layouts is looked at. */
export function compareFields(old: Fields, fresh: Fields): FieldsDiff {
  const walk = new FieldsWalk();
  walk.fields(old, fresh, { old: '', fresh: '' }, true);
  return { changes: walk.changes, same: walk.same };
}

interface Prefix {
  readonly old: string;
  readonly fresh: string;
}

type Role = 'length' | 'count' | 'tag' | undefined;

class FieldsWalk {
  readonly changes: FieldChange[] = [];
  readonly same = new Map<string, string>();

  /** @param isTail nothing comes behind these fields */
  fields(old: Fields, fresh: Fields, prefix: Prefix, isTail: boolean): void {
    const pairs = pairsOf(old, fresh);
    const [oldOnes, newOnes] = [derivedFields(old), derivedFields(fresh)];
    const [oldNames, newNames] = [Object.keys(old), Object.keys(fresh)];
    const steady = kept(pairs);
    for (const pair of pairs) {
      const place = { old: prefix.old + pair.oldName, fresh: prefix.fresh + pair.newName };
      const isLast = isTail && newNames.at(-1) === pair.newName && oldNames.at(-1) === pair.oldName;
      if (!steady.has(pair)) this.#moved(pair, place, roleOf(fresh, pair.newName));
      // What it tells about another field is told of that one.
      const isCount = roleOf(old, pair.oldName) !== undefined || roleOf(fresh, pair.newName) !== undefined;
      this.#field(pair, place, roleOf(fresh, pair.newName), isLast, isCount);
    }
    const [gone, come] = [
      oldNames.filter((name) => !pairs.some((one) => one.oldName === name)),
      newNames.filter((name) => !pairs.some((one) => one.newName === name)),
    ];
    for (const name of gone) {
      const field = old[name] as Field;
      // A length goes with what it is the length of.
      if (gone.includes(oldOnes.get(name) ?? '') || field.what === 'table') continue;
      this.#alone('old', field, prefix.old + name, isTail && isBehind(oldNames, gone, name));
    }
    for (const name of come) {
      const field = fresh[name] as Field;
      if (come.includes(newOnes.get(name) ?? '') || field.what === 'table') continue;
      this.#alone('new', field, prefix.fresh + name, isTail && isBehind(newNames, come, name));
    }
    this.#tables(old, fresh, prefix);
  }

  #moved(pair: Pair, place: Prefix, role: Role): void {
    if (isPadding(pair.fresh)) return;
    const rule = role === 'tag' ? 'union-tag-moved' : role === undefined ? 'field-moved' : 'length-moved';
    this.#push(rule, place, `${place.fresh} stands in another place`);
  }

  /** A field that only one of the layouts has. */
  #alone(side: 'old' | 'new', field: Field, path: string, isAtEnd: boolean): void {
    const isNew = side === 'new';
    const place = isNew ? { newPath: path } : { oldPath: path };
    const tell = (rule: CompareRuleId, detail: string) => this.changes.push({ rule, ...place, detail });
    const verb = isNew ? 'is new' : 'is gone';
    if (field.what === 'reserved' || field.what === 'align')
      tell(
        isNew ? 'padding-added' : 'padding-removed',
        `${sizeText(field)} without meaning ${isNew ? 'are new' : 'are gone'}`,
      );
    else if (field.what === 'optional')
      tell(
        isNew ? 'optional-part-added' : 'optional-part-removed',
        `${path}, announced by bit ${field.bit} of ${field.flags}, ${verb}`,
      );
    else if (field.what === 'rest') tell(isNew ? 'rest-added' : 'rest-removed', `${path} ${verb}`);
    else if (isAtEnd) tell(isNew ? 'field-added-at-end' : 'field-removed-at-end', `${path} ${verb}, at the end`);
    else tell(isNew ? 'field-inserted' : 'field-removed', `${path} ${verb}, and others come behind it`);
  }

  #push(
    rule: CompareRuleId,
    place: Prefix,
    detail: string,
    values: Pick<FieldChange, 'oldValue' | 'newValue'> = {},
  ): void {
    this.changes.push({ rule, oldPath: place.old, newPath: place.fresh, detail, ...values });
  }

  /** Two fields that stand for each other. */
  #field(pair: Pair, place: Prefix, role: Role, isTail: boolean, isCount: boolean): void {
    const { old, fresh } = pair;
    if (isPadding(old) || isPadding(fresh)) return isCount ? undefined : this.#padding(old, fresh, place);
    if (old.what === 'list' && fresh.what === 'list') this.#list(old.of, fresh.of, place);
    else if (old.what === 'variant' && fresh.what === 'variant') this.#variant(old, fresh, place, isTail);
    else if (old.what === 'int' && fresh.what === 'int') this.#int(old, fresh, place, role);
    else if (old.what === 'optional' && fresh.what === 'optional') this.#optional(old, fresh, place);
    else this.#others(old, fresh, place);
    this.#name(pair, place);
    this.#gate(old.since ?? 0, fresh.since ?? 0, place);
  }

  #name(pair: Pair, place: Prefix): void {
    const { old, fresh, oldName, newName } = pair;
    if (oldName !== newName) {
      const isSame = old.note === fresh.note;
      this.#push(isSame ? 'field-renamed' : 'field-replaced', place, `${place.old} is ${place.fresh} now`);
      if (!isSame) return;
    } else if (old.note !== undefined && fresh.note !== undefined && old.note !== fresh.note)
      this.#push('field-redescribed', place, `"${old.note}" is "${fresh.note}" now`);
    this.same.set(place.old, place.fresh);
  }

  #gate(old: number, fresh: number, place: Prefix): void {
    if (old === fresh) return;
    this.#push(
      fresh > old ? 'field-gate-raised' : 'field-gate-lowered',
      place,
      `from version ${fresh} on, before from ${old} on`,
    );
  }

  #padding(old: Field, fresh: Field, place: Prefix): void {
    if (isPadding(old) && isPadding(fresh)) {
      if (old.what === 'align' && fresh.what === 'align') {
        if (old.to !== fresh.to)
          this.#push('alignment-changed', place, `to a multiple of ${fresh.to}, before of ${old.to}`);
      } else if (fixedBytes(old) !== fixedBytes(fresh) || old.what !== fresh.what)
        this.#push('padding-resized', place, `${sizeText(fresh)}, before ${sizeText(old)}`);
      return;
    }
    if (fixedBytes(old) === undefined || fixedBytes(old) !== fixedBytes(fresh))
      return this.#push('field-kind-changed', place, `${old.what} became ${fresh.what}`);
    if (isPadding(old)) this.#push('padding-gained-meaning', place, `${place.fresh} stands where there was padding`);
    else this.#push('field-became-padding', place, `${place.old} is padding now`);
  }

  #int(old: IntField<IntType>, fresh: IntField<IntType>, place: Prefix, role: Role): void {
    const grown = INT_BYTES[fresh.type] - INT_BYTES[old.type];
    const text = `${fresh.type}, before ${old.type}`;
    const what = role ?? 'int';
    if (grown !== 0) {
      // A value that needs all octets of the wider one.
      const values = role !== undefined ? {} : grown > 0 ? { newValue: 'wide' } : { oldValue: 'wide' };
      this.#push(`${what}-${grown > 0 ? 'widened' : 'narrowed'}`, place, text, values);
    } else if (old.type !== fresh.type) this.#push('int-sign-changed', place, text, signed(old.type, fresh.type));
    if (old.order !== fresh.order)
      this.#push(
        'field-byte-order-changed',
        place,
        `${fresh.order ?? 'announced'} byte order, before ${old.order ?? 'announced'}`,
      );
    const [before, now] = [old.min, fresh.min];
    if (before === now || role !== undefined) return;
    const detail = `at least ${now ?? 'anything'}, before ${before ?? 'anything'}`;
    if ((now ?? 0) > (before ?? 0)) this.#push('minimum-raised', place, detail, { oldValue: before ?? 0 });
    else this.#push('minimum-lowered', place, detail, { newValue: now ?? 0 });
  }

  #list(old: Fields, fresh: Fields, place: Prefix): void {
    const inner = new FieldsWalk();
    inner.fields(old, fresh, { old: `${place.old}[].`, fresh: `${place.fresh}[].` }, false);
    for (const [a, b] of inner.same) this.same.set(a, b);
    const [before, now] = [fieldsBytes(old), fieldsBytes(fresh)];
    const isResized = before !== now || inner.changes.some(({ rule }) => RESIZING.has(rule));
    if (!isResized) this.changes.push(...inner.changes);
    else
      this.#push(
        'list-entry-resized',
        place,
        `${before ?? 'varying'} octets became ${now ?? 'varying'}: ${inner.changes.map((one) => one.detail).join('; ')}`,
      );
  }

  #variant(old: VariantField<string, Cases>, fresh: VariantField<string, Cases>, place: Prefix, isTail: boolean): void {
    const [before, now] = [Object.entries(old.cases), Object.entries(fresh.cases)];
    const taken = new Set<string>();
    for (const [kind, one] of before) {
      const sameName = now.find(([name]) => name === kind);
      const sameTag = now.find(([name, other]) => other.tag === one.tag && !before.some(([known]) => known === name));
      const [name, other] = sameName ?? sameTag ?? ['', undefined];
      const at = { old: `${place.old}.${kind}`, fresh: `${place.fresh}.${name}` };
      if (other === undefined) {
        this.changes.push({ rule: 'union-case-removed', oldPath: at.old, detail: `${kind} is gone` });
        continue;
      }
      taken.add(name);
      const inner = new FieldsWalk();
      inner.fields(one.fields, other.fields, { old: `${at.old}.`, fresh: `${at.fresh}.` }, isTail);
      if (name !== kind && inner.changes.length > 0) {
        this.#push('union-case-replaced', at, `${one.tag} means ${name}, before ${kind}`);
        continue;
      }
      for (const [a, b] of inner.same) this.same.set(a, b);
      this.same.set(at.old, at.fresh);
      if (name !== kind) this.#push('union-case-renamed', at, `${kind} is ${name} now`);
      if (one.tag !== other.tag) this.#push('union-case-renumbered', at, `${name} is ${other.tag}, before ${one.tag}`);
      this.changes.push(...inner.changes);
    }
    for (const [name, { tag }] of now)
      if (!taken.has(name))
        this.changes.push({
          rule: 'union-case-added',
          newPath: `${place.fresh}.${name}`,
          detail: `${name} (${tag}) is new`,
        });
  }

  #optional(old: OptionalField<IntType>, fresh: OptionalField<IntType>, place: Prefix): void {
    if (old.bit !== fresh.bit || old.flags !== fresh.flags)
      this.#push('optional-bit-moved', place, `bit ${fresh.bit} of ${fresh.flags}, before ${old.bit} of ${old.flags}`);
    if (old.align !== fresh.align)
      this.#push('optional-part-realigned', place, `to a multiple of ${fresh.align}, before of ${old.align}`);
    if (old.of !== fresh.of) {
      const values = INT_BYTES[fresh.of] > INT_BYTES[old.of] ? { newValue: 'wide' } : { oldValue: 'wide' };
      this.#push('optional-part-retyped', place, `${fresh.of}, before ${old.of}`, values);
    }
    if (JSON.stringify(old.when) !== JSON.stringify(fresh.when))
      this.#push(
        'optional-condition-changed',
        place,
        `for ${fresh.when?.kind ?? 'all'}, before for ${old.when?.kind ?? 'all'}`,
      );
  }

  #others(old: Field, fresh: Field, place: Prefix): void {
    const push = (rule: CompareRuleId, detail: string, values: Pick<FieldChange, 'oldValue' | 'newValue'> = {}) =>
      this.#push(rule, place, detail, values);
    if (old.what === 'constant' && fresh.what === 'int' && old.type === fresh.type)
      push('constant-became-field', `${place.fresh} was always ${old.value}`);
    else if (old.what === 'int' && fresh.what === 'constant' && old.type === fresh.type)
      push('field-became-constant', `${place.fresh} is always ${fresh.value}`);
    else if (old.what === 'constant' && fresh.what === 'constant' && old.type === fresh.type) {
      if (old.value !== fresh.value) push('constant-changed', `${fresh.value}, before ${old.value}`);
    } else if (old.what === 'magic' && fresh.what === 'magic') {
      if (String(old.octets) !== String(fresh.octets))
        push('constant-changed', `${fresh.octets}, before ${old.octets}`);
    } else if (old.what === 'letter' && fresh.what === 'letter') {
      const [more, less] = [missing(fresh.letters, old.letters), missing(old.letters, fresh.letters)];
      if (more.length > 0) push('letters-added', `${more.join('')} may stand there too`, { newValue: more[0] });
      if (less.length > 0)
        push('letters-removed', `${less.join('')} may not stand there any more`, { oldValue: less[0] });
      if (old.otherwise !== fresh.otherwise)
        push('letter-default-changed', `an unknown octet is ${fresh.otherwise}, before ${old.otherwise}`, {
          oldValue: UNKNOWN_LETTER,
          newValue: UNKNOWN_LETTER,
        });
    } else if (old.what === 'cstring' && fresh.what === 'cstring') {
      if ((old.uncounted ?? false) !== (fresh.uncounted ?? false))
        push(
          fresh.uncounted ? 'length-leaves-out-nul' : 'length-counts-nul',
          `the NUL of ${place.fresh} is ${fresh.uncounted ? 'not ' : ''}counted`,
        );
    } else if (old.what === 'octets' && fresh.what === 'cstring')
      push('string-gained-nul', `${place.fresh} ends in a NUL`);
    else if (old.what === 'cstring' && fresh.what === 'octets')
      push('string-lost-nul', `${place.fresh} does not end in a NUL`);
    else if (old.what !== fresh.what && ENDINGS.has(old.what) && ENDINGS.has(fresh.what))
      push('string-ending-changed', `${ENDED[fresh.what]}, before ${ENDED[old.what]}`);
    else if (old.what === 'flags' && fresh.what === 'flags') {
      const grown = INT_BYTES[fresh.type] - INT_BYTES[old.type];
      if (grown !== 0) push(grown > 0 ? 'int-widened' : 'int-narrowed', `${fresh.type}, before ${old.type}`);
    } else if (old.what !== fresh.what || 'type' in old) push('field-kind-changed', `${old.what} became ${fresh.what}`);
  }

  /** Lists that tables hold, wherever the tables stand: their names are those of the decoded value. */
  #tables(old: Fields, fresh: Fields, prefix: Prefix): void {
    const [before, now] = [listsOf(old), listsOf(fresh)];
    for (const name of before)
      if (now.includes(name))
        for (const part of ['name', 'value'])
          this.same.set(`${prefix.old}${name}.${part}`, `${prefix.fresh}${name}.${part}`);
      else this.changes.push({ rule: 'table-list-removed', oldPath: prefix.old + name, detail: `${name} is gone` });
    for (const name of now)
      if (!before.includes(name))
        this.changes.push({ rule: 'table-list-added', newPath: prefix.fresh + name, detail: `${name} is new` });
  }
}

/** An octet that is no letter of any format. */
export const UNKNOWN_LETTER = { octet: 0x3f } as const;

/** What makes a list's entries another size. */
const RESIZING = new Set<CompareRuleId>([
  'field-inserted',
  'field-removed',
  'int-widened',
  'int-narrowed',
  'length-widened',
  'length-narrowed',
  'padding-added',
  'padding-removed',
  'padding-resized',
  'alignment-changed',
]);

const ENDED: Readonly<Record<string, string>> = {
  octets: 'its length tells where it ends',
  cstring: 'its length tells where it ends',
  terminated: 'its NUL tells where it ends',
  rest: 'the end of the body ends it',
};
const ENDINGS = new Set(Object.keys(ENDED));

function signed(old: IntType, fresh: IntType): Pick<FieldChange, 'oldValue' | 'newValue'> {
  const edge = (type: IntType) => (type === 'i32' ? -16 : 0xfffffff0);
  return { oldValue: edge(old), newValue: edge(fresh) };
}

function listsOf(fields: Fields): string[] {
  return Object.values(fields).flatMap((field) =>
    field.what === 'table' ? Object.keys((field as TableField<Record<string, string>>).lists) : [],
  );
}

function missing(from: readonly string[], others: readonly string[]): readonly string[] {
  return from.filter((one) => !others.includes(one));
}

/** What a field tells about another one. */
export function roleOf(fields: Fields, name: string): Role {
  for (const field of Object.values(fields)) {
    if ((field.what === 'octets' || field.what === 'cstring') && field.length === name) return 'length';
    if (field.what === 'list' && field.count === name) return 'count';
    if (field.what === 'variant' && field.on === name) return 'tag';
    if (field.what === 'table' && Object.values(field.lists).includes(name)) return 'count';
  }
  return undefined;
}

export function isPadding(field: Field): boolean {
  return field.what === 'reserved' || field.what === 'align';
}

function sizeText(field: Field): string {
  return field.what === 'align' ? `octets up to a multiple of ${field.to}` : `${fixedBytes(field)} octets`;
}

/** Whether only others of `alone` follow. */
function isBehind(names: readonly string[], alone: readonly string[], name: string): boolean {
  return names.slice(names.indexOf(name)).every((one) => alone.includes(one));
}
