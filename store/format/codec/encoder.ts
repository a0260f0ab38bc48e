import { INT_BYTES, type IntType, type Writer } from '../schema/cursor.ts';
import type { Field, Fields, FlagsField } from '../schema/schema.ts';
import { fixedBytes } from '../schema/sizes.ts';
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
} from './emitter.ts';

/** The function that writes a value by that layout. */
export function compileEncode<V>(fields: Fields, kind: string): (writer: Writer, value: V) => boolean {
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

function writeInt(type: IntType, at: string, x: string, le = 'le'): string {
  switch (type) {
    case 'u8':
      return `b[${at}] = ${x};`;
    case 'u16':
      return `v.setUint16(${at}, ${x}, ${le});`;
    case 'u32':
      return `v.setUint32(${at}, ${x}, ${le});`;
    case 'i32':
      return `v.setInt32(${at}, ${x}, ${le});`;
    case 'u64':
      return `v.setBigUint64(${at}, ${x}, ${le});`;
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
    case 'terminated':
    case 'rest':
      e.emit(`const ${x} = ${source}.${name}; if (!(${x} instanceof Uint8Array)) ${bad(path, 'octets')}`);
      if (field.what === 'octets') numbers.set(field.length, { x: `${x}.length`, text: 'octets', path });
      if (field.what === 'cstring')
        numbers.set(
          field.length,
          field.uncounted
            ? { x: `${x}.length`, text: 'octets', path }
            : { x: `(${x}.length + 1)`, text: 'octets with the NUL', path },
        );
      if (field.what === 'terminated')
        e.emit(`if (${x}.indexOf(0) >= 0) return w.fail(p, ${path}, "has a NUL inside"), false;`);
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
    case 'magic':
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
          writeInt(field.type, at, derived.x, orderOf(field.order)),
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
      e.emit(writeInt(field.type, at, x, orderOf(field.order)));
      return;
    }
    case 'magic':
      e.emit(room(field.octets.length), ...field.octets.map((octet) => `b[p++] = ${octet};`));
      return;
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
    case 'terminated':
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
