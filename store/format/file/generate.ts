import type { Knobs } from '../schema/knobs.ts';
import type { Field, Fields } from '../schema/schema.ts';
import { derivedFields } from '../schema/sizes.ts';
import { octetsOf } from '../schema/text.ts';
import {
  type AnyRecord,
  type EncodedFile,
  type Format,
  type FormatFile,
  type FormatRecord,
  isOfStage,
  knobsOf,
  recordsOf,
  type Stage,
} from './format.ts';
import { RuleCheck } from './rule-check.ts';
import { rulesOf } from './rules.ts';
import { encodeFile } from './writer.ts';

/** Draws of a named stream; sim's `Stream` is one. */
export interface Draws {
  /** Uniform in 0 .. bound-1. */
  below(bound: number): number;
}

const PATHS = ['/', '/a', '/a/b', '/a/b/c', '/local', '/local/domain', '/local/domain/5', '/tool', '/x_1-@'];
const SPECIAL_PATHS = ['@releaseDomain', '@introduceDomain'];
const WATCH_PATHS = ['device', 'a/b', '@releaseDomain/5'];
const TRIES = 40;

/** What every draw of one file needs. */
interface Making {
  readonly draws: Draws;
  readonly version: number;
  /** Fields that hold paths, by `kind.field`. */
  readonly paths: ReadonlyMap<string, 'node' | 'watch' | 'absolute'>;
}

/**
 * A random file without errors: about `size` records, in the order of the format's stages. Made by drawing records
 * from the layouts and leaving out those that break a rule, so that a format with other records needs nothing more.
 */
export function generateFile(format: Format, draws: Draws, size: number, knobs: Partial<Knobs> = {}): FormatFile {
  const version = format.versions.length === 0 ? 0 : (format.versions[draws.below(format.versions.length)] ?? 0);
  const all = knobsOf(format, { ...knobs, strictVersionGate: true });
  const layouts = recordsOf(format, all).filter((one) => (one.since ?? 0) <= version || version === 0);
  const paths = new Map<string, 'node' | 'watch' | 'absolute'>();
  for (const rule of format.rules)
    if (rule.must === 'be-path') for (const kind of rule.of) paths.set(`${kind}.${rule.field}`, rule.as);
  const making: Making = { draws, version, paths };
  const check = new RuleCheck(rulesOf(format, all));
  const order = byteOrder(format, all, draws);
  check.byteOrder = order;
  const records: FormatRecord[] = [];
  const stages = format.order.filter((stage) => !stage.of.includes(format.end ?? ''));
  const named = new Set(stages.flatMap((stage) => stage.of));
  const rest = layouts.map((one) => one.name).filter((name) => !named.has(name) && name !== format.end);
  if (rest.length > 0) stages.push({ of: rest });
  const share = Math.max(1, Math.ceil(size / Math.max(1, stages.length)));
  for (const stage of stages) {
    const choice = layouts.filter((one) => stage.of.includes(one.name));
    for (let i = 0; i < share && choice.length > 0; i++) {
      const record = drawn(making, choice, stage, check);
      if (record === undefined) continue;
      check.take(record);
      records.push(record);
    }
  }
  if (format.end !== undefined) records.push({ kind: format.end });
  return { header: header(format, making), byteOrder: order, records };
}

/** The same, encoded. Errors: none for a format whose rules can be met. */
export function generateOctets(format: Format, draws: Draws, size: number, knobs: Partial<Knobs> = {}): EncodedFile {
  return encodeFile(format, generateFile(format, draws, size, knobs), knobs);
}

function byteOrder(format: Format, knobs: Knobs, draws: Draws): 'little' | 'big' {
  if (knobs.byteOrders !== 'both') return knobs.byteOrders;
  return format.header?.byteOrder !== undefined && draws.below(4) === 0 ? 'big' : 'little';
}

function header(format: Format, making: Making): Readonly<Record<string, unknown>> {
  if (format.header === undefined) return {};
  const { kind: _, ...fields } = object(making, format.header.layout.fields, format.header.layout.name);
  const { byteOrder: order, version } = format.header;
  const values = Object.entries(fields).filter(([name]) => name !== order?.field);
  return { ...Object.fromEntries(values), ...(version === undefined ? {} : { [version]: making.version }) };
}

/** A record that breaks nothing, if one is found. */
function drawn(
  making: Making,
  layouts: readonly AnyRecord[],
  stage: Stage,
  check: RuleCheck,
): FormatRecord | undefined {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const layout = layouts[making.draws.below(layouts.length)];
    if (layout === undefined) return undefined;
    const record: FormatRecord = { ...object(making, layout.fields, layout.name), kind: layout.name };
    if (isOfStage(record, stage) && check.breaches(record).every((one) => one.severity === 'note')) return record;
  }
  return undefined;
}

