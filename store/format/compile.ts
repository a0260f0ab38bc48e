import { INT_BYTES, type IntType, type Reader, type RunPart, type Writer } from './cursor.ts';
import {
  type Field,
  type Fields,
  type FlagsField,
  fieldsBytes,
  fixedBytes,
  type Layout,
  type LetterField,
  leastBytes,
  type OptionalField,
  type ValueOf,
  type VariantField,
} from './schema.ts';

// A codec that interprets its layout stores decoded fields under computed keys and calls through arrays of closures:
// 2.5 million node records a second. Straight-line code made once per layout reaches three times that, because all
// objects of a type share one shape. The source text is made of layouts only, which are constants of this program
// (`identifier` insists), never of octets that were read. `rows` interprets the same layouts and is tested against it.

/** A layout and its codec. `V` is the decoded value. */
export interface RecordSchema<V> extends Layout {
  /** Reads the body at `reader.pos`, not beyond `reader.end`; leaves `pos` behind it. `undefined` = reader.failure. */
  readonly decode: (reader: Reader) => V | undefined;
  /** Writes the body at `writer.pos`. False = writer.failure. */
  readonly encode: (writer: Writer, value: V) => boolean;
}

/** A record type: compiles the layout. Throws only for a layout that makes no sense, which is our own mistake. */
export function record<const N extends string, F extends Fields>(
  name: N,
  type: number,
  fields: F,
  note = '',
): RecordSchema<{ readonly kind: N } & ValueOf<F>> {
  return { name, type, fields, note, decode: compileDecode(fields, name), encode: compileEncode(fields, name) };
}

type Late = (object: string) => string;

class Emitter {
  readonly lines: string[] = [];
  /** Values that the code refers to as K[n]; the first is a helper function. */
  readonly constants: unknown[];
  #names = 0;

  constructor(helper: (...args: never[]) => unknown) {
    this.constants = [helper];
  }

  emit(...lines: string[]): void {
    this.lines.push(...lines);
  }

  fresh(): string {
    return `x${this.#names++}`;
  }

  constant(value: unknown): string {
    return `K[${this.constants.push(value) - 1}]`;
  }
}

/** Where a field is, as an expression: `prefix` is '' or an expression for all that comes before the name. */
function pathOf(prefix: string, name: string): string {
  return prefix === '' ? JSON.stringify(name) : `${prefix} + ${JSON.stringify(name)}`;
}

function identifier(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Error(`layout: ${JSON.stringify(name)} is not an identifier`);
  return name;
}

function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`layout: ${what}`);
  return value;
}

/** Splits fields into runs of fixed size, which need one bounds check, and single fields. */
function runsOf(fields: Fields): { readonly names: string[]; readonly bytes: number }[] {
  const runs: { names: string[]; bytes: number; open: boolean }[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const size = field.what === 'variant' ? undefined : fixedBytes(field);
    const last = runs.at(-1);
    if (size === undefined) runs.push({ names: [name], bytes: 0, open: false });
    else if (last?.open) {
      last.names.push(name);
      last.bytes += size;
    } else runs.push({ names: [name], bytes: size, open: true });
  }
  return runs;
}

/** The bits of a flags field that announce optional parts, and the condition under which each is in force. */
function optionalsOf(fields: Fields, flagsName: string): { name: string; field: OptionalField<IntType> }[] {
  const found: { name: string; field: OptionalField<IntType> }[] = [];
  for (const [name, field] of Object.entries(fields))
    if (field.what === 'optional' && field.flags === flagsName) found.push({ name, field });
  return found;
}

function variantOf(fields: Fields, name: string): VariantField<string, never> {
  const field = fields[name];
  if (field?.what !== 'variant') throw new Error(`layout: ${name} is no variant`);
  return field as VariantField<string, never>;
}

function lettersOf(field: LetterField<string>): (readonly [letter: string, octet: number])[] {
  return field.letters.map((letter) => [letter, letter.charCodeAt(0)]);
}

// ---------------------------------------------------------------------------------------------------- reading

function compileDecode<V>(fields: Fields, kind: string): (reader: Reader) => V | undefined {
  const e = new Emitter(keptOctets);
  const { props, late } = decodeFields(e, fields, '', false);
  const body = [
    'const kept = K[0]; return function decode(c) {',
    'const b = c.bytes, v = c.view, le = c.littleEndian, end = c.end, base = c.base; let p = c.pos;',
    ...e.lines,
    `const o = {${[`kind: ${JSON.stringify(kind)}`, ...props].join(', ')}};`,
    ...late.map((one) => one('o')),
    'c.pos = p; return o; };',
  ];
  return new Function('K', body.join('\n'))(e.constants);
}

