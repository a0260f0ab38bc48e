import type { AnyRecord, FormatFile, FormatRecord } from '../file/format.ts';
import type { Field, Fields } from '../schema/schema.ts';
import { derivedFields } from '../schema/sizes.ts';
import { octetsOf } from '../schema/text.ts';
import type { Probe, RecordProbe } from './change.ts';
import type { Side } from './side.ts';

/** First number filled in: small numbers mean something in many fields. */
const FIRST = 17;

/** Shown in place of a number where only some of its octets may be read. */
const WIDE = { u8: 0xa1, u16: 0xa1b2, u32: 0xa1b2c3d4, i32: 0x21b2c3d4 } as const;

/** The value that stands for emptiness, whatever the field is. */
const EMPTY_VALUE = 'nothing';

interface Making {
  readonly version: number;
  readonly focus: string | undefined;
  readonly value: unknown;
  /** Lengths of strings differ from one variant to the next, so that padding cannot hide a shift. */
  readonly variant: number;
  count: number;
}

/**
 * The file that a probe asks for, by that side's writer: every field holds a value of its own, so that one that is
 * read in another place shows. `undefined` = the side has no such record.
 * @param variant 0 .. 3
 */
export function fileOf(side: Side, probe: Probe, version: number, variant: number): FormatFile | undefined {
  const { format } = side;
  const records: FormatRecord[] = [];
  for (const one of probe.records) {
    if ('ready' in one) records.push(one.ready);
    else {
      const layout = side.records.find(({ name }) => name === one.kind);
      if (layout === undefined) return undefined;
      records.push(recordOf(layout, one, version, variant));
    }
  }
  if (format.end !== undefined && probe.knobs?.missingEnd !== 'accept') records.push({ kind: format.end });
  return { header: headerOf(side, version), byteOrder: probe.byteOrder ?? 'little', records };
}

function headerOf({ format: { header } }: Side, version: number): Readonly<Record<string, unknown>> {
  if (header === undefined) return {};
  const making: Making = { version, focus: undefined, value: undefined, variant: 0, count: 0 };
  const { kind: _, ...fields } = object(making, header.layout.fields, '', 'header');
  const values = Object.entries(fields).filter(([name]) => name !== header.byteOrder?.field);
  return { ...Object.fromEntries(values), ...(header.version === undefined ? {} : { [header.version]: version }) };
}

function recordOf(layout: AnyRecord, probe: RecordProbe, version: number, variant: number): FormatRecord {
  const making: Making = { version, focus: probe.focus, value: probe.value, variant, count: variant };
  const made = object(making, layout.fields, '', layout.name);
  for (const [name, value] of Object.entries(probe.set ?? {}))
    made[name] = value === EMPTY_VALUE ? emptyOf(made[name]) : value;
  return { ...made, kind: layout.name };
}

function emptyOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(0);
  if (Array.isArray(value)) return [];
  return typeof value === 'bigint' ? 0n : 0;
}

function object(making: Making, fields: Fields, prefix: string, kind: string): Record<string, unknown> {
  const made: Record<string, unknown> = { kind };
  const derived = derivedFields(fields);
  for (const [name, field] of Object.entries(fields)) {
    if (derived.has(name)) continue;
    if (field.what === 'table') {
      for (const list of Object.keys(field.lists))
        made[list] = [{ name: octetsOf(`${list}-name`), value: next(making) }];
      continue;
    }
    const path = prefix + name;
    const isFocus = making.focus === path;
    if (field.what === 'letter' && isFocus && isUnknownLetter(making.value)) {
      made[name] = field.otherwise;
      made[`${name}Octet`] = making.value.octet;
      continue;
    }
    const value =
      isFocus && making.value !== undefined ? given(field, making.value) : one(making, fields, field, path, made);
    if (value !== undefined) made[name] = value;
  }
  return made;
}

function isUnknownLetter(value: unknown): value is { readonly octet: number } {
  return typeof value === 'object' && value !== null && 'octet' in value;
}

/** A value that was asked for. */
function given(field: Field, value: unknown): unknown {
  if (field.what === 'reserved' && value === 'dirty')
    return field.bytes === 1 || field.bytes === 2 || field.bytes === 4 ? 0xdd : new Uint8Array(field.bytes).fill(0xdd);
  const type = field.what === 'int' ? field.type : field.what === 'optional' ? field.of : undefined;
  if (value === 'wide' && type !== undefined) return type === 'u64' ? 0xa1b2c3d4e5f60718n : WIDE[type];
  if (field.what === 'int' && field.type === 'u64') return BigInt(value as number);
  return value;
}

function next(making: Making): number {
  return FIRST + making.count++;
}

/** The alternative that the focus is in, or on which it depends. */
function wantedCase(making: Making, fields: Fields, path: string): (kind: string) => boolean {
  return (kind) => {
    if (isInside(making.focus, `${path}.${kind}`)) return true;
    const focus = fields[making.focus ?? ''];
    return focus?.what === 'optional' && focus.when?.variant === path && focus.when.kind === kind;
  };
}

function one(
  making: Making,
  fields: Fields,
  field: Field,
  path: string,
  made: Readonly<Record<string, unknown>>,
): unknown {
  switch (field.what) {
    case 'int': {
      if ((field.since ?? 0) > making.version && making.version > 0) return field.type === 'u64' ? 0n : 0;
      const value = Math.max(field.min ?? 0, 0) + next(making);
      return field.type === 'u64' ? BigInt(value) : value;
    }
    case 'letter':
      return field.letters[0];
    case 'octets':
    case 'cstring':
    case 'terminated':
    case 'rest': {
      const letter = String.fromCharCode(0x61 + ((next(making) - FIRST) % 26));
      return octetsOf(letter.repeat(5 + making.variant));
    }
    case 'list':
      return [0, 1].map(() => {
        const { kind: _, ...entry } = object(making, field.of, `${path}[].`, '');
        return entry;
      });
    case 'variant': {
      const kinds = Object.entries(field.cases);
      const isWanted = wantedCase(making, fields, path);
      const [kind, of] = kinds.find(([name]) => isWanted(name)) ?? kinds[0] ?? ['', undefined];
      return of === undefined ? undefined : object(making, of.fields, `${path}.${kind}.`, kind);
    }
    case 'optional': {
      const alternative =
        field.when === undefined ? undefined : (made[field.when.variant] as { readonly kind?: string } | undefined);
      if (making.focus !== path || alternative?.kind !== field.when?.kind) return undefined;
      return field.of === 'u64' ? BigInt(next(making)) : next(making);
    }
    default:
      return undefined;
  }
}

/** Whether a path is another one or a part of it. */
export function isInside(path: string | undefined, other: string): boolean {
  return path !== undefined && (path === other || path.startsWith(`${other}.`) || path.startsWith(`${other}[`));
}
