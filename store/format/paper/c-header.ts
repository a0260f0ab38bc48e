import { type AnyRecord, type Format, knobsOf, recordsOf } from '../file/format.ts';
import type { Knobs } from '../schema/knobs.ts';
import type { Field, Fields } from '../schema/schema.ts';
import { fieldsBytes } from '../schema/sizes.ts';
import { type Piece, type Run, runsOf } from './segments.ts';

/**
 * C declarations of a format: a struct for every run of fields at fixed offsets, with assertions on their sizes and
 * offsets, and the numbers. Compiles as C11 by itself. What has no fixed place is told in comments.
 */
export function headerOf(format: Format, given: Partial<Knobs> = {}): string {
  const prefix = `xs_${identifier(format.name)}`;
  const knobs = knobsOf(format, given);
  const records = recordsOf(format, knobs).toSorted((a, b) => a.type - b.type);
  const guard = `${prefix.toUpperCase()}_H`;
  const parts = [
    comment(`${format.name}: ${format.title}. ${format.note} Source: ${format.source}.`),
    `#ifndef ${guard}\n#define ${guard}\n\n#include <assert.h>\n#include <stddef.h>\n#include <stdint.h>`,
    comment('Structures are packed: a compiler must not add octets that the format does not have.'),
    `#if defined(__GNUC__)\n#define ${prefix.toUpperCase()}_PACKED __attribute__((packed))\n#else\n#define ${prefix.toUpperCase()}_PACKED\n#endif`,
    ...(format.header === undefined ? [] : layoutParts(prefix, format.header.layout)),
    ...(records.some(({ type }) => type >= 0) ? [typesPart(prefix, records)] : []),
    ...records.flatMap((record) => layoutParts(prefix, record)),
    `#endif`,
  ];
  return `${parts.join('\n\n')}\n`;
}

function identifier(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '_');
}

/** `permCount`: `perm_count`. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const LINE_MAX = 100;

function comment(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.replaceAll('*/', '* /').split(/\s+/)) {
    if (line.length + word.length > LINE_MAX) {
      lines.push(line);
      line = '';
    }
    line += (line === '' ? '' : ' ') + word;
  }
  lines.push(line);
  return lines.length === 1 ? `/* ${lines[0]} */` : `/*\n${lines.map((one) => ` * ${one}`).join('\n')}\n */`;
}

function typesPart(prefix: string, records: readonly AnyRecord[]): string {
  const rows = records.map(({ name, type }) => `\t${prefix.toUpperCase()}_TYPE_${name} = ${type},`);
  return `enum ${prefix}_type {\n${rows.join('\n')}\n};`;
}

function layoutParts(prefix: string, layout: AnyRecord): string[] {
  const name = `${prefix}_${identifier(layout.name)}`;
  const note = [layout.name, layout.note].filter((one) => one !== '').join(': ');
  const runs = structsOf(runsOf(layout.fields));
  const [first, ...others] = runs;
  if (first === undefined) return [comment(`${note} The body is empty.`)];
  const entries = Object.entries(layout.fields).flatMap(([field, one]) =>
    one.what === 'list'
      ? structParts(`${name}_${snake(field)}`, `An entry of ${snake(field)}.`, runsOf(one.of), prefix)
      : [],
  );
  return [
    ...entries,
    ...structParts(name, note, [first], prefix),
    ...others.flatMap((run) =>
      structParts(`${name}_after_${snake(run.after ?? '')}`, `What follows ${snake(run.after ?? '')}.`, [run], prefix),
    ),
  ];
}

/** Runs without anything of fixed size go to the struct before them, where they are comments. */
function structsOf(runs: readonly Run[]): readonly Run[] {
  const structs: { after: string | undefined; pieces: Piece[] }[] = [];
  for (const { after, pieces } of runs) {
    const isOpen = pieces.every(({ bytes }) => bytes === undefined);
    if (isOpen && structs.length > 0) structs.at(-1)?.pieces.push(...pieces);
    else structs.push({ after, pieces: [...pieces] });
  }
  return structs;
}