function readInt(type: IntType, at: string): string {
  switch (type) {
    case 'u8':
      return `b[${at}]`;
    case 'u16':
      return `v.getUint16(${at}, le)`;
    case 'u32':
      return `v.getUint32(${at}, le)`;
    case 'i32':
      return `v.getInt32(${at}, le)`;
    case 'u64':
      return `v.getBigUint64(${at}, le)`;
  }
}

interface Decoded {
  readonly props: string[];
  /** Statements that add the properties which are absent as a rule. */
  readonly late: Late[];
}

function decodeFields(e: Emitter, fields: Fields, prefix: string, checked: boolean): Decoded {
  const out: Decoded = { props: [], late: [] };
  /** Numbers that later fields need: field name to variable. */
  const numbers = new Map<string, string>();
  const derived = refersTo(fields);
  for (const run of runsOf(fields)) {
    if (run.bytes > 0 && !checked) {
      const parts: RunPart[] = [];
      let at = 0;
      for (const name of run.names) {
        const size = need(fixedBytes(need(fields[name], name)), name);
        parts.push([name, at, size]);
        at += size;
      }
      e.emit(`if (p + ${run.bytes} > end) return c.short(p, ${prefix || '""'}, ${e.constant(parts)});`);
    }
    let at = 0;
    for (const name of run.names) {
      const field = need(fields[identifier(name)], name);
      decodeField(e, { fields, name, field, prefix, at, numbers, isDerived: derived.has(name) }, out);
      at += run.bytes > 0 ? need(fixedBytes(field), name) : 0;
    }
    if (run.bytes > 0) e.emit(`p += ${run.bytes};`);
  }
  return out;
}

interface FieldPlace {
  readonly fields: Fields;
  readonly name: string;
  readonly field: Field;
  readonly prefix: string;
  /** Offset from `p` inside a fixed run. */
  readonly at: number;
  readonly numbers: Map<string, string>;
  readonly isDerived: boolean;
}

