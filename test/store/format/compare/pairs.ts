import { record } from '../../../../store/format/codec/compile.ts';
import type { Comparable, CompareRuleId, Verdict } from '../../../../store/format/compare/index.ts';
import {
  type AnyRecord,
  extend,
  type Format,
  type HeaderRule,
  type Stage,
} from '../../../../store/format/file/format.ts';
import { g1 } from '../../../../store/format/generations/g1.ts';
import { g41 } from '../../../../store/format/generations/g4-1.ts';
import { oxA, oxB, oxC, type TextLayout } from '../../../../store/format/model/text-layout.ts';
import type { Rule } from '../../../../store/format/schema/rules.ts';
import {
  align,
  atLeast,
  bigEndian,
  constant,
  cstring,
  type Fields,
  flags,
  i32,
  letter,
  list,
  magic,
  note,
  nulString,
  octets,
  optional,
  reserved,
  rest,
  since,
  table,
  terminated,
  u8,
  u16,
  u32,
  u64,
  variant,
} from '../../../../store/format/schema/schema.ts';

/** Two formats that differ in one thing, and what a reader of each makes of the other's files. */
export interface Row {
  readonly rule: CompareRuleId;
  readonly old: Format;
  readonly fresh: Format;
  readonly oldReadsNew: Verdict;
  readonly newReadsOld: Verdict;
}

/** Without the types of what is decoded, which nobody looks at here. */
const plain = record as unknown as (name: string, type: number, fields: Fields) => AnyRecord;

const END = record('END', 0, {});
const HEAD = { ident: magic('madeup'), version: bigEndian(u32), flags: bigEndian(u32) } as const;
const BIT = { field: 'flags', bit: 0 } as const;

/** A header of these fields. */
function header(fields: Fields, told: Omit<HeaderRule, 'layout'> = { version: 'version', byteOrder: BIT }): HeaderRule {
  return { layout: plain('HEADER', -1, fields), ...told };
}

/** One record, two numbers in it. */
const THING = record('THING', 1, { first: u32, second: u32 });
const BASE: Format = {
  name: 'old',
  title: '',
  source: '',
  status: 'own',
  note: '',
  header: header(HEAD),
  versions: [1],
  framing: { how: 'typed' },
  records: [END, THING],
  end: 'END',
  rules: [],
  order: [],
  knobs: {},
};

function made(name: string, changes: Partial<Format>): Format {
  return { ...extend({ ...BASE, ...changes }, { name }) };
}

function row(
  rule: CompareRuleId,
  old: Partial<Format>,
  fresh: Partial<Format>,
  oldReadsNew: Verdict,
  newReadsOld: Verdict,
): Row {
  return { rule, old: made('old', old), fresh: made('new', fresh), oldReadsNew, newReadsOld };
}

function thing(fields: Fields, more: Partial<AnyRecord> = {}): AnyRecord {
  return { ...plain('THING', 1, fields), ...more };
}

function layout(rule: CompareRuleId, old: Fields, fresh: Fields, oldReadsNew: Verdict, newReadsOld: Verdict): Row {
  return row(rule, { records: [END, thing(old)] }, { records: [END, thing(fresh)] }, oldReadsNew, newReadsOld);
}

function records(
  rule: CompareRuleId,
  old: AnyRecord[],
  fresh: AnyRecord[],
  oldReadsNew: Verdict,
  newReadsOld: Verdict,
): Row {
  return row(rule, { records: [END, ...old] }, { records: [END, ...fresh] }, oldReadsNew, newReadsOld);
}

const PLAIN = THING as unknown as AnyRecord;
const OTHER = plain('OTHER', 2, { text: u64 });
const DATED = { ...record('THING', 1, { first: u32, second: u32 }) } as unknown as AnyRecord;
/** Behind a header without version and byte order. */
const SMALL = { ident: magic('madeup') } as const;
/** Octets in the middle, so that what comes behind them shows where they end. */
const TEXT = { size: u16, after: u16, text: octets({ length: 'size' }), last: u8 } as const;
const STRING = { ...TEXT, text: cstring({ length: 'size' }) } as const;
const LISTED = { count: u16, after: u16, ones: list({ count: 'count' }, { a: u16, b: u16 }), last: u32 } as const;
const CASES = { left: { tag: 0, fields: { a: u32 } }, right: { tag: 1, fields: { b: u32 } } } as const;
const UNION = { tag: u16, pad: reserved(2), one: variant({ on: 'tag' }, CASES), last: u32 } as const;
const PARTS = { bits: flags('u16'), more: u16, first: u32 } as const;

