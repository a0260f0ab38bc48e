import { type Framing, pick } from '../file/format.ts';
import type { Change, Judge, Probe } from './change.ts';
import { EMPTY } from './change.ts';
import { compareFields } from './fields.ts';
import type { Both, Side } from './side.ts';
import type { CompareRuleId } from './table.ts';

const FILE: Judge = { by: 'file' };

/** What became of header, versions, framing and end marker: everything around the bodies of records. */
export function envelopeChanges(both: Both): Change[] {
  return [...headerChanges(both), ...versionChanges(both), ...framingChanges(both), ...endChanges(both)];
}

function change(rule: CompareRuleId, detail: string, probes: readonly Probe[] = [EMPTY], newProbes = probes): Change {
  return { rule, detail, judge: FILE, oldProbes: probes, newProbes };
}

function headerChanges({ old, fresh, pairs }: Both): Change[] {
  const [before, now] = [old.format.header, fresh.format.header];
  const [oldProbes, newProbes] = someRecords({ old, fresh, pairs });
  if (before === undefined && now !== undefined)
    return [change('header-added', `${now.layout.name} comes first`, oldProbes, newProbes)];
  if (before !== undefined && now === undefined)
    return [change('header-removed', `${before.layout.name} is gone`, oldProbes, newProbes)];
  if (before === undefined || now === undefined) return [];
  const found = compareFields(before.layout.fields, now.layout.fields).changes.flatMap(
    ({ rule, oldPath, newPath, detail }): Change[] => {
      const places = { ...(oldPath === undefined ? {} : { oldPath }), ...(newPath === undefined ? {} : { newPath }) };
      return rule === 'field-redescribed' || rule === 'field-renamed'
        ? []
        : [{ ...change(headerRuleOf(rule), detail), ...places }];
    },
  );
  const [bitBefore, bitNow] = [before.byteOrder, now.byteOrder];
  if (JSON.stringify(bitBefore) === JSON.stringify(bitNow)) return found;
  const rule =
    bitBefore === undefined
      ? 'byte-order-bit-added'
      : bitNow === undefined
        ? 'byte-order-bit-removed'
        : 'byte-order-bit-moved';
  const text = (bit: typeof bitNow) => (bit === undefined ? 'nowhere' : `in bit ${bit.bit} of ${bit.field}`);
  const big: Probe = { ...EMPTY, byteOrder: 'big' };
  return [
    ...found,
    change(
      rule,
      `the byte order is told ${text(bitNow)}, before ${text(bitBefore)}`,
      [EMPTY, ...withBig(big, oldProbes)],
      [EMPTY, ...withBig(big, newProbes)],
    ),
  ];
}

function withBig(big: Probe, probes: readonly Probe[]): readonly Probe[] {
  return [big, ...probes.map((one) => ({ ...one, byteOrder: 'big' as const }))];
}

function headerRuleOf(rule: CompareRuleId): CompareRuleId {
  if (rule === 'constant-changed') return 'header-magic-changed';
  if (rule === 'field-inserted' || rule === 'field-added-at-end' || rule === 'padding-added')
    return 'header-field-added';
  if (rule === 'field-removed' || rule === 'field-removed-at-end' || rule === 'padding-removed')
    return 'header-field-removed';
  return 'header-field-changed';
}

function versionChanges({ old, fresh }: Both): Change[] {
  if (old.format.header?.version === undefined || fresh.format.header?.version === undefined) return [];
  const [before, now] = [old.format.versions, fresh.format.versions];
  const found: Change[] = [];
  const [was, is] = [before[0], now[0]];
  if (was !== undefined && is !== undefined && !before.includes(is))
    found.push(change('version-raised', `${is} is written, before ${was}`));
  for (const version of before)
    if (!now.includes(version))
      found.push({
        ...change('version-dropped', `${version} is not read any more`, [{ ...EMPTY, version }]),
        newProbes: [EMPTY],
      });
  for (const version of now)
    if (!before.includes(version) && version !== is)
      found.push({ ...change('version-added', `${version} is read too`), newProbes: [{ ...EMPTY, version }] });
  return found;
}

function framingText(framing: Framing | undefined): string {
  switch (framing?.how) {
    case 'typed':
      return 'a type and a length before each record';
    case 'wrapped':
      return `each record in one of type ${framing.type}`;
    default:
      return 'records one after the other';
  }
}

function framingChanges(both: Both): Change[] {
  const { old, fresh } = both;
  const [before, now] = [pick(old.format.framing, old.writes), pick(fresh.format.framing, fresh.writes)];
  const [oldProbes, newProbes] = someRecords(both);
  if (before?.how !== now?.how)
    return [change('framing-changed', `${framingText(now)}, before ${framingText(before)}`, oldProbes, newProbes)];
  const found: Change[] = [];
  if (before?.how === 'wrapped' && now?.how === 'wrapped' && before.type !== now.type)
    found.push(change('wrapper-type-changed', `${now.type}, before ${before.type}`, oldProbes, newProbes));
  if (now?.how === 'typed' && old.writes.lenIncludesPad !== fresh.writes.lenIncludesPad) {
    const counts = fresh.writes.lenIncludesPad;
    found.push(
      change(
        counts ? 'length-counts-padding' : 'length-leaves-out-padding',
        `the length of a record ${counts ? 'counts' : 'leaves out'} its padding`,
        oldProbes,
        newProbes,
      ),
    );
  }
  return found;
}

function endChanges(both: Both): Change[] {
  const [before, now] = [endOf(both.old), endOf(both.fresh)];
  if (before === undefined && now === undefined) return [];
  if (before === undefined) return [change('end-added', `${now?.name} (${now?.type}) marks the end`)];
  if (now === undefined) return [change('end-removed', `${before.name} (${before.type}) no longer marks the end`)];
  return before.type === now.type
    ? []
    : [change('end-renumbered', `${now.name} is ${now.type}, before ${before.type}`)];
}

export function endOf({ format, records }: Side) {
  return format.end === undefined ? undefined : records.find(({ name }) => name === format.end);
}

/** Files of one kind of record each, of those that both sides have; unchanged ones if there are any. Two of them, as the end would do for a reader that goes astray in zeroes. */
export function someRecords({ old, fresh, pairs }: Both): readonly [Probe[], Probe[]] {
  const choice = pairs.filter((pair) => pair.old.name !== old.format.end && pair.fresh.name !== fresh.format.end);
  const steady = choice.filter(({ diff }) => diff.changes.length === 0);
  const used = steady.length > 0 ? steady : choice;
  return [
    used.map((pair) => ({ records: [{ kind: pair.old.name }, { kind: pair.old.name }] })),
    used.map((pair) => ({ records: [{ kind: pair.fresh.name }, { kind: pair.fresh.name }] })),
  ];
}