function decodeField(e: Emitter, place: FieldPlace, out: Decoded): void {
  const { fields, name, field, prefix, numbers } = place;
  const x = e.fresh();
  const at = place.at === 0 ? 'p' : `p + ${place.at}`;
  const path = pathOf(prefix, name);
  const number = (of: string) => need(numbers.get(of), `${of} must come before ${name}`);
  switch (field.what) {
    case 'int':
      e.emit(`const ${x} = ${readInt(field.type, at)};`);
      if (field.min !== undefined)
        e.emit(`if (${x} < ${field.min}) return c.fail(${at}, ${path}, "is " + ${x} + ", less than ${field.min}");`);
      numbers.set(name, x);
      if (!place.isDerived) out.props.push(`${name}: ${x}`);
      return;
    case 'constant':
      e.emit(
        `const ${x} = ${readInt(field.type, at)};`,
        `if (${x} !== ${field.value}) return c.fail(${at}, ${path}, "is " + ${x} + ", must be ${field.value}");`,
      );
      return;
    case 'flags':
      e.emit(`const ${x} = ${readInt(field.type, at)};`);
      numbers.set(name, x);
      out.late.push((o) => {
        const known = optionalsOf(fields, name).map(
          (one) => `(${inForce(fields, one.field, numbers)} ? ${bitOf(one.field)} : 0)`,
        );
        const unknown = e.fresh();
        const mask = known.length === 0 ? '0' : known.join(' | ');
        return `const ${unknown} = (${x} & ~(${mask})) >>> 0; if (${unknown} !== 0) ${o}.${name} = ${unknown};`;
      });
      return;
    case 'reserved': {
      const type = RESERVED_INTS[field.bytes];
      e.emit(`const ${x} = ${type === undefined ? `kept(b, ${at}, ${at} + ${field.bytes})` : readInt(type, at)};`);
      out.late.push((o) => `if (${x} !== ${type === undefined ? 'undefined' : 0}) ${o}.${name} = ${x};`);
      return;
    }
    case 'letter':
      e.emit(
        `const ${x} = b[${at}];`,
        `const ${x}L = ${lettersOf(field)
          .map(([letter, octet]) => `${x} === ${octet} ? ${JSON.stringify(letter)} : `)
          .join('')}undefined;`,
      );
      out.props.push(`${name}: ${x}L === undefined ? ${JSON.stringify(field.otherwise)} : ${x}L`);
      out.late.push((o) => `if (${x}L === undefined) ${o}.${name}Octet = ${x};`);
      return;
    case 'align':
      decodeAlign(e, field.to, x, path);
      out.late.push((o) => `if (${x} !== undefined) ${o}.${name} = ${x};`);
      return;
    case 'octets': {
      const n = number(field.length);
      e.emit(
        `if (${n} > end - p) return c.beyond(p, ${path}, ${n});`,
        `const ${x} = b.subarray(p, p + ${n}); p += ${n};`,
      );
      out.props.push(`${name}: ${x}`);
      return;
    }
    case 'cstring': {
      const n = number(field.length);
      e.emit(
        `if (${n} > end - p) return c.beyond(p, ${path}, ${n});`,
        `if (${n} === 0) return c.fail(p, ${path}, "length 0 leaves no room for the NUL");`,
        `if (b[p + ${n} - 1] !== 0) return c.fail(p + ${n} - 1, ${path}, "does not end in NUL");`,
        `const ${x} = b.subarray(p, p + ${n} - 1); p += ${n};`,
      );
      out.props.push(`${name}: ${x}`);
      return;
    }
    case 'rest':
      e.emit(`const ${x} = b.subarray(p, end); p = end;`);
      out.props.push(`${name}: ${x}`);
      return;
    case 'list': {
      const n = number(field.count);
      const i = e.fresh();
      const size = fieldsBytes(field.of);
      const least = Math.max(1, leastBytes(field.of));
      e.emit(
        `if (${n} * ${least} > end - p) return c.beyond(p, ${path}, ${n} * ${least});`,
        `const ${x} = []; for (let ${i} = 0; ${i} < ${n}; ${i}++) {`,
      );
      const inner = decodeFields(e, field.of, `${path} + "[" + ${i} + "]."`, size !== undefined);
      const o = e.fresh();
      e.emit(`const ${o} = {${inner.props.join(', ')}};`, ...inner.late.map((one) => one(o)), `${x}.push(${o}); }`);
      out.props.push(`${name}: ${x}`);
      return;
    }
    case 'table':
      decodeTable(e, place, x, out);
      return;
    case 'variant': {
      const tag = number(field.on);
      e.emit(`let ${x}; switch (${tag}) {`);
      for (const [kind, one] of Object.entries(field.cases)) {
        const o = e.fresh();
        e.emit(`case ${one.tag}: {`);
        const inner = decodeFields(e, one.fields, pathOf(prefix, `${name}.${identifier(kind)}.`), false);
        e.emit(
          `const ${o} = {${[`kind: ${JSON.stringify(kind)}`, ...inner.props].join(', ')}};`,
          ...inner.late.map((late) => late(o)),
          `${x} = ${o}; break; }`,
        );
      }
      e.emit(`default: return c.fail(p, ${path}, "${field.on} is " + ${tag} + ", which is not defined"); }`);
      out.props.push(`${name}: ${x}`);
      return;
    }
    case 'optional': {
      const pad = e.fresh();
      e.emit(
        `let ${x}, ${pad}P; if (${inForce(fields, field, numbers)} && (${number(field.flags)} & ${bitOf(field)})) {`,
      );
      if (field.align > 1) {
        decodeAlign(e, field.align, pad, pathOf(prefix, `${name}Pad`));
        e.emit(`${pad}P = ${pad};`);
      }
      e.emit(
        `if (p + ${INT_BYTES[field.of]} > end) return c.beyond(p, ${path}, ${INT_BYTES[field.of]});`,
        `${x} = ${readInt(field.of, 'p')}; p += ${INT_BYTES[field.of]}; }`,
      );
      out.late.push((o) => `if (${x} !== undefined) ${o}.${name} = ${x};`);
      out.late.push((o) => `if (${pad}P !== undefined) ${o}.${name}Pad = ${pad}P;`);
      return;
    }
  }
}

const RESERVED_INTS: Readonly<Record<number, IntType | undefined>> = { 1: 'u8', 2: 'u16', 4: 'u32' };

