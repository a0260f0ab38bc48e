import { INT_BYTES, type IntType, keptOctets, type Reader, type RunPart } from '../schema/cursor.ts';
import { magicText } from '../schema/describe.ts';
import type { Field, Fields, OptionalField } from '../schema/schema.ts';
import { derivedFields, fieldsBytes, fixedBytes, leastBytes } from '../schema/sizes.ts';
import {
  bitOf,
  Emitter,
  identifier,
  lettersOf,
  need,
  optionalsOf,
  orderOf,
  pathOf,
  RESERVED_INTS,
  runsOf,
  variantOf,
} from './emitter.ts';

const NOTHING = new Uint8Array(0);

type Late = (object: string) => string;

/** The function that reads a body of that layout. */
export function compileDecode<V>(fields: Fields, kind: string): (reader: Reader) => V | undefined {
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

function readInt(type: IntType, at: string, le = 'le'): string {
  switch (type) {
    case 'u8':
      return `b[${at}]`;
    case 'u16':
      return `v.getUint16(${at}, ${le})`;
    case 'u32':
      return `v.getUint32(${at}, ${le})`;
    case 'i32':
      return `v.getInt32(${at}, ${le})`;
    case 'u64':
      return `v.getBigUint64(${at}, ${le})`;
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
  const derived = derivedFields(fields);
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
      e.emit(`const ${x} = ${readInt(field.type, at, orderOf(field.order))};`);
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
    case 'magic':
      for (const [i, octet] of field.octets.entries())
        e.emit(
          `if (p + ${i} >= end) return c.beyond(p, ${path}, ${field.octets.length});`,
          `if (b[p + ${i}] !== ${octet}) return c.fail(p + ${i}, ${path}, ${JSON.stringify(`is not ${magicText(field.octets)}`)});`,
        );
      e.emit(`p += ${field.octets.length};`);
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
        // Most directories have no value: one window for all of them is one object less for each.
        `const ${x} = ${n} === 0 ? ${e.constant(NOTHING)} : b.subarray(p, p + ${n}); p += ${n};`,
      );
      out.props.push(`${name}: ${x}`);
      return;
    }
    case 'terminated':
      e.emit(
        `let ${x}E = p; while (${x}E < end && b[${x}E] !== 0) ${x}E++;`,
        `if (${x}E === end) return c.fail(p, ${path}, "does not end in NUL");`,
        `const ${x} = b.subarray(p, ${x}E); p = ${x}E + 1;`,
      );
      out.props.push(`${name}: ${x}`);
      return;
    case 'cstring': {
      const n = field.uncounted ? `(${number(field.length)} + 1)` : number(field.length);
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