function part(bit: number, to: 1 | 8 = 1): Fields {
  return { ...PARTS, extra: optional({ flags: 'bits', bit, align: to }, u32) };
}

const UNIQUE: Rule = { rule: 'unique', of: ['THING'], must: 'be-unique', key: ['first'], text: 'each first once' };
const SOME: Rule = { rule: 'some', of: ['THING'], must: 'be-something', field: 'second', text: 'second is not zero' };

const FIRST: Stage = { of: ['THING'] };
const SECOND: Stage = { of: ['OTHER'] };

export const ROWS: readonly Row[] = [
  row('header-added', { header: undefined as never }, { header: header(SMALL, {}) }, 'refused', 'refused'),
  row('header-removed', { header: header(SMALL, {}) }, { header: undefined as never }, 'refused', 'refused'),
  row('header-magic-changed', {}, { header: header({ ...HEAD, ident: magic('madeok') }) }, 'refused', 'refused'),
  row('header-field-added', {}, { header: header({ ...HEAD, more: u64 }) }, 'misread', 'refused'),
  row('header-field-removed', { header: header({ ...HEAD, more: u32 }) }, {}, 'refused', 'refused'),
  row('header-field-changed', {}, { header: header({ ...HEAD, version: u32 }) }, 'refused', 'refused'),
  row('version-raised', {}, { versions: [2, 1] }, 'refused', 'same'),
  row('version-dropped', { versions: [1, 2] }, { versions: [1] }, 'same', 'refused'),
  row('version-added', {}, { versions: [1, 2] }, 'refused', 'same'),
  row('byte-order-bit-added', { header: header(HEAD, { version: 'version' }) }, {}, 'refused', 'refused'),
  row('byte-order-bit-removed', {}, { header: header(HEAD, { version: 'version' }) }, 'refused', 'refused'),
  row(
    'byte-order-bit-moved',
    {},
    { header: header(HEAD, { version: 'version', byteOrder: { ...BIT, bit: 3 } }) },
    'refused',
    'refused',
  ),

  row(
    'framing-changed',
    { header: undefined as never, end: undefined as never, records: [THING] },
    { header: undefined as never, end: undefined as never, records: [THING], framing: { how: 'bare' } },
    'refused',
    'refused',
  ),
  row(
    'wrapper-type-changed',
    { end: undefined as never, records: [THING], framing: { how: 'wrapped', type: 7 } },
    { end: undefined as never, records: [THING], framing: { how: 'wrapped', type: 8 } },
    'refused',
    'refused',
  ),
  row(
    'length-counts-padding',
    { records: [END, thing(TEXT)], knobs: { lenIncludesPad: false } },
    { records: [END, thing(TEXT)] },
    'same',
    'same',
  ),
  row(
    'length-leaves-out-padding',
    { records: [END, thing(TEXT)], reads: { advance: 'exact' } },
    { records: [END, thing(TEXT)], knobs: { lenIncludesPad: false }, reads: { advance: 'exact' } },
    'refused',
    'same',
  ),
  row('end-added', { end: undefined as never, records: [THING] }, {}, 'lost', 'refused'),
  row('end-removed', {}, { end: undefined as never, records: [THING] }, 'refused', 'lost'),
  row('end-renumbered', {}, { records: [record('END', 9, {}), THING] }, 'refused', 'refused'),

  records('record-added', [PLAIN], [PLAIN, OTHER], 'lost', 'same'),
  records('record-removed', [PLAIN, OTHER], [PLAIN], 'same', 'lost'),
  records('record-renumbered', [PLAIN], [{ ...PLAIN, type: 5 }], 'lost', 'lost'),
  records('record-number-reused', [PLAIN, OTHER], [PLAIN, plain('THIRD', 2, { domid: u16 })], 'misread', 'misread'),
  records('record-renamed', [PLAIN], [plain('ITEM', 1, { first: u32, second: u32 })], 'same', 'same'),
  row(
    'record-gate-raised',
    { versions: [1, 2] },
    { versions: [1, 2], records: [END, { ...DATED, since: 2 }] },
    'same',
    'same',
  ),
  row(
    'record-gate-lowered',
    { versions: [1, 2], records: [END, { ...DATED, since: 2 }] },
    { versions: [1, 2] },
    'same',
    'same',
  ),
  row(
    'record-moved',
    { records: [END, PLAIN, OTHER], order: [FIRST, SECOND] },
    { records: [END, PLAIN, OTHER], order: [SECOND, FIRST] },
    'same',
    'same',
  ),
  row(
    'record-not-written',
    { records: [END, PLAIN, OTHER], order: [FIRST, SECOND] },
    { records: [END, PLAIN, OTHER], order: [FIRST] },
    'same',
    'same',
  ),
  row(
    'record-written',
    { records: [END, PLAIN, OTHER], order: [FIRST] },
    { records: [END, PLAIN, OTHER], order: [FIRST, SECOND] },
    'same',
    'same',
  ),
  records('record-length-misdeclared', [PLAIN], [{ ...PLAIN, unwritten: 4 }], 'refused', 'refused'),
  records('record-length-declared', [{ ...PLAIN, unwritten: 4 }], [PLAIN], 'refused', 'refused'),
  row('record-misread-by-own-reader', {}, astray({ reads: { r1KeepTxRecord: false } }), 'same', 'misread'),
  row('record-read-as-written', astray({ reads: { r1KeepTxRecord: false } }), {}, 'misread', 'same'),

  layout('field-added-at-end', { first: u32 }, { first: u32, second: u64 }, 'lost', 'refused'),
  layout('field-inserted', { first: u32, last: u32 }, { first: u32, second: u32, last: u32 }, 'misread', 'refused'),
  layout('field-removed-at-end', { first: u32, second: u64 }, { first: u32 }, 'refused', 'lost'),
  layout('field-removed', { first: u32, second: u32, last: u32 }, { first: u32, last: u32 }, 'refused', 'misread'),
  layout('field-moved', { first: u32, second: u32 }, { second: u32, first: u32 }, 'misread', 'misread'),
  layout('field-renamed', { first: u32, second: u32 }, { first: u32, other: u32 }, 'same', 'same'),
  layout(
    'field-replaced',
    { first: u32, second: note(u32, 'One thing.') },
    { first: u32, other: note(u32, 'Another.') },
    'misread',
    'misread',
  ),
  layout('field-redescribed', { first: note(u32, 'One thing.') }, { first: note(u32, 'Another.') }, 'same', 'same'),
  layout('field-kind-changed', { first: u32, second: u32 }, { first: u32, second: rest }, 'misread', 'misread'),
  row(
    'field-gate-raised',
    { versions: [2] },
    { versions: [2], records: [END, thing({ first: u32, second: since(2, u32) })] },
    'same',
    'same',
  ),
  row(
    'field-gate-lowered',
    { versions: [2], records: [END, thing({ first: u32, second: since(2, u32) })] },
    { versions: [2] },
    'same',
    'same',
  ),
  layout(
    'int-widened',
    { first: u16, second: u16, last: u32 },
    { first: u32, second: u16, last: u32 },
    'misread',
    'refused',
  ),
  layout(
    'int-narrowed',
    { first: u32, second: u16, last: u32 },
    { first: u16, second: u16, last: u32 },
    'refused',
    'misread',
  ),
  layout('int-sign-changed', { first: u32 }, { first: i32 }, 'misread', 'misread'),
  layout(
    'field-byte-order-changed',
    { first: u16, second: u16 },
    { first: bigEndian(u16), second: u16 },
    'misread',
    'misread',
  ),
  layout(
    'field-became-constant',
    { first: u32, second: u32 },
    { first: u32, second: constant('u32', 3) },
    'misread',
    'refused',
  ),
  layout(
    'constant-became-field',
    { first: u32, second: constant('u32', 3) },
    { first: u32, second: u32 },
    'refused',
    'misread',
  ),
  layout('constant-changed', { first: constant('u32', 3) }, { first: constant('u32', 4) }, 'refused', 'refused'),
  layout('minimum-raised', { first: u32 }, { first: atLeast(1, u32) }, 'same', 'refused'),
  layout('minimum-lowered', { first: atLeast(8, u32) }, { first: atLeast(1, u32) }, 'refused', 'same'),
  layout('padding-gained-meaning', { first: u16, pad: reserved(2) }, { first: u16, second: u16 }, 'lost', 'same'),
  layout('field-became-padding', { first: u16, second: u16 }, { first: u16, pad: reserved(2) }, 'same', 'lost'),
  layout(
    'padding-added',
    { first: u32, second: u64 },
    { first: u32, pad: reserved(4), second: u64 },
    'misread',
    'misread',
  ),
  layout(
    'padding-removed',
    { first: u32, pad: reserved(4), second: u64 },
    { first: u32, second: u64 },
    'misread',
    'misread',
  ),
  layout(
    'padding-resized',
    { first: u16, pad: reserved(2), second: u32 },
    { first: u16, pad: reserved(6), second: u32 },
    'misread',
    'refused',
  ),
  layout(
    'alignment-changed',
    { first: u8, pad: align(2), second: u32 },
    { first: u8, pad: align(4), second: u32 },
    'misread',
    'misread',
  ),
  layout('letters-added', { one: letter(['r', 'w'], 'w') }, { one: letter(['r', 'w', 'x'], 'w') }, 'misread', 'same'),
  layout('letters-removed', { one: letter(['r', 'w', 'x'], 'w') }, { one: letter(['r', 'w'], 'w') }, 'same', 'misread'),
  layout(
    'letter-default-changed',
    { one: letter(['r', 'w'], 'w') },
    { one: letter(['r', 'w'], 'r') },
    'misread',
    'misread',
  ),

  layout('length-widened', TEXT, { ...TEXT, size: u32 }, 'misread', 'refused'),
  layout('length-narrowed', { ...TEXT, size: u32 }, TEXT, 'refused', 'misread'),
  layout('length-moved', TEXT, { after: u16, size: u16, text: TEXT.text, last: u8 }, 'refused', 'refused'),
  layout('length-counts-nul', { ...STRING, text: nulString({ length: 'size' }) }, STRING, 'refused', 'refused'),
  layout('length-leaves-out-nul', STRING, { ...STRING, text: nulString({ length: 'size' }) }, 'refused', 'refused'),
  layout('string-gained-nul', TEXT, STRING, 'misread', 'refused'),
  layout('string-lost-nul', STRING, TEXT, 'refused', 'misread'),
  layout('string-ending-changed', { first: u32, text: terminated }, { first: u32, text: rest }, 'refused', 'misread'),
  layout('count-widened', LISTED, { ...LISTED, count: u32 }, 'misread', 'refused'),
  layout('count-narrowed', { ...LISTED, count: u32 }, LISTED, 'refused', 'misread'),
  layout(
    'list-entry-resized',
    LISTED,
    { ...LISTED, ones: list({ count: 'count' }, { a: u16, b: u32 }) },
    'misread',
    'refused',
  ),
  layout(
    'table-list-added',
    { n: u16, pad: reserved(2), t: table({ these: 'n' }) },
    { n: u16, m: u16, t: table({ these: 'n', those: 'm' }) },
    'misread',
    'same',
  ),
  layout(
    'table-list-removed',
    { n: u16, m: u16, t: table({ these: 'n', those: 'm' }) },
    { n: u16, pad: reserved(2), t: table({ these: 'n' }) },
    'same',
    'misread',
  ),
  layout('rest-added', { first: u64 }, { first: u64, others: rest }, 'lost', 'same'),
  layout('rest-removed', { first: u64, others: rest }, { first: u64 }, 'same', 'lost'),

  layout(
    'union-case-added',
    UNION,
    { ...UNION, one: variant({ on: 'tag' }, { ...CASES, third: { tag: 2, fields: { c: u32 } } }) },
    'refused',
    'same',
  ),
  layout(
    'union-case-removed',
    { ...UNION, one: variant({ on: 'tag' }, { ...CASES, third: { tag: 2, fields: { c: u32 } } }) },
    UNION,
    'same',
    'refused',
  ),
  layout(
    'union-case-renumbered',
    UNION,
    { ...UNION, one: variant({ on: 'tag' }, { ...CASES, right: { ...CASES.right, tag: 5 } }) },
    'refused',
    'refused',
  ),
  layout(
    'union-case-renamed',
    UNION,
    { ...UNION, one: variant({ on: 'tag' }, { left: CASES.left, other: CASES.right }) },
    'same',
    'same',
  ),
  layout(
    'union-case-replaced',
    UNION,
    { ...UNION, one: variant({ on: 'tag' }, { left: CASES.left, other: { tag: 1, fields: { b: u16, c: u16 } } }) },
    'misread',
    'misread',
  ),
  layout(
    'union-tag-moved',
    { tag: u16, more: u16, one: UNION.one },
    { more: u16, tag: u16, one: UNION.one },
    'refused',
    'refused',
  ),
  layout(
    'tag-widened',
    { tag: u16, more: u16, one: UNION.one },
    { tag: u32, more: u16, one: UNION.one },
    'misread',
    'refused',
  ),
  layout(
    'tag-narrowed',
    { tag: u32, more: u16, one: UNION.one },
    { tag: u16, more: u16, one: UNION.one },
    'refused',
    'misread',
  ),
  layout('optional-part-added', PARTS, part(0), 'lost', 'same'),
  layout('optional-part-removed', part(0), PARTS, 'same', 'lost'),
  layout('optional-part-realigned', { ...part(0), more: u8 }, { ...part(0, 8), more: u8 }, 'misread', 'misread'),
  layout(
    'optional-part-retyped',
    part(0),
    { ...PARTS, extra: optional({ flags: 'bits', bit: 0, align: 1 }, u64) },
    'misread',
    'same',
  ),
  layout('optional-bit-moved', part(0), part(1), 'lost', 'lost'),
  layout(
    'optional-condition-changed',
    {
      bits: flags('u16'),
      ...UNION,
      extra: optional({ flags: 'bits', bit: 0, when: { variant: 'one', kind: 'left' }, align: 1 }, u32),
    },
    {
      bits: flags('u16'),
      ...UNION,
      extra: optional({ flags: 'bits', bit: 0, when: { variant: 'one', kind: 'right' }, align: 1 }, u32),
    },
    'lost',
    'lost',
  ),

  row('rule-added', {}, { rules: [UNIQUE] }, 'same', 'refused'),
  row('rule-removed', { rules: [UNIQUE] }, {}, 'refused', 'same'),
  row('rule-stricter', { rules: [{ ...SOME, isNote: true }] }, { rules: [SOME] }, 'same', 'refused'),
  row('rule-looser', { rules: [SOME] }, { rules: [{ ...SOME, isNote: true }] }, 'refused', 'same'),
  row('remark-added', {}, { rules: [{ ...UNIQUE, isNote: true }] }, 'same', 'same'),
  row('remark-removed', { rules: [{ ...UNIQUE, isNote: true }] }, {}, 'same', 'same'),

  row('unknown-records-refused', {}, { reads: { unknownRecord: 'fatal' } }, 'same', 'refused'),
  row('unknown-records-skipped', { reads: { unknownRecord: 'fatal' } }, {}, 'refused', 'same'),
  row('empty-records-refused', {}, { reads: { zeroLengthRecord: 'fatal' } }, 'same', 'refused'),
  row('empty-records-skipped', { reads: { zeroLengthRecord: 'fatal' } }, {}, 'refused', 'same'),
  row('missing-end-refused', { reads: { missingEnd: 'accept' } }, {}, 'same', 'refused'),
  row('missing-end-accepted', {}, { reads: { missingEnd: 'accept' } }, 'refused', 'same'),
  row(
    'padding-must-be-zero',
    { records: [END, thing({ first: u16, pad: reserved(2) })] },
    { records: [END, thing({ first: u16, pad: reserved(2) })], reads: { nonZeroPad: 'fatal' } },
    'same',
    'refused',
  ),
  row(
    'padding-may-be-anything',
    { records: [END, thing({ first: u16, pad: reserved(2) })], reads: { nonZeroPad: 'fatal' } },
    { records: [END, thing({ first: u16, pad: reserved(2) })] },
    'refused',
    'same',
  ),
  row('advance-exact', {}, { reads: { advance: 'exact' } }, 'same', 'refused'),
  row('advance-padded', { reads: { advance: 'exact' } }, {}, 'refused', 'same'),
  row('byte-order-dropped', {}, { reads: { byteOrders: 'little' } }, 'same', 'refused'),
  row('byte-order-gained', { reads: { byteOrders: 'little' } }, {}, 'refused', 'same'),
  row('version-gate-closed', gated(false), gated(true), 'same', 'refused'),
  row('version-gate-opened', gated(true), gated(false), 'refused', 'same'),
];

