import type { Rule } from '../schema/rules.ts';
import type { FormatRecord } from './format.ts';
import type { Known } from './places.ts';

/** Where and why a record breaks a rule. */
export type Broken = readonly [path: string, reason: string];
export type Look = (record: FormatRecord, known: Known) => Broken | undefined;

/** A rule as it is applied to a record. */
export interface Check {
  /** Its place among the rules. */
  readonly order: number;
  readonly rule: Rule;
  readonly severity: 'error' | 'note';
}

/** What is remembered of a record. */
export interface Memory {
  readonly key: (record: FormatRecord, known: Known) => string | number;
  /** Number of the set in `Known.seen`. */
  readonly seen: number;
  /** Of rules by which no two records have the same: looked at where it is remembered, one search instead of two. */
  readonly uniques: { readonly check: Check; readonly show: (record: FormatRecord, known: Known) => Broken }[];
}

/** What is done with the records of one kind that are so. */
export interface Group {
  readonly where: ((record: FormatRecord, known: Known) => boolean) | undefined;
  readonly checks: { readonly check: Check; readonly look: Look }[];
  readonly memories: Memory[];
}

/** A check that failed, where and why. */
export type Found = readonly [check: Check, path: string, reason: string];
/** What a record breaks. */
export type Take = (record: FormatRecord, known: Known) => readonly Found[] | undefined;

/**
 * Straight-line code for the records of one kind, as for the codecs: every check has a call of its own, which the engine can
 * put in line. A loop over checks costs 300 ns a record more, of a million records.
 * @param remembers records, for what comes later; without, nothing changes
 * @param keepsLast some rule asks for the last record of another kind
 */
export function codeOf(groups: readonly Group[], remembers: boolean, keepsLast: boolean): Take {
  const constants: unknown[] = [];
  const constant = (value: unknown) => `k${constants.push(value) - 1}`;
  const checks: string[] = [];
  const memories: string[] = [];
  for (const [i, group] of groups.entries()) {
    const holds = group.where === undefined ? undefined : `holds${i}`;
    const inGroup = (code: string[]) =>
      code.length === 0 || holds === undefined ? code : [`if (${holds}) {`, ...code, '}'];
    if (group.where !== undefined) checks.push(`const ${holds} = ${constant(group.where)}(record, known);`);
    const looks = group.checks.map(({ check, look }) => {
      const found = `found = added(found, ${constant(check)}, broken);`;
      return `broken = ${constant(look)}(record, known); if (broken !== undefined) ${found}`;
    });
    const remembered = group.memories
      .filter(({ uniques }) => remembers || uniques.length > 0)
      .map(({ key, seen, uniques }) => {
        const breaks = uniques.map(
          ({ check, show }) => `found = added(found, ${constant(check)}, ${constant(show)}(record, known));`,
        );
        const isThere = remembers ? `!known.seen[${seen}].remember(key)` : `known.seen[${seen}].has(key)`;
        return `{ const key = ${constant(key)}(record, known); if (${isThere}) { ${breaks.join(' ')} } }`;
      });
    checks.push(...inGroup(looks));
    memories.push(...inGroup(remembered));
  }
  const body = [
    ...constants.map((_, i) => `const k${i} = K[${i}];`),
    'return (record, known) => {',
    'let found, broken;',
    ...checks,
    ...(remembers && keepsLast ? ['known.last.set(record.kind, record);'] : []),
    // After all checks: none is to find the record that it looks at.
    ...memories,
    'return found; }',
  ];
  return new Function('K', 'added', body.join('\n'))(constants, added) as Take;
}

function added(found: Found[] | undefined, check: Check, [path, reason]: Broken): Found[] {
  const one: Found = [check, path, reason];
  if (found === undefined) return [one];
  found.push(one);
  return found;
}
