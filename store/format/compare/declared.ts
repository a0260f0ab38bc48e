import type { Knobs } from '../schema/knobs.ts';
import type { Rule, Where } from '../schema/rules.ts';
import { octetsOf } from '../schema/text.ts';
import type { Change, Probe, RecordProbe } from './change.ts';
import { EMPTY } from './change.ts';
import type { Both, Side } from './side.ts';
import type { CompareRuleId } from './table.ts';

/** A rule and how grave its breach is for a reader. */
interface Weighed {
  readonly rule: Rule;
  /** 0 nothing, 1 a note, 2 an error. */
  readonly weight: 0 | 1 | 2;
}

/** What became of the rules about records among each other, as far as both sides have the records. */
export function declaredChanges(both: Both): Change[] {
  const { old, fresh, pairs } = both;
  const toOld = new Map(pairs.map((pair) => [pair.fresh.name, pair.old.name]));
  const toNew = new Map(pairs.map((pair) => [pair.old.name, pair.fresh.name]));
  const [before, now] = [weighed(old), weighed(fresh)];
  const names = [...new Set([...before.keys(), ...now.keys()])];
  return names.flatMap((name): Change[] => {
    const [was, is] = [before.get(name), now.get(name)];
    const tell = (rule: CompareRuleId, detail: string): Change[] => {
      const isStricter = rule === 'rule-added' || rule === 'rule-stricter' || rule === 'remark-added';
      const told = (isStricter ? is : was)?.rule;
      if (told === undefined) return [];
      const rename = isStricter ? toOld : toNew;
      const kinds = told.of.filter((kind) => (isStricter ? toOld : toNew).has(kind));
      const writer = isStricter ? old : fresh;
      const breaches = kinds.map((kind) => breachOf(told, kind, rename, writer));
      if (breaches.length === 0) return [];
      const judge = { by: 'rule', rules: [told.rule] } as const;
      const text = `${told.text}${detail === '' ? '' : ` (${detail})`}`;
      const declared = { rule: told.rule, kinds: kinds.map((kind) => (isStricter ? kind : (toNew.get(kind) ?? kind))) };
      return [
        {
          rule,
          declared,
          detail: text,
          judge,
          oldProbes: isStricter ? breaches : [EMPTY],
          newProbes: isStricter ? [EMPTY] : breaches,
        },
      ];
    };
    const [a, b] = [was?.weight ?? 0, is?.weight ?? 0];
    const detail = was !== undefined && is !== undefined ? `${WEIGHTS[b]}, before ${WEIGHTS[a]}` : '';
    if (a === b) {
      if (was === undefined || is === undefined || a === 0 || contentOf(was.rule) === contentOf(is.rule)) return [];
      return a === 1 ? [] : [...scope(was.rule, is.rule).flatMap((rule) => tell(rule, 'it looks at other places'))];
    }
    if (b > a) return tell(b === 1 ? 'remark-added' : a === 0 ? 'rule-added' : 'rule-stricter', detail);
    return tell(a === 1 ? 'remark-removed' : b === 0 ? 'rule-removed' : 'rule-looser', detail);
  });
}

const WEIGHTS = ['ignored', 'a note', 'an error'] as const;

/** Rules by name; those of the same name are told apart by their order. */
function weighed({ format, reads }: Side): ReadonlyMap<string, Weighed> {
  const found = new Map<string, Weighed>();
  for (const rule of format.rules) {
    let name = rule.rule;
    while (found.has(name)) name += "'";
    found.set(name, { rule, weight: weightOf(rule, reads) });
  }
  return found;
}

function weightOf(rule: Rule, knobs: Knobs): Weighed['weight'] {
  const choice = rule.knob === undefined ? 'fatal' : knobs[rule.knob];
  if (choice === 'ignore') return 0;
  return choice === 'fatal' && !rule.isNote ? 2 : 1;
}

/** All that decides, without the words. */
function contentOf(rule: Rule): string {
  const { text: _, knob: __, isNote: ___, ...content } = rule;
  return JSON.stringify(content);
}

