import type { FormatFailure } from '../schema/cursor.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { Field, Fields, Layout } from '../schema/schema.ts';
import { choicesOf, type Format, type FormatRecord } from './format.ts';
import { planOf } from './plan.ts';
import { FileReader } from './reader.ts';
import { RuleCheck } from './rule-check.ts';
import { rulesOf } from './rules.ts';

/** One thing found in a file. */
export interface FormatFinding extends FormatFailure {
  /** A rule of the format, or one of `CODEC_RULES`. */
  readonly rule: string;
  /** A note is allowed, or known from a daemon. */
  readonly severity: 'error' | 'note';
}

/** What is found without a rule of the format. */
export const CODEC_RULES = {
  header: 'the header is that of the format',
  version: 'the version is one that the format has',
  'header-flags': 'no reserved bit is set, and the reader takes the byte order',
  'inner-length': 'what lengths and counts announce fits the record, strings end where they should',
  'no-end': 'the file ends as it must',
  'record-type': 'the type is one that the reader takes',
  'zero-length': 'a record has a body',
  'field-value': 'a field has a value that it may have',
  'unknown-record': 'the type is known',
  'len-unpadded': 'the length of a record counts its padding, as daemons have it',
  slack: 'nothing stands between the content and its padding; the daemon of 4.22 leaves garbage behind quota names',
  'non-zero-pad': 'padding is zero',
  'version-gate': 'types and fields of a later version stay out of an earlier one',
  'other-layout': 'the record has the layout that the knobs tell',
  'c422-watch': 'WATCH_DATA_EXTENDED is as documented, not as the daemon of 4.22 writes it',
  trailing: 'nothing follows the end',
} as const;

function ruleOf(failure: FormatFailure): string {
  const { record, path, reason } = failure;
  if (record < 0) return path === 'version' ? 'version' : path === 'flags' ? 'header-flags' : 'header';
  if (reason.startsWith('the file ends')) return 'no-end';
  if (path === 'type') return reason.startsWith('wants') ? 'inner-length' : 'record-type';
  if (reason.includes('takes for a read error')) return 'zero-length';
  if (path === 'connId' && reason.startsWith('is 0,')) return 'conn-id-zero';
  return /^(wants|does not end|is empty|length 0|does not fit)|octets left|declares|too little/.test(reason)
    ? 'inner-length'
    : 'field-value';
}

/**
 * Everything that is wrong with a file, or worth a note, in the order of its octets. The rest of a file behind a
 * record that cannot be read is not looked at.
 * @param knobs `format.reads` to hear what the format's own reader would make of it
 * @param knownPaths nodes that are there before: the parents of what a migrated domain brings
 */
export function validateFile(
  format: Format,
  octets: Uint8Array,
  knobs: Partial<Knobs> = {},
  knownPaths: readonly string[] = [],
): FormatFinding[] {
  const reader = new FileReader(planOf(format, knobs), octets);
  const found: FormatFinding[] = [];
  const check = new RuleCheck(rulesOf(format, reader.knobs), knownPaths);
  check.byteOrder = reader.header?.byteOrder;
  const version = reader.header?.version ?? 0;
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const place = { offset: reader.offset, record: reader.index, name: record.kind };
    for (const one of check.take(record)) found.push({ ...place, ...one });
    for (const one of shapeFindings(reader, record, version)) found.push({ ...place, ...one });
  }
  const { failure } = reader;
  if (failure !== undefined) {
    found.push({ ...failure, rule: ruleOf(failure), severity: 'error' });
  } else if (reader.pos < octets.length)
    found.push({
      offset: reader.pos,
      record: reader.index + 1,
      name: 'trailing',
      path: '',
      reason: `${octets.length - reader.pos} octets after ${format.end}, which readers do not look at`,
      rule: 'trailing',
      severity: 'note',
    });
  return [...found, ...otherLayouts(format, octets, reader, found)];
}

type Found = Pick<FormatFinding, 'path' | 'reason' | 'rule' | 'severity'>;