function refersTo(fields: Fields): ReadonlySet<string> {
  const found = new Set<string>();
  for (const field of Object.values(fields)) {
    if (field.what === 'octets' || field.what === 'cstring') found.add(field.length);
    else if (field.what === 'list') found.add(field.count);
    else if (field.what === 'variant') found.add(field.on);
    else if (field.what === 'table') for (const count of Object.values(field.lists)) found.add(count);
  }
  return found;
}

function bitOf(field: OptionalField<IntType>): number {
  return (1 << field.bit) >>> 0;
}

/** Expression: may the bit of this optional part mean anything here? While reading, told by the variant's tag. */
function inForce(fields: Fields, field: OptionalField<IntType>, numbers: ReadonlyMap<string, string>): string {
  if (field.when === undefined) return 'true';
  const variant = variantOf(fields, field.when.variant);
  const one = need((variant.cases as Record<string, { tag: number }>)[field.when.kind], field.when.kind);
  return `${need(numbers.get(variant.on), variant.on)} === ${one.tag}`;
}

/** Defines `x`: the padding octets when they are not all zero, else undefined. */
function decodeAlign(e: Emitter, to: number, x: string, path: string): void {
  e.emit(
    `const ${x}N = -(p - base) & ${to - 1};`,
    `if (${x}N > end - p) return c.beyond(p, ${path}, ${x}N);`,
    `const ${x} = kept(b, p, p + ${x}N); p += ${x}N;`,
  );
}

/** The octets `from`..`to` when they are worth keeping, i.e. not all zero. */
export function keptOctets(bytes: Uint8Array, from: number, to: number): Uint8Array | undefined {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return bytes.subarray(from, to);
  return undefined;
}

function decodeTable(e: Emitter, place: FieldPlace, x: string, out: Decoded): void {
  const { field, name, prefix, numbers } = place;
  if (field.what !== 'table') return;
  const counts = Object.entries(field.lists).map(
    ([listName, count]) => [identifier(listName), need(numbers.get(count), count)] as const,
  );
  const total = counts.map(([, n]) => n).join(' + ');
  // A name is at least one octet and its NUL: no more entries than that can be announced.
  e.emit(
    `const ${x}N = ${total}; if (${x}N * 6 > end - p) return c.beyond(p, ${pathOf(prefix, name)}, ${x}N * 6);`,
    `let ${x}V = p; p += ${x}N * 4;`,
  );
  for (const [listName, n] of counts) {
    const l = e.fresh();
    const path = `${pathOf(prefix, listName)} + "[" + i + "].name"`;
    e.emit(
      `const ${l} = []; for (let i = 0; i < ${n}; i++) {`,
      'let q = p; while (q < end && b[q] !== 0) q++;',
      `if (q === end) return c.fail(p, ${path}, "does not end in NUL");`,
      `if (q === p) return c.fail(p, ${path}, "is empty");`,
      `${l}.push({name: b.subarray(p, q), value: v.getUint32(${x}V, le)}); ${x}V += 4; p = q + 1; }`,
    );
    out.props.push(`${listName}: ${l}`);
  }
}

// ---------------------------------------------------------------------------------------------------- writing

function compileEncode<V>(fields: Fields, kind: string): (writer: Writer, value: V) => boolean {
  const e = new Emitter(misfit);
  encodeFields(e, fields, 'r', '');
  const body = [
    'const misfit = K[0]; return function encode(w, r) {',
    'let b = w.bytes, v = w.view; const le = w.littleEndian, base = w.base; let p = w.pos;',
    `if (typeof r !== "object" || r === null || r.kind !== ${JSON.stringify(kind)})`,
    `return w.fail(p, "kind", "is not ${kind}"), false;`,
    ...e.lines,
    'w.pos = p; return true; };',
  ];
  return new Function('K', body.join('\n'))(e.constants);
}

/** Why `value` is not an integer of `type`. */
function misfit(value: unknown, type: IntType): string {
  return typeof value === 'number' || typeof value === 'bigint'
    ? `${value} does not fit ${type}`
    : `a ${typeof value} is not a ${type}`;
}

/** Expression: true when `x` is not an integer of that type. */
function isMisfit(type: IntType, x: string): string {
  switch (type) {
    case 'u8':
      return `typeof ${x} !== "number" || (${x} & 255) !== ${x}`;
    case 'u16':
      return `typeof ${x} !== "number" || (${x} & 65535) !== ${x}`;
    case 'u32':
      return `typeof ${x} !== "number" || (${x} >>> 0) !== ${x}`;
    case 'i32':
      return `typeof ${x} !== "number" || (${x} | 0) !== ${x}`;
    case 'u64':
      return `typeof ${x} !== "bigint" || BigInt.asUintN(64, ${x}) !== ${x}`;
  }
}