/** Whether a rule of another content finds more or fewer faults. What cannot be said is both. */
function scope(old: Rule, fresh: Rule): CompareRuleId[] {
  const shared = old.of.filter((kind) => fresh.of.includes(kind));
  const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  if (
    old.must === 'be-unique' &&
    fresh.must === 'be-unique' &&
    isSame(old.of, fresh.of) &&
    isSame(old.where, fresh.where)
  ) {
    // Fewer parts in the key: more records are alike.
    if (fresh.key.every((place) => old.key.includes(place))) return ['rule-stricter'];
    if (old.key.every((place) => fresh.key.includes(place))) return ['rule-looser'];
  }
  const { of: _, ...rest } = old;
  const { of: __, ...others } = fresh;
  if (isSame({ ...rest, text: '' }, { ...others, text: '' })) {
    if (shared.length === old.of.length) return ['rule-stricter'];
    if (shared.length === fresh.of.length) return ['rule-looser'];
  }
  if (old.where === undefined && fresh.where !== undefined) return ['rule-looser'];
  if (fresh.where === undefined && old.where !== undefined) return ['rule-stricter'];
  return ['rule-stricter', 'rule-looser'];
}

/** A file that breaks a rule, of records named as the writer names them. */
function breachOf(rule: Rule, kind: string, rename: ReadonlyMap<string, string>, writer: Side): Probe {
  const named = rename.get(kind) ?? kind;
  const [focus, set] = whereOf(rule.where);
  const one: RecordProbe = { kind: named, ...(focus === undefined ? {} : { focus }), set };
  const holding = (place: string, value: unknown): Probe => ({
    records: [{ ...one, set: { ...set, [place.split('.')[0] ?? place]: value } }],
  });
  switch (rule.must) {
    case 'be-single':
      return { records: [one, one] };
    case 'be-unique':
      return { records: [...leaders(rule.key, rename, writer), one, one] };
    case 'be-known':
    case 'follow':
      return { records: [...leaders(rule.must === 'be-known' ? rule.key : [], rename, writer), one] };
    case 'fit':
      return holding(rule.field, 60_000);
    case 'be-something':
      return holding(rule.field, 'nothing');
    case 'agree': {
      const nothing = Object.fromEntries(rule.needed.slice(1).map((place) => [place, 'nothing']));
      return {
        records: [
          {
            ...one,
            set: { ...set, ...nothing, ...(rule.needed.length === 1 ? { [rule.needed[0] ?? '']: 'nothing' } : {}) },
          },
        ],
      };
    }
    case 'be-path':
      return holding(rule.field, octetsOf('/a//b'));
    case 'have-parent':
      return holding(rule.field, octetsOf('/no/parent'));
    case 'differ':
      return { records: [...leaders(rule.from, rename, writer), one] };
    case 'be-short':
      return holding(rule.fields.at(-1) ?? '', new Uint8Array(rule.bytesMax + 1).fill(0x61));
    case 'be-messages':
      return holding(rule.field, new Uint8Array(16).fill(0xff));
    case 'have-no-nul':
      return holding(rule.field, octetsOf('a\0b'));
  }
}

/** Records that a key looks back at, `DOMAIN_START:domid`, if the writer has them. */
function leaders(key: readonly string[], rename: ReadonlyMap<string, string>, writer: Side): RecordProbe[] {
  return key.flatMap((place) => {
    const [kind = '', field] = place.split(':');
    const named = rename.get(kind) ?? kind;
    return field !== undefined && writer.records.some(({ name }) => name === named) ? [{ kind: named }] : [];
  });
}

/** What makes a rule look at a record: the alternative it must have, and values of its fields. */
function whereOf(where: Where | undefined): readonly [string | undefined, Readonly<Record<string, unknown>>] {
  let focus: string | undefined;
  const set: Record<string, unknown> = {};
  for (const [place, wanted] of Object.entries(where ?? {})) {
    if (typeof wanted === 'object') continue; // what is filled in differs from it
    if (place.endsWith('.kind')) focus = `${place.slice(0, -'.kind'.length)}.${wanted}`;
    else if (!place.includes('.')) set[place] = wanted;
  }
  return [focus, set];
}
