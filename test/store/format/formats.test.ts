import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Streams } from '../../../sim/random.ts';
import { record } from '../../../store/format/codec/compile.ts';
import { annotateFile } from '../../../store/format/file/annotate.ts';
import { extend, type Format, type FormatFile, knobsOf, recordsOf } from '../../../store/format/file/format.ts';
import { damageFile, generateFile } from '../../../store/format/file/generate.ts';
import { decodeFile } from '../../../store/format/file/reader.ts';
import { validateFile } from '../../../store/format/file/validate.ts';
import { encodeFile } from '../../../store/format/file/writer.ts';
import { allFormats, formatNamed } from '../../../store/format/formats.ts';
import { decodeImage, v1, v2 } from '../../../store/format/index.ts';
import type { Knobs } from '../../../store/format/schema/knobs.ts';
import { atLeast, cstring, u16, u32 } from '../../../store/format/schema/schema.ts';
import { concat, END, header, hex, o, streams, toHex } from './support.ts';

interface Vector {
  readonly name: string;
  readonly format: string;
  readonly piece: 'file' | 'header' | 'record' | 'body';
  readonly type?: number;
  readonly hex: readonly string[];
}
const { vectors } = JSON.parse(readFileSync(new URL('../../vectors/generations.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[];
};

function need(name: string): Format {
  const found = formatNamed(name);
  if (found === undefined) throw new Error(`no format ${name}`);
  return found;
}

/** A vector as a whole file of its format. */
function fileOf(vector: Vector): Uint8Array {
  const octets = hex(vector.hex.join(''));
  const head = header(need(vector.format).versions[0] ?? 0);
  switch (vector.piece) {
    case 'file':
      return vector.name === 'EMBED-7' ? octets.subarray(8) : octets;
    case 'header':
      return concat(octets, END);
    case 'record':
      return concat(head, octets, END);
    case 'body': {
      const { length } = octets;
      return concat(
        head,
        Uint8Array.of(vector.type ?? 0, 0, 0, 0, length, 0, 0, 0),
        octets,
        new Uint8Array(-length & 7),
        END,
      );
    }
  }
}

function vectorFile(name: string): Uint8Array {
  const found = vectors.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no vector ${name}`);
  return fileOf(found);
}

function decoded(format: Format, octets: Uint8Array, knobs: Partial<Knobs> = {}): FormatFile {
  const result = decodeFile(format, octets, knobs);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.file;
}

function recoded(format: Format, octets: Uint8Array, knobs: Partial<Knobs> = {}): string {
  const result = encodeFile(format, decoded(format, octets, knobs), knobs);
  return result.ok ? toHex(result.octets) : JSON.stringify(result.failure);
}

describe('the registry', () => {
  it('lists generations in the order of history, then daemons', () => {
    expect(allFormats().map((one) => one.name)).toEqual(
      'G1 G2 R1 D1 D4 G3.0 G3.1 G3.2 G4.0 G4.1 C-4.15 C-4.16 C-4.18 C-4.21 C-4.22'.split(' '),
    );
    expect(formatNamed('v1')?.name).toBe('G3.2');
    expect(formatNamed('V2')?.name).toBe('G4.1');
    expect(formatNamed('c-4.20')?.name).toBe('C-4.18');
    expect(formatNamed('G5')).toBeUndefined();
  });
});

describe.each(vectors)('$name', (vector) => {
  const format = need(vector.format);
  const octets = fileOf(vector);
  it('comes back octet for octet, with any way of counting padding', () => {
    for (const lenIncludesPad of [true, false]) expect(recoded(format, octets, { lenIncludesPad })).toBe(toHex(octets));
  });
});

const RING = { kind: 'ring', domid: 5, targetDomid: 0x7ff4 } as const;
const OWNED = [
  { letter: 'n', domid: 5 },
  { letter: 'r', domid: 0 },
];
const EVENT = o('\x0f\0\0\0\0\0\0\0\0\0\0\0\x0b\0\0\0device\0tok\0');

describe('what the vectors say', () => {
  const records = (name: string) => {
    const vector = vectors.find((one) => one.name === name);
    return decoded(need(vector?.format ?? ''), vectorFile(name)).records;
  };
  it('G1', () => {
    expect(records('G1-NODE')).toEqual([{ kind: 'NODE_DATA', path: o('/foo/bar'), perms: OWNED, value: o('world') }]);
    expect(records('G1-WATCH')).toEqual([{ kind: 'WATCH_DATA', wpath: o('device'), token: o('tok') }]);
    expect(records('G1-TX')).toEqual([{ kind: 'TRANSACTION_DATA', txId: 7 }]);
  });
  it('G2', () => {
    const written = { kind: 'TRANSACTION_NODE_DATA', txId: 7, path: o('/foo/bar'), perms: OWNED, value: o('tx') };
    const deleted = { kind: 'TRANSACTION_NODE_DATA', txId: 7, path: o('/foo/old'), perms: [], value: o('') };
    expect(records('G2-TXNODE-WRITE')).toEqual([written]);
    expect(records('G2-TXNODE-DELETE')).toEqual([deleted]);
    expect(records('G2-RING')).toEqual([{ kind: 'GUEST_RING_DATA', value: EVENT }]);
    expect(records('G2-DOMAIN_START')).toEqual([{ kind: 'DOMAIN_START', domid: 5 }]);
    expect(records('G2-LU-BARE')).toEqual([
      { kind: 'NODE_DATA', path: o('/foo/bar'), perms: OWNED, value: o('world') },
      { kind: 'DOMAIN_START', domid: 5 },
      { kind: 'WATCH_DATA', wpath: o('device'), token: o('tok') },
      { kind: 'TRANSACTION_DATA', txId: 7 },
      written,
      deleted,
      { kind: 'GUEST_RING_DATA', value: EVENT },
    ]);
  });
  it('R1, D1, D4', () => {
    expect(decoded(need('R1'), vectorFile('R1-SIM-HEADER')).header).toEqual({ version: 1, domid: 5 });
    expect(records('D1-CONN-RING')[0]).toEqual({
      kind: 'CONNECTION_DATA',
      connId: 1,
      conn: { ...RING, flags: 1, remotePort: 7, port: 42, mfn: 0x12345n, data: o('ok\0') },
    });
    expect(records('D1-NODE')[0]).toEqual({
      kind: 'NODE_DATA',
      connId: 1,
      txId: 7,
      access: 3,
      perms: OWNED,
      path: o('/foo/bar'),
      value: o('tx'),
    });
    expect(records('D4-CONN-RING')[0]).toEqual({
      kind: 'CONNECTION_DATA',
      connId: 1,
      flags: 0,
      conn: { ...RING, remotePort: 7, mfn: 0x12345n },
      data: o('ok\0'),
    });
    expect(records('D4-CONN-SOCKET')[0]).toEqual({
      kind: 'CONNECTION_DATA',
      connId: 2,
      flags: 1,
      conn: { kind: 'socket', fd: 9 },
      data: o(''),
    });
  });
  it('G3', () => {
    const full = records('G3.0-FULL');
    expect(full.map((one) => one.kind)).toEqual([
      'GLOBAL_DATA',
      'CONNECTION_DATA',
      'WATCH_DATA',
      'TRANSACTION_DATA',
      ...Array.from({ length: 5 }, () => 'NODE_DATA'),
      'END',
    ]);
    expect(full[0]).toMatchObject({ socketFd: 4, roSocketFd: -1 });
    expect(full[1]).toMatchObject({ connId: 1, conn: { ...RING, remotePort: 7 }, data: EVENT });
    expect(full[7]).toMatchObject({ connId: 1, txId: 7, access: 3, path: o('/foo/bar'), value: o('tx') });
    expect(full[8]).toMatchObject({ connId: 1, txId: 7, access: 0, perms: [], path: o('/foo/old'), value: o('') });
    expect(decoded(need('G3.0'), vectorFile('BE-GLOBAL'))).toEqual({
      header: { version: 1 },
      byteOrder: 'big',
      records: [{ kind: 'GLOBAL_DATA', socketFd: 4, roSocketFd: -1 }, { kind: 'END' }],
    });
    expect(records('G3.1-CONN-SOCKET-RO')[0]).toMatchObject({
      connId: 2,
      flags: 1,
      conn: { kind: 'socket', fd: 9 },
      inData: o('\x02\0\0\0\x09'),
      outRespLen: 0,
      outData: o(''),
    });
    expect(records('G3.2-CONN-PARTIAL')[0]).toMatchObject({
      conn: { ...RING, port: 42 },
      inData: o('\x02\0\0\0\x09\0\0\0\0\0\0\0\x05\0\0\0na'),
      outRespLen: 3,
      outData: concat(o('ok\0'), EVENT),
    });
    expect(records('G3.2-NODE-STALE')[0]).toMatchObject({
      perms: [
        { letter: 'n', flags: 0, domid: 5 },
        { letter: 'r', flags: 1, domid: 9 },
      ],
    });
    expect(records('CAP-4.17')).toHaveLength(11);
    expect(records('CAP-4.17')[2]).toMatchObject({ connId: 2, conn: { kind: 'socket', fd: 9 } });
  });
  it('G4', () => {
    expect(records('G4-WATCHX')[0]).toEqual({
      kind: 'WATCH_DATA_EXTENDED',
      connId: 1,
      depth: 1,
      wpath: o('/foo'),
      token: o('tok'),
    });
    expect(records('G4-DOMAIN')[0]).toEqual({
      kind: 'DOMAIN_DATA',
      domid: 5,
      features: 2,
      quotas: [{ name: o('nodes'), value: 2000 }],
    });
    const quota = records('G4-QUOTA')[0] as unknown as { domainQuotas: { name: Uint8Array; value: number }[] };
    expect(quota.domainQuotas.map((one) => one.value)).toEqual([
      1000, 128, 20, 0x280000, 0x200000, 10, 1024, 5, 2048, 2048,
    ]);
    expect(records('G4.1-CONN-UID')[0]).toMatchObject({ connId: 4, uniqueId: 0xa5n });
    expect(records('G4.1-FULL')).toHaveLength(15);
    expect(records('G4.1-FULL')[2]).toMatchObject({ uniqueId: 0x1122334455667788n });
    expect(records('G4.1-MIG')).toHaveLength(6);
  });
  it('EMBED-7', () => {
    expect(records('EMBED-7').map((one) => one.kind)).toEqual(['CONNECTION_DATA', 'WATCH_DATA', 'END']);
  });
});

describe('the extended watch of 4.22', () => {
  const c422 = need('C-4.22');
  it('is understood as it was written, the second record after it included', () => {
    for (const [name, token] of [
      ['BUG-4.22-A', 'tok'],
      ['BUG-4.22-B', 'ab'],
    ] as const)
      expect(decoded(c422, vectorFile(name)).records).toEqual([
        { kind: 'WATCH_DATA_EXTENDED', connId: 1, wpath: o('/foo'), token: o(token) },
        { kind: 'END' },
      ]);
  });
  it('must declare the length that its writer declares', () => {
    const octets = vectorFile('BUG-4.22-A').slice();
    octets[20] = 32;
    expect(decodeFile(c422, octets)).toMatchObject({
      ok: false,
      failure: { offset: 20, record: 0, path: 'len', reason: 'is 32, this writer declares 24' },
    });
  });
  it('is mutilated by its own reader, or swallows the next header', () => {
    expect(decoded(c422, vectorFile('BUG-4.22-A'), c422.reads).records[0]).toMatchObject({
      depth: 26159,
      wpath: o('oo\0to'),
      token: o('k\0\0\0'),
    });
    expect(decodeFile(c422, vectorFile('BUG-4.22-B'), c422.reads)).toMatchObject({
      ok: false,
      failure: { record: 1, reason: 'the file ends without END' },
    });
  });
});

describe.each(streams)('$name', ({ name, bytes }) => {
  it('comes back octet for octet, by its daemon and by the document', () => {
    const names = name.startsWith('c-4.17') ? ['C-4.16', 'G3.2', 'G3.1', 'G4.1'] : ['C-4.22', 'G4.1', 'G4.0'];
    for (const one of names) expect(recoded(need(one), bytes)).toBe(toHex(bytes));
    expect(recoded(need(names[0] ?? ''), bytes, { ...need(names[0] ?? '').reads, watchExtLayout: 'doc12' })).toBe(
      toHex(bytes),
    );
  });
});

describe('knobs', () => {
  it('g1StoredNul puts a NUL behind each string that only padding counts', () => {
    const file: FormatFile = {
      header: {},
      byteOrder: 'big',
      records: [{ kind: 'WATCH_DATA', wpath: o('abcd'), token: o('t') } as FormatFile['records'][number]],
    };
    const result = encodeFile(need('G2'), file, { g1StoredNul: true });
    expect(result.ok && toHex(result.octets)).toBe(toHex(hex('00000002 00000004 61626364 00000000 00000001 74000000')));
    const back = result.ok && decodeFile(need('G2'), result.octets, { g1StoredNul: true }, 'big');
    expect(back).toEqual({ ok: true, file });
  });
  it('r1KeepTxRecord takes TRANSACTION_DATA away', () => {
    const names = (keep: boolean) =>
      recordsOf(need('R1'), knobsOf(need('R1'), { r1KeepTxRecord: keep })).map((one) => one.name);
    expect(names(true)).toContain('TRANSACTION_DATA');
    expect(names(false)).not.toContain('TRANSACTION_DATA');
  });
  it('an exact reader loses its place behind an unpadded length', () => {
    expect(decodeFile(need('G3.0'), vectorFile('G3.0-FULL'), { advance: 'exact' }).ok).toBe(false);
  });
  it('a writer fails rather than truncates', () => {
    const value = new Uint8Array(0x10000);
    const node = { kind: 'NODE_DATA', connId: 0, txId: 0, access: 0, perms: [], path: o('/'), value };
    expect(encodeFile(need('G3.2'), { header: {}, byteOrder: 'little', records: [node] })).toMatchObject({
      ok: false,
      failure: { record: 0, path: 'value', reason: expect.stringContaining('do not fit valueLen') },
    });
  });
});

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Files of each format; more of them begin with the same. */
const IMAGES = Number(process.env.XENARIUM_IMAGES ?? 120);

/** A user's own format: the newest one and one more record. */
const own = extend(need('G4.1'), {
  name: 'own',
  title: 'G4.1 with epochs',
  records: [record('EPOCH', 100, { epoch: atLeast(1, u32), nameLen: u16, name: cstring({ length: 'nameLen' }) })],
  rules: [{ rule: 'epoch-unique', of: ['EPOCH'], must: 'be-unique', key: ['epoch'], text: 'each epoch once' }],
});

/** Every octet stands in exactly one row. */
function coverage(format: Format, octets: Uint8Array, knobs: Partial<Knobs> = {}): string {
  let at = 0;
  for (const row of annotateFile(format, octets, knobs).rows) {
    if (row.offset !== at) return `gap or overlap at ${at}: row ${row.path} at ${row.offset}`;
    at += row.bytes.length;
  }
  return at === octets.length ? 'whole' : `${at} of ${octets.length}`;
}

describe.each([...allFormats(), own].map((format) => ({ name: format.name, format })))('$name', ({ name, format }) => {
  it('generates valid files that survive decoding and encoding, and explains each octet', () => {
    const draws = new Streams('1').for(`generate/${name}`);
    const kinds = new Set<string>();
    for (let i = 0; i < IMAGES; i++) {
      const file = generateFile(format, draws, 1 + (i % 30));
      const encoded = encodeFile(format, file);
      if (!encoded.ok) throw new Error(JSON.stringify(encoded.failure));
      const back = decodeFile(format, encoded.octets, {}, file.byteOrder);
      if (!back.ok) throw new Error(JSON.stringify(back.failure));
      expect(back.file.records.map((one) => one.kind)).toEqual(file.records.map((one) => one.kind));
      const again = encodeFile(format, back.file);
      if (!again.ok || !isSame(again.octets, encoded.octets)) expect(again).toEqual(encoded);
      expect(validateFile(format, encoded.octets).filter((one) => one.severity === 'error')).toEqual([]);
      expect(coverage(format, encoded.octets)).toBe('whole');
      for (const one of file.records) kinds.add(one.kind);
    }
    if (IMAGES >= 100) expect(kinds).toEqual(new Set(recordsOf(format, knobsOf(format)).map((one) => one.name)));
  });

  it('refuses a damaged file with offset and reason, or reads it as something that encodes back', () => {
    const draws = new Streams('2').for(`damage/${name}`);
    let refused = 0;
    for (let i = 0; i < IMAGES; i++) {
      const encoded = encodeFile(format, generateFile(format, draws, 1 + (i % 30)));
      if (!encoded.ok) throw new Error(JSON.stringify(encoded.failure));
      const octets = damageFile(encoded.octets, draws);
      for (const knobs of [{}, format.reads ?? {}]) {
        const back = decodeFile(format, octets, knobs);
        const findings = validateFile(format, octets, knobs);
        expect(coverage(format, octets, knobs)).toBe('whole');
        if (back.ok) {
          const again = encodeFile(format, back.file, knobs);
          if (!again.ok || !isSame(again.octets, octets)) expect(again).toEqual({ ok: true, octets });
        } else {
          refused++;
          expect(back.failure.reason).not.toBe('');
          expect(back.failure.offset).toBeGreaterThanOrEqual(0);
          expect(back.failure.offset).toBeLessThanOrEqual(octets.length);
          expect(findings.some((one) => one.severity === 'error')).toBe(true);
        }
      }
    }
    if (IMAGES >= 100) expect(refused).toBeGreaterThan(IMAGES / 10);
  });
});

describe('annotation', () => {
  it.each(vectors)('covers each octet of $name', (vector) => {
    expect(coverage(need(vector.format), fileOf(vector))).toBe('whole');
  });
  it.each(streams)('covers each octet of $name', ({ bytes, name }) => {
    expect(coverage(need(name.slice(0, 6)), bytes)).toBe('whole');
  });
});

describe('validation', () => {
  const c417 = need('C-4.17');
  const c418 = need('C-4.18');
  const c421 = need('C-4.21');
  const c422 = need('C-4.22');
  const g32 = need('G3.2');
  const g41 = need('G4.1');
  const rules = (
    format: Format,
    octets: Uint8Array,
    knobs: Partial<Knobs> = {},
    severity: 'error' | 'note' = 'error',
  ) =>
    validateFile(format, octets, knobs)
      .filter((one) => one.severity === severity)
      .map((one) => one.rule);
  const v1 = (...records: readonly string[]) => concat(header(1), ...records.map((one) => hex(one)), END);
  const v2 = (...records: readonly string[]) => concat(header(2), ...records.map((one) => hex(one)), END);
  const CONN = '02000000 18000000 01000000 0000 0000 0000 f47f 01000000 0000 0000 00000000';
  const ROOT = '05000000 18000000 00000000 00000000 0200 0000 0000 0100 6e000000 2f00 0000';
  const FOO_BAR = '05000000 20000000 00000000 00000000 0900 0000 0000 0100 6e000000 2f666f6f2f62617200 000000';

  it.each([
    ['version 0', g41, concat(header(0), END), 'version'],
    ['version 3', g41, concat(header(3), END), 'version'],
    ['version 2 to a daemon of version 1', c417, concat(header(2), END), 'version'],
    ['a reserved flag', g41, concat(header(1, 2), END), 'header-flags'],
    ['missing END', g32, header(1), 'no-end'],
    ['an inner length beyond len', g32, v1('03000000 08000000 01000000 ff00 0100'), 'inner-length'],
    ['more half-sent than output', g32, v1(CONN.replace('0000 0000 00000000', '0000 0500 00000000')), 'out-resp-len'],
    ['conn-id 0', g32, v1(CONN.replace('01000000', '00000000')), 'conn-id-zero'],
    ['an unknown conn-id', g32, v1('04000000 08000000 09000000 01000000'), 'conn-id-known'],
    [
      'no TRANSACTION_DATA',
      g32,
      v1(CONN, ROOT.replace('00000000 00000000 0200 0000 0000', '01000000 07000000 0200 0000 0100')),
      'tx-known',
    ],
    ['a child before its parent', g32, v1(ROOT, FOO_BAR), 'parent-first'],
    [
      'a committed node without owner',
      g32,
      v1('05000000 18000000 00000000 00000000 0200 0000 0000 0000 2f00 000000000000'),
      'node-owner',
    ],
    ['two records for one path', g32, v1(ROOT, ROOT), 'node-unique'],
    ['DOMAIN_DATA for an unknown domain', g41, v2('07000000 08000000 0500 0000 00000000'), 'domain-known'],
    [
      'fewer quota names than values',
      g41,
      v2('06000000 18000000 0200 0000 01000000 02000000 6e6f64657300 000000000000'),
      'inner-length',
    ],
  ] as const)('names %s', (_, format, octets, rule) => {
    expect(rules(format, octets)).toEqual([rule]);
  });

  it('tells the readers of the daemons apart', () => {
    const big = concat(header(1, 1), END);
    expect(rules(g32, big)).toEqual([]);
    expect(rules(c417, big, c417.reads)).toEqual(['header-flags']);
    expect(rules(c417, header(1), c417.reads)).toEqual([]);
    expect(rules(c421, header(1), c421.reads)).toEqual(['no-end']);
    const empty = v1('63000000 00000000');
    expect(rules(c418, empty, c418.reads)).toEqual([]);
    expect(rules(c421, empty, c421.reads)).toEqual(['zero-length']);
    expect(rules(c417, v1(CONN, ROOT, ROOT), c417.reads)).toEqual([]);
    expect(rules(c418, v1(CONN, ROOT, ROOT), c418.reads)).toEqual(['node-unique']);
    expect(rules(c418, v1(ROOT, CONN), c418.reads)).toEqual(['privileged-first']);
    const domain = v1('07000000 08000000 0500 0000 00000000');
    expect(rules(c418, domain, c418.reads)).toEqual([]);
    expect(rules(c421, domain, c421.reads)).toEqual(['domain-known']);
    expect(rules(c417, vectorFile('G3.0-FULL'), c417.reads).length).toBeGreaterThan(0);
  });

  it('names what is no error', () => {
    expect(rules(g41, concat(vectorFile('G4.1-FULL'), o('x')), {}, 'note')).toEqual(['trailing']);
    expect(rules(g41, vectorFile('BUG-4.22-A'))).toContain('inner-nul');
    expect(rules(g41, vectorFile('BUG-4.22-A'), {}, 'note')).toEqual(['c422-watch']);
    expect(rules(g41, vectorFile('BUG-4.22-B'))).toContain('inner-nul');
    expect(rules(g41, vectorFile('BUG-4.22-B'), {}, 'note')).toEqual(['c422-watch']);
    const slack = concat(v2().subarray(0, 16), hex('06000000 10000000 0100 0000 01000000 6e6f64657300 dead'), END);
    expect(rules(c422, slack)).toEqual([]);
    expect(rules(c422, slack, {}, 'note')).toEqual(['slack']);
    const early = v1(CONN.replace('0000 f47f', '0500 f47f'), '07000000 08000000 0500 0000 02000000');
    expect(rules(g41, early)).toEqual([]);
    expect(rules(g41, early, {}, 'note')).toEqual(['version-gate']);
    expect(rules(g41, early, { strictVersionGate: true })).toEqual(['version-gate']);
  });

  it('finds no error in what was written by hand as a whole, nor by a daemon', () => {
    expect(rules(need('G3.0'), vectorFile('G3.0-FULL'))).toEqual([]);
    expect(rules(need('G2'), vectorFile('G2-LU-BARE'))).toEqual([]);
    expect(rules(g41, vectorFile('G4.1-FULL'))).toEqual([]);
    expect(
      validateFile(g41, vectorFile('G4.1-MIG'), {}, ['/local/domain']).filter((one) => one.severity === 'error'),
    ).toEqual([]);
    for (const { name, bytes } of streams) {
      const daemon = need(name.slice(0, 6));
      expect([name, ...rules(daemon, bytes, daemon.reads)]).toEqual([name]);
    }
  });

  it('holds the records of a draft to its own rules', () => {
    expect(rules(need('G2'), hex('02000000 01000000 61000000 01000000 62000000'))).toEqual(['domain-first']);
    expect(rules(need('G1'), hex('07000000 0c000000 03000000 00000000'))).not.toEqual([]);
  });
});

describe("the store's own path", () => {
  it.each([v1, v2])('$name is the format of that name', ({ name, format, byKind }) => {
    expect(format).toBe(need(name));
    expect([...byKind.values()]).toEqual(recordsOf(format, knobsOf(format)));
  });
  it.each(streams)('reads the same from $name', ({ bytes }) => {
    const image = decodeImage(bytes);
    const file = decodeFile(need('v2'), bytes);
    expect(image.ok && file.ok && file.file.records).toEqual(image.ok && image.value.records);
  });
});