const INT_MAX = { u8: 0xff, u16: 0xffff, u32: 0xffffffff, i32: 0x7fffffff } as const;

function writeInt(type: IntType, at: string, x: string): string {
  switch (type) {
    case 'u8':
      return `b[${at}] = ${x};`;
    case 'u16':
      return `v.setUint16(${at}, ${x}, le);`;
    case 'u32':
      return `v.setUint32(${at}, ${x}, le);`;
    case 'i32':
      return `v.setInt32(${at}, ${x}, le);`;
    case 'u64':
      return `v.setBigUint64(${at}, ${x}, le);`;
  }
}

function room(bytes: string | number): string {
  return `if (p + ${bytes} > b.length) { if (!w.room(p, ${bytes})) return false; b = w.bytes; v = w.view; }`;
}

/** Copies the octets `x` to `p`. Most are shorter than a call of set() is worth. */
function copy(x: string): string {
  return `if (${x}.length > 48) b.set(${x}, p); else for (let i = 0; i < ${x}.length; i++) b[p + i] = ${x}[i]; p += ${x}.length;`;
}

function encodeFields(e: Emitter, fields: Fields, source: string, prefix: string): void {
  /** What is written into derived fields: expression, what it counts in words, path of what is counted. */
  const numbers = new Map<string, { readonly x: string; readonly text: string; readonly path: string }>();
  const vars = new Map<string, string>();
  for (const [name, field] of Object.entries(fields)) hoist(e, { name, field, source, prefix, vars, numbers });
  for (const run of runsOf(fields)) {
    if (run.bytes > 0) e.emit(room(run.bytes));
    let at = 0;
    for (const name of run.names) {
      const field = need(fields[identifier(name)], name);
      encodeField(e, { fields, name, field, source, prefix, at, vars, numbers });
      at += run.bytes > 0 ? need(fixedBytes(field), name) : 0;
    }
    if (run.bytes > 0) e.emit(`p += ${run.bytes};`);
  }
}

interface EncodePlace {
  readonly name: string;
  readonly field: Field;
  readonly source: string;
  readonly prefix: string;
  readonly vars: Map<string, string>;
  readonly numbers: Map<string, { readonly x: string; readonly text: string; readonly path: string }>;
}

/** Fetches what later or derived fields depend on, and checks its kind. */
function hoist(e: Emitter, place: EncodePlace): void {
  const { name, field, source, prefix, vars, numbers } = place;
  const path = pathOf(prefix, name);
  const x = e.fresh();
  const bad = (of: string, what: string) => `return w.fail(p, ${of}, "is not ${what}"), false;`;
  switch (field.what) {
    case 'octets':
    case 'cstring':
    case 'rest':
      e.emit(`const ${x} = ${source}.${name}; if (!(${x} instanceof Uint8Array)) ${bad(path, 'octets')}`);
      if (field.what === 'octets') numbers.set(field.length, { x: `${x}.length`, text: 'octets', path });
      if (field.what === 'cstring')
        numbers.set(field.length, { x: `(${x}.length + 1)`, text: 'octets with the NUL', path });
      break;
    case 'list':
      e.emit(`const ${x} = ${source}.${name}; if (!Array.isArray(${x})) ${bad(path, 'a list')}`);
      numbers.set(field.count, { x: `${x}.length`, text: 'entries', path });
      break;
    case 'table':
      for (const [listName, count] of Object.entries(field.lists)) {
        const l = e.fresh();
        const listPath = pathOf(prefix, listName);
        e.emit(`const ${l} = ${source}.${identifier(listName)}; if (!Array.isArray(${l})) ${bad(listPath, 'a list')}`);
        numbers.set(count, { x: `${l}.length`, text: 'entries', path: listPath });
        vars.set(listName, l);
      }
      break;
    case 'variant':
      e.emit(
        `const ${x} = ${source}.${name}; if (typeof ${x} !== "object" || ${x} === null) ${bad(path, 'an object')}`,
        `let ${x}T; switch (${x}.kind) {`,
        ...Object.entries(field.cases).map(([kind, one]) => `case ${JSON.stringify(kind)}: ${x}T = ${one.tag}; break;`),
        `default: ${bad(`${path} + ".kind"`, `one of ${Object.keys(field.cases).join(', ')}`)} }`,
      );
      numbers.set(field.on, { x: `${x}T`, text: 'as tag', path });
      break;
    case 'optional':
      e.emit(`const ${x} = ${source}.${name};`);
      break;
    case 'int':
    case 'constant':
    case 'flags':
    case 'reserved':
    case 'letter':
    case 'align':
      return;
  }
  vars.set(name, x);
}