/** A format whose reader takes the two numbers the wrong way round. */
function astray(more: Partial<Format>): Partial<Format> {
  const swapped = record('THING', 1, { second: u32, first: u32 });
  return {
    records: [END, { knob: 'r1KeepTxRecord', choices: { true: PLAIN, false: swapped as unknown as AnyRecord } }],
    ...more,
  };
}

function gated(strictVersionGate: boolean): Partial<Format> {
  return { versions: [2, 1], records: [END, PLAIN, { ...OTHER, since: 2 } as AnyRecord], reads: { strictVersionGate } };
}

/** Two texts, or a text and records, that differ in one thing. */
export interface TextRow extends Omit<Row, 'old' | 'fresh'> {
  readonly old: Comparable;
  readonly fresh: Comparable;
}

/** A dialect with other lines. */
function withLines(lines: TextLayout['lines']): TextLayout {
  return { ...oxB, lines };
}
const WITHOUT_SOCKETS: TextLayout = {
  ...withLines(Object.fromEntries(Object.entries(oxB.lines).filter(([kind]) => kind !== 'socket'))),
  carriage: { ...oxB.carriage, marks: { ...oxB.carriage.marks, sockets: '-' } },
};
/** As Ox-c has it, without the tolerance for what may come behind. */
const LONG_DOM: TextLayout = {
  ...withLines({ ...oxB.lines, dom: { fields: ['domid', 'mfn', 'remotePort', 'localPort?'] } }),
  carriage: { ...oxB.carriage, marks: { ...oxB.carriage.marks, port: 'both' } },
};
const ENDLESS_DOM = withLines({ ...oxB.lines, dom: { fields: ['domid', 'mfn', 'remotePort'], more: true } });
const ORDERED: TextLayout = {
  ...oxB,
  carriage: { ...oxB.carriage, marks: { ...oxB.carriage.marks, siblingOrder: 'p1' } },
};