/** What octets of the record say apart from its fields' meaning. */
function shapeFindings(reader: FileReader, record: FormatRecord, version: number): Found[] {
  const { layout, knobs, len, body, content, octets } = reader;
  const found: Found[] = [];
  const gate = knobs.strictVersionGate ? 'error' : 'note';
  if (layout === undefined)
    found.push({ path: '', reason: 'is skipped by readers', rule: 'unknown-record', severity: 'note' });
  else if (version > 0)
    for (const path of laterParts(layout, record, version))
      found.push({ path, reason: `belongs to a later version than ${version}`, rule: 'version-gate', severity: gate });
  const { nonZeroPad } = knobs;
  const padding = nonZeroPad === 'fatal' ? 'error' : 'note';
  if (layout !== undefined && nonZeroPad !== 'ignore')
    for (const path of keptPads(layout.fields, record as unknown as Values, ''))
      found.push({ path, reason: 'is not zero', rule: 'non-zero-pad', severity: padding });
  if (len !== undefined && reader.framing.how === 'typed' && knobs.lenIncludesPad && (len & 7) !== 0)
    found.push({
      path: 'len',
      reason: `is ${len}, as documented: readers that skip exactly so much lose their place`,
      rule: 'len-unpadded',
      severity: 'note',
    });
  if (record.tail !== undefined && layout !== undefined) {
    const { slack, pad } = record.tail;
    if (slack.some((octet) => octet !== 0) || slack.length > 7)
      found.push({
        path: 'slack',
        reason: `${slack.length} octets at ${content} behind the content${body + (len ?? 0) <= octets.length ? '' : ', cut short'}`,
        rule: 'slack',
        severity: padding,
      });
    if (nonZeroPad !== 'ignore' && pad.some((octet) => octet !== 0))
      found.push({ path: 'pad', reason: 'is not zero', rule: 'non-zero-pad', severity: padding });
  }
  return found;
}

type Values = Readonly<Record<string, unknown>>;

/** Parts of a record that belong to a later version and are not empty. */
function laterParts(layout: Layout, record: FormatRecord, version: number): string[] {
  if ((layout.since ?? 0) > version) return [''];
  return Object.entries(layout.fields)
    .filter(([name, field]) => (field.since ?? 0) > version && !isEmpty((record as unknown as Values)[name]))
    .map(([name]) => name);
}

function isEmpty(value: unknown): boolean {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0;
  return value === undefined || value === 0 || value === 0n;
}

/** Reserved octets and padding that were kept, because they are not zero. */
function keptPads(fields: Fields, values: Values, prefix: string): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const value = values[name];
    if (field.what === 'reserved' || field.what === 'align') return value === undefined ? [] : [prefix + name];
    return innerFields(field, value).flatMap(([path, inner, of]) => keptPads(inner, of, `${prefix}${name}${path}.`));
  });
}

function innerFields(field: Field, value: unknown): (readonly [string, Fields, Values])[] {
  if (field.what === 'list') return (value as readonly Values[]).map((one, i) => [`[${i}]`, field.of, one] as const);
  if (field.what !== 'variant') return [];
  const of = value as Values;
  return Object.entries(field.cases)
    .filter(([kind]) => kind === of.kind)
    .map(([kind, one]) => [`.${kind}`, one.fields, of] as const);
}

/** The first record of each layout in choice that has errors, where the layout of another choice has fewer. */
function otherLayouts(
  format: Format,
  octets: Uint8Array,
  reader: FileReader,
  found: readonly FormatFinding[],
): FormatFinding[] {
  return format.records.flatMap((one) => {
    if (!('knob' in one)) return [];
    const name = choicesOf(one)[0]?.name;
    const errors = found.filter((finding) => finding.severity === 'error' && finding.name === name);
    const first = errors[0];
    if (first === undefined) return [];
    const count = errors.filter((finding) => finding.record === first.record).length;
    const isBroken = reader.failure?.record === first.record;
    const better = Object.keys(one.choices).find((choice) => {
      if (choice === String(reader.knobs[one.knob])) return false;
      const errorsThen = errorsOf(format, octets, { ...reader.knobs, [one.knob]: choice }, first.record);
      return errorsThen !== undefined && (isBroken || errorsThen < count);
    });
    if (better === undefined) return [];
    const rule = one.knob === 'watchExtLayout' ? 'c422-watch' : 'other-layout';
    return [{ ...first, path: '', reason: `can be read with ${one.knob} ${better}`, rule, severity: 'note' }];
  });
}

/** Errors of one record against the rules; `undefined` = it cannot be read. */
function errorsOf(format: Format, octets: Uint8Array, knobs: Knobs, index: number): number | undefined {
  const reader = new FileReader(planOf(format, knobs), octets);
  const check = new RuleCheck(rulesOf(format, reader.knobs));
  check.byteOrder = reader.header?.byteOrder;
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const breaches = check.take(record);
    if (reader.index === index) return breaches.filter((one) => one.severity === 'error').length;
  }
  return undefined;
}