function encodeField(e: Emitter, place: EncodePlace & { readonly fields: Fields; readonly at: number }): void {
  const { fields, name, field, source, prefix, vars, numbers } = place;
  const path = pathOf(prefix, name);
  const at = place.at === 0 ? 'p' : `p + ${place.at}`;
  const x = vars.get(name) ?? e.fresh();
  switch (field.what) {
    case 'int': {
      const derived = numbers.get(name);
      if (derived !== undefined) {
        if (field.type === 'u64') throw new Error(`layout: ${name} is too wide to count anything`);
        e.emit(
          `if (${derived.x} > ${INT_MAX[field.type]}) return w.fail(${at}, ${derived.path}, ${derived.x} + " ${derived.text} do not fit ${name} (${field.type})"), false;`,
          writeInt(field.type, at, derived.x),
        );
        return;
      }
      e.emit(
        `const ${x} = ${source}.${name};`,
        `if (${isMisfit(field.type, x)}) return w.fail(${at}, ${path}, misfit(${x}, "${field.type}")), false;`,
      );
      if (field.min !== undefined)
        e.emit(
          `if (${x} < ${field.min}) return w.fail(${at}, ${path}, "is " + ${x} + ", less than ${field.min}"), false;`,
        );
      e.emit(writeInt(field.type, at, x));
      return;
    }
    case 'constant':
      e.emit(writeInt(field.type, at, String(field.value)));
      return;
    case 'flags':
      encodeFlags(e, { ...place, field, at, path, x });
      return;
    case 'reserved': {
      const type = RESERVED_INTS[field.bytes];
      if (type !== undefined)
        e.emit(
          `const ${x} = ${source}.${name} ?? 0;`,
          `if (${isMisfit(type, x)}) return w.fail(${at}, ${path}, misfit(${x}, "${type}")), false;`,
          writeInt(type, at, x),
        );
      else
        e.emit(
          `const ${x} = ${source}.${name}; if (${x} === undefined) b.fill(0, ${at}, ${at} + ${field.bytes});`,
          `else if (${x} instanceof Uint8Array && ${x}.length === ${field.bytes}) b.set(${x}, ${at});`,
          `else return w.fail(${at}, ${path}, "is not ${field.bytes} octets"), false;`,
        );
      return;
    }
    case 'letter':
      e.emit(
        `let ${x}; switch (${source}.${name}) {`,
        ...lettersOf(field).map(([letter, octet]) => `case ${JSON.stringify(letter)}: ${x} = ${octet}; break;`),
        `default: return w.fail(${at}, ${path}, "is not one of ${field.letters.join('')}"), false; }`,
        `const ${x}O = ${source}.${name}Octet; if (${x}O !== undefined) {`,
        `if (${isMisfit('u8', `${x}O`)}) return w.fail(${at}, ${path} + "Octet", misfit(${x}O, "u8")), false;`,
        `if (${source}.${name} !== ${JSON.stringify(field.otherwise)} || ${lettersOf(field)
          .map(([letter, octet]) => `${letter === field.otherwise ? 'false' : `${x}O === ${octet}`}`)
          .join(' || ')}) return w.fail(${at}, ${path} + "Octet", "contradicts the letter"), false;`,
        `${x} = ${x}O; }`,
        writeInt('u8', at, x),
      );
      return;
    case 'align':
      encodeAlign(e, field.to, `${source}.${name}`);
      return;
    case 'octets':
    case 'rest':
      e.emit(room(`${x}.length`), copy(x));
      return;
    case 'cstring':
      e.emit(room(`${x}.length + 1`), copy(x), 'b[p++] = 0;');
      return;
    case 'list': {
      const i = e.fresh();
      const o = e.fresh();
      const inner = `${path} + "[" + ${i} + "]."`;
      e.emit(
        `for (let ${i} = 0; ${i} < ${x}.length; ${i}++) { const ${o} = ${x}[${i}];`,
        `if (typeof ${o} !== "object" || ${o} === null) return w.fail(p, ${path} + "[" + ${i} + "]", "is not an object"), false;`,
      );
      encodeFields(e, field.of, o, inner);
      e.emit('}');
      return;
    }
    case 'table':
      encodeTable(
        e,
        Object.keys(field.lists).map((of) => [need(vars.get(of), of), pathOf(prefix, of)]),
      );
      return;
    case 'variant':
      e.emit(`switch (${x}T) {`);
      for (const [kind, one] of Object.entries(field.cases)) {
        e.emit(`case ${one.tag}: {`);
        encodeFields(e, one.fields, x, pathOf(prefix, `${name}.${kind}.`));
        e.emit('break; }');
      }
      e.emit('}');
      return;
    case 'optional':
      e.emit(
        `if (${x} !== undefined) {`,
        `if (${isMisfit(field.of, x)}) return w.fail(p, ${path}, misfit(${x}, "${field.of}")), false;`,
      );
      if (field.align > 1) encodeAlign(e, field.align, `${source}.${name}Pad`);
      e.emit(room(INT_BYTES[field.of]), writeInt(field.of, 'p', x), `p += ${INT_BYTES[field.of]}; }`);
      if (!(fields[field.flags]?.what === 'flags')) throw new Error(`layout: ${field.flags} are no flags`);
      return;
  }
}