export const TEXT_ROWS: readonly TextRow[] = [
  { rule: 'text-became-records', old: oxC, fresh: g41, oldReadsNew: 'refused', newReadsOld: 'refused' },
  { rule: 'records-became-text', old: g1, fresh: oxA, oldReadsNew: 'refused', newReadsOld: 'refused' },
  { rule: 'line-added', old: WITHOUT_SOCKETS, fresh: oxB, oldReadsNew: 'lost', newReadsOld: 'same' },
  { rule: 'line-removed', old: oxB, fresh: WITHOUT_SOCKETS, oldReadsNew: 'same', newReadsOld: 'lost' },
  { rule: 'line-field-added', old: oxB, fresh: LONG_DOM, oldReadsNew: 'lost', newReadsOld: 'same' },
  { rule: 'line-field-removed', old: LONG_DOM, fresh: oxB, oldReadsNew: 'same', newReadsOld: 'lost' },
  { rule: 'further-fields-ignored', old: oxB, fresh: ENDLESS_DOM, oldReadsNew: 'lost', newReadsOld: 'same' },
  { rule: 'further-fields-refused', old: ENDLESS_DOM, fresh: oxB, oldReadsNew: 'same', newReadsOld: 'lost' },
  { rule: 'sibling-order-kept', old: oxB, fresh: ORDERED, oldReadsNew: 'lost', newReadsOld: 'lost' },
  { rule: 'sibling-order-lost', old: ORDERED, fresh: oxB, oldReadsNew: 'lost', newReadsOld: 'lost' },
];