/** One struct and what is asserted of it; a run without anything of fixed size is a comment. */
function structParts(name: string, note: string, [run]: readonly Run[], prefix: string): string[] {
  if (run === undefined) return [];
  const fixed = run.pieces.filter(({ bytes }) => bytes !== undefined);
  const open = run.pieces.filter(({ bytes }) => bytes === undefined).map((piece) => openText(name, piece));
  if (fixed.length === 0) return [comment(`${name}: ${note} ${open.join(' ')}`)];
  const size = fixed.reduce((sum, { bytes }) => sum + (bytes as number), 0);
  const members = fixed.map((piece) => member(piece, '\t'));
  const tail = open.map((text) => `\t${comment(text)}`);
  const constants = fixed.flatMap(({ name: field, field: one }) =>
    one.what === 'constant' ? [`#define ${name.toUpperCase()}_${snake(field).toUpperCase()} ${one.value}u`] : [],
  );
  return [
    `${comment(note)}\nstruct ${name} {\n${[...members, ...tail].join('\n')}\n} ${prefix.toUpperCase()}_PACKED;`,
    ...(constants.length > 0 ? [constants.join('\n')] : []),
    [
      `static_assert(sizeof(struct ${name}) == ${size}, "size of ${name}");`,
      ...fixed.map(
        ({ name: field, at }) =>
          `static_assert(offsetof(struct ${name}, ${snake(field)}) == ${at}, "${name}.${snake(field)}");`,
      ),
    ].join('\n'),
  ];
}

function openText(name: string, { name: field, field: one }: Piece): string {
  const own = snake(field);
  switch (one.what) {
    case 'list':
      return `${snake(one.count)} times struct ${name}_${own} ${own}.`;
    case 'octets':
    case 'cstring':
      return `${snake(one.length)} octets of ${own}${one.what === 'cstring' ? (one.uncounted === true ? ', and a NUL that is not counted' : ', of which the last is NUL') : ''}.`;
    case 'terminated':
      return `${own} up to its NUL.`;
    case 'rest':
      return `${own}: all that is left.`;
    case 'align':
      return `Zeroes up to a multiple of ${one.to}.`;
    case 'table':
      return `${own}: ${Object.values(one.lists).map(snake).join(' + ')} values, uint32_t each, then as many names, each with its NUL.`;
    case 'optional':
      return `${one.align > 1 ? `Zeroes up to a multiple of ${one.align}, then ` : ''}${C_TYPES[one.of]} ${own}, if bit ${one.bit} of ${snake(one.flags)} is set.`;
    case 'variant':
      return `${own}: one of ${Object.entries(one.cases)
        .map(([kind, { tag }]) => `${kind} (${snake(one.on)} ${tag})`)
        .join(', ')}.`;
    default:
      return `${own}.`;
  }
}

const C_TYPES = { u8: 'uint8_t', u16: 'uint16_t', u32: 'uint32_t', u64: 'uint64_t', i32: 'int32_t' } as const;
const RESERVED = new Map([
  [1, 'uint8_t'],
  [2, 'uint16_t'],
  [4, 'uint32_t'],
]);

function member({ name, field, bytes }: Piece, indent: string): string {
  const own = snake(name);
  const note = 'note' in field && field.note !== undefined ? ` ${comment(field.note)}` : '';
  return `${indent}${declaration(own, field, bytes ?? 0, indent)};${orderNote(field)}${note}`;
}

function orderNote(field: Field): string {
  return field.what === 'int' && field.order !== undefined ? ` ${comment(`${field.order} endian.`)}` : '';
}

function declaration(own: string, field: Field, bytes: number, indent: string): string {
  switch (field.what) {
    case 'int':
    case 'constant':
    case 'flags':
      return `${C_TYPES[field.type]} ${own}`;
    case 'letter':
      return `uint8_t ${own}`;
    case 'reserved': {
      const type = RESERVED.get(bytes);
      return type === undefined ? `uint8_t ${own}[${bytes}]` : `${type} ${own}`;
    }
    case 'variant': {
      const cases = Object.entries(field.cases).map(([kind, one]) => caseText(kind, one.fields, `${indent}\t`));
      return `union {\n${cases.join('\n')}\n${indent}} ${own}`;
    }
    default:
      return `uint8_t ${own}[${bytes}]`;
  }
}

function caseText(kind: string, fields: Fields, indent: string): string {
  const pieces = runsOf(fields)[0]?.pieces ?? [];
  const members = pieces.map((piece) => member(piece, `${indent}\t`));
  if (fieldsBytes(fields) === undefined) members.push(`${indent}\t${comment('And more of no fixed size.')}`);
  return `${indent}struct {\n${members.join('\n')}\n${indent}} ${snake(kind)};`;
}