/** Presence bits follow from the optional parts; the value holds only the bits that announce nothing. */
function encodeFlags(
  e: Emitter,
  place: EncodePlace & {
    readonly fields: Fields;
    readonly field: FlagsField;
    readonly at: string;
    readonly path: string;
    readonly x: string;
  },
): void {
  const { fields, name, field, source, prefix, vars, at, path, x } = place;
  e.emit(
    `let ${x} = ${source}.${name} ?? 0;`,
    `if (${isMisfit(field.type, x)}) return w.fail(${at}, ${path}, misfit(${x}, "${field.type}")), false;`,
  );
  for (const one of optionalsOf(fields, name)) {
    const { when } = one.field;
    const part = need(vars.get(one.name), one.name);
    const bit = bitOf(one.field);
    const allowed =
      when === undefined
        ? 'true'
        : `${need(vars.get(when.variant), when.variant)}.kind === ${JSON.stringify(when.kind)}`;
    e.emit(
      `if (${allowed}) {`,
      `if (${x} & ${bit}) return w.fail(${at}, ${path}, "bit ${one.field.bit} is told by ${one.name}"), false;`,
      `if (${part} !== undefined) ${x} = (${x} | ${bit}) >>> 0;`,
      `} else if (${part} !== undefined) return w.fail(${at}, ${pathOf(prefix, one.name)}, "needs ${when?.variant} to be ${when?.kind}"), false;`,
    );
  }
  e.emit(writeInt(field.type, at, x));
}

/** Kept padding of another length than is needed now belongs to a value that was changed since: zeroes again. */
function encodeAlign(e: Emitter, to: number, source: string): void {
  const x = e.fresh();
  e.emit(
    `const ${x} = ${source}; const ${x}N = -(p - base) & ${to - 1};`,
    room(`${x}N`),
    `if (${x} instanceof Uint8Array && ${x}.length === ${x}N) b.set(${x}, p); else b.fill(0, p, p + ${x}N);`,
    `p += ${x}N;`,
  );
}

function encodeTable(e: Emitter, lists: (readonly [x: string, path: string])[]): void {
  for (const [x, path] of lists)
    e.emit(
      `for (let i = 0; i < ${x}.length; i++) { const q = ${x}[i]?.value;`,
      `if (${isMisfit('u32', 'q')}) return w.fail(p, ${path} + "[" + i + "].value", misfit(q, "u32")), false;`,
      room(4),
      'v.setUint32(p, q, le); p += 4; }',
    );
  for (const [x, path] of lists)
    e.emit(
      `for (let j = 0; j < ${x}.length; j++) { const q = ${x}[j].name, at = ${path} + "[" + j + "].name";`,
      'if (!(q instanceof Uint8Array)) return w.fail(p, at, "is not octets"), false;',
      'if (q.length === 0) return w.fail(p, at, "is empty"), false;',
      'if (q.indexOf(0) >= 0) return w.fail(p, at, "has a NUL inside"), false;',
      room('q.length + 1'),
      copy('q'),
      'b[p++] = 0; }',
    );
}