function object(making: Making, fields: Fields, kind: string): Record<string, unknown> {
  const made: Record<string, unknown> = { kind };
  const derived = derivedFields(fields);
  for (const [name, field] of Object.entries(fields)) {
    if (derived.has(name)) continue;
    if (field.what === 'table') for (const listName of Object.keys(field.lists)) made[listName] = quotas(making.draws);
    else {
      const value = one(making, field, `${kind}.${name}`, made);
      if (value !== undefined) made[name] = value;
    }
  }
  return made;
}

function quotas(draws: Draws): unknown {
  const names = ['nodes', 'watches', 'memory', 'x'];
  return Array.from({ length: draws.below(4) }, () => ({
    name: octetsOf(names[draws.below(names.length)] ?? 'x'),
    value: draws.below(0x10000),
  }));
}

/** The value of one field; `undefined` = none is needed. */
function one(making: Making, field: Field, place: string, made: Readonly<Record<string, unknown>>): unknown {
  const { draws, version } = making;
  if ((field.since ?? 0) > version && version > 0 && field.what === 'int') return field.type === 'u64' ? 0n : 0;
  switch (field.what) {
    case 'int':
      return int(draws, field.type, field.min ?? 0);
    case 'letter':
      return field.letters[draws.below(field.letters.length)];
    case 'cstring':
    case 'terminated':
      return text(making, place);
    case 'octets':
    case 'rest':
      return making.paths.has(place) || place.endsWith('.token') ? text(making, place) : octets(draws);
    case 'list':
      return Array.from({ length: draws.below(4) }, () => {
        const { kind: _, ...entry } = object(making, field.of, place);
        return entry;
      });
    case 'variant': {
      const kinds = Object.entries(field.cases);
      const [kind, of] = kinds[draws.below(kinds.length)] ?? ['', undefined];
      return of === undefined ? undefined : object(making, of.fields, kind);
    }
    case 'optional': {
      const variant =
        field.when === undefined ? undefined : (made[field.when.variant] as { kind?: string } | undefined);
      if (draws.below(2) === 0 || (field.when !== undefined && variant?.kind !== field.when.kind)) return undefined;
      return int(draws, field.of, 0);
    }
    default:
      return undefined;
  }
}

/** Small as a rule, so that records refer to each other; sometimes as large as fits. */
function int(draws: Draws, type: string, min: number): number | bigint {
  if (type === 'u64') return BigInt(draws.below(0x10000)) << BigInt(draws.below(48));
  const large = { u8: 0xff, u16: 0xffff, u32: 0xffffffff, i32: 0x7fffffff }[type] ?? 0xff;
  if (draws.below(24) === 0) return large;
  if (type === 'i32' && draws.below(4) === 0) return -1;
  return min + draws.below(5);
}

function text(making: Making, place: string): Uint8Array {
  const { draws, paths } = making;
  const as = paths.get(place);
  const choice =
    as === undefined
      ? ['', 'tok', '0', '\xff\x01', 'a longer token']
      : [...PATHS, ...(as === 'absolute' ? [] : SPECIAL_PATHS), ...(as === 'watch' ? WATCH_PATHS : [])];
  return octetsOf(choice[draws.below(choice.length)] ?? '');
}

function octets(draws: Draws): Uint8Array {
  if (draws.below(3) === 0) return new Uint8Array(0);
  return Uint8Array.from({ length: 1 + draws.below(draws.below(16) === 0 ? 200 : 20) }, () => draws.below(256));
}

/** The file with one to three things broken: bits, octets, words, pieces gone or doubled, the end cut off. */
export function damageFile(octets: Uint8Array, draws: Draws): Uint8Array {
  let file: Uint8Array = octets.slice();
  for (let times = 1 + draws.below(3); times > 0; times--) file = damaged(file, draws);
  return file;
}

const WORDS = [0, 1, 7, 0x7fffffff, 0xfffffff8, 0xffffffff];

function damaged(file: Uint8Array, draws: Draws): Uint8Array {
  if (file.length === 0) return Uint8Array.of(draws.below(256));
  const at = draws.below(file.length);
  const to = Math.min(file.length, at + 1 + draws.below(24));
  switch (draws.below(6)) {
    case 0:
      file[at] = (file[at] ?? 0) ^ (1 << draws.below(8));
      return file;
    case 1:
      file[at] = draws.below(256);
      return file;
    case 2: {
      const aligned = at & ~3;
      if (aligned + 4 <= file.length)
        new DataView(file.buffer, file.byteOffset).setUint32(aligned, WORDS[draws.below(WORDS.length)] ?? 0, true);
      return file;
    }
    case 3:
      return file.slice(0, at);
    case 4:
      return joined(file.subarray(0, at), file.subarray(to));
    default:
      return joined(file.subarray(0, to), file.subarray(at));
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
