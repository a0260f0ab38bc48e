import { describe, expect, it } from 'vitest';
import { record } from '../../../../store/format/codec/compile.ts';
import { extend, type Format, type FormatRecord } from '../../../../store/format/file/format.ts';
import { usefulKnobs } from '../../../../store/format/file/useful-knobs.ts';
import { encodeFile } from '../../../../store/format/file/writer.ts';
import { formatNamed } from '../../../../store/format/formats.ts';
import { nodeData } from '../../../../store/format/generations/records.ts';
import {
  binaryFormat,
  convertFile,
  type DaemonState,
  EMPTY_STATE,
  WISHES,
  type Wishes,
} from '../../../../store/format/model/index.ts';
import { KNOB_NAMES, KNOBS, type KnobName, type Knobs } from '../../../../store/format/schema/knobs.ts';
import { u32, u64 } from '../../../../store/format/schema/schema.ts';
import { octetsOf } from '../../../../store/format/schema/text.ts';

const DOM0 = { kind: 'CONNECTION_DATA', connId: 1, conn: { kind: 'ring', domid: 0, targetDomid: 0x7ff4, port: 1 } };
const CONNECTION = { ...DOM0, inData: octetsOf(''), outRespLen: 0, outData: octetsOf('') };
const NODE = {
  kind: 'NODE_DATA',
  connId: 0,
  txId: 0,
  access: 0,
  perms: [{ letter: 'n', flags: 0, pad: 0, domid: 0 }],
  value: octetsOf('v'),
};
const node = (path: string) => ({ ...NODE, path: octetsOf(path) });

function need(name: string): Format {
  const format = formatNamed(name);
  if (format === undefined) throw new Error(`assertion: no format ${name}`);
  return format;
}

/** Octets of a file with these records. */
function fileOf(format: Format, records: readonly object[], knobs: Partial<Knobs> = {}, version?: number): Uint8Array {
  const header = version === undefined ? {} : { version };
  const ends = format.end === undefined || knobs.missingEnd === 'accept' ? [] : [{ kind: format.end }];
  const file = { header, byteOrder: 'little', records: [...records, ...ends] as readonly FormatRecord[] } as const;
  const encoded = encodeFile(format, file, knobs);
  if (!encoded.ok) throw new Error(`assertion: ${encoded.failure.reason}`);
  return encoded.octets;
}

/** Whether a reader with these knobs goes wrong, and by which rules. */
function verdict(format: Format, octets: Uint8Array, knobs: Partial<Knobs>): string {
  const findings = binaryFormat(format, knobs).validate(octets);
  return findings.map(({ rule, severity }) => `${severity} ${rule}`).join(', ');
}

const hex = (octets: Uint8Array) => Array.from(octets, (one) => one.toString(16).padStart(2, '0')).join('');

/** A state with one transaction, that has read `/a` and written `/b`. */
const touched = (path: string, read: boolean, base: object = {}) => ({
  path,
  read,
  written: !read,
  value: octetsOf('v'),
  acl: [{ letter: 'n' as const, domid: 5, stale: false }],
  ...base,
});

function stateWith(base: { readonly base?: bigint }): DaemonState {
  return {
    ...EMPTY_STATE,
    nodes: ['/', '/local', '/local/domain', '/local/domain/5'].map((path) => ({
      path,
      value: octetsOf(''),
      acl: [{ letter: 'n', domid: 5, stale: false }],
    })),
    connections: [
      {
        link: { kind: 'ring', domid: 5, port: 42 },
        readOnly: false,
        watches: [{ path: '/local/domain/5/x', token: octetsOf('four') }],
        transactions: [{ id: 7, nodes: [touched('/a', true, base), touched('/b', false, base)], ...base }],
        delayed: [],
        input: octetsOf(''),
        output: octetsOf(''),
        restBytes: 0,
      },
    ],
  };
}

/** What a format writes of that state under these knobs. */
function written(name: string, knobs: Partial<Knobs>): string {
  const source = binaryFormat(WITH_BASES);
  const made = source.write(stateWith({}), {});
  if (!made.ok) throw new Error(`assertion: ${made.failure.reason}`);
  const converted = convertFile(made.value.octets, source, binaryFormat(need(name), knobs), { onLoss: 'silent' });
  if (!converted.ok) throw new Error('assertion: not written');
  return hex(converted.files[0]?.octets ?? octetsOf(''));
}

const WITH_BASES = extend(need('G4.1'), {
  name: 'bases',
  records: [
    record('TRANSACTION_DATA', 4, { connId: u32, txId: u32, base: u64 }),
    record('NODE_DATA', 5, { ...nodeData.fields, base: u64 }),
  ],
});

const G41 = need('G4.1');
const PADDED = fileOf(G41, [CONNECTION, { ...node('/'), tail: { slack: octetsOf(''), pad: octetsOf('\x01') } }], {
  lenIncludesPad: false,
});
const UNKNOWN = fileOf(G41, [{ kind: 'UNKNOWN', type: 99, body: octetsOf('12345678') }]);
const WATCH = { kind: 'WATCH_DATA_EXTENDED', connId: 1, depth: 1, wpath: octetsOf('/foo'), token: octetsOf('tok') };

/** For each choice: what differs between its usual value and another. */
const ROWS: { readonly [K in KnobName]: (knobs: Partial<Knobs>) => string } = {
  lenIncludesPad: (knobs) => hex(fileOf(G41, [node('/')], knobs)),
  advance: (knobs) => verdict(G41, fileOf(G41, [node('/')], { lenIncludesPad: false }), knobs),
  g1StoredNul: (knobs) => written('G1', knobs),
  g2Framing: (knobs) => written('G2', knobs),
  g2TxReads: (knobs) => written('G2', knobs),
  r1KeepTxRecord: (knobs) => written('R1', knobs),
  watchExtLayout: (knobs) => verdict(G41, fileOf(G41, [CONNECTION, WATCH]), knobs),
  byteOrders: (knobs) => verdict(G41, fileOf(G41, []), knobs),
  unknownRecord: (knobs) => verdict(G41, UNKNOWN, knobs),
  zeroLengthRecord: (knobs) => verdict(G41, fileOf(G41, [{ kind: 'UNKNOWN', type: 99, body: octetsOf('') }]), knobs),
  missingEnd: (knobs) => verdict(G41, fileOf(G41, [node('/')], { missingEnd: 'accept' }), knobs),
  nonZeroPad: (knobs) => verdict(G41, PADDED, knobs),
  missingParent: (knobs) => verdict(G41, fileOf(G41, [node('/a/b')]), knobs),
  duplicateNode: (knobs) => verdict(G41, fileOf(G41, [node('/'), node('/')]), knobs),
  unknownDomain: (knobs) =>
    verdict(G41, fileOf(G41, [{ kind: 'DOMAIN_DATA', domid: 9, features: 0, quotas: [] }]), knobs),
  unknownConnection: (knobs) =>
    verdict(G41, fileOf(G41, [{ kind: 'WATCH_DATA', connId: 3, wpath: octetsOf('/a'), token: octetsOf('t') }]), knobs),
  privilegedFirst: (knobs) => verdict(G41, fileOf(G41, [node('/')]), knobs),
  strictVersionGate: (knobs) =>
    verdict(G41, fileOf(G41, [CONNECTION, { kind: 'DOMAIN_DATA', domid: 0, features: 2, quotas: [] }], {}, 1), knobs),
};

describe('each choice of a format', () => {
  it.each(KNOB_NAMES)('%s makes a difference', (name) => {
    const outcomes = KNOBS[name].values.map((value) => ROWS[name]({ [name]: value }));
    // Among three values two may come to the same here: a little endian file for both and little.
    expect(new Set(outcomes).size).toBeGreaterThan(1);
    expect(ROWS[name]({})).toBe(outcomes[0]);
  });

  it('is told for every format, and only where it can make a difference', () => {
    expect(usefulKnobs(need('G1'))).toEqual(['advance', 'g1StoredNul', 'unknownRecord', 'nonZeroPad', 'duplicateNode']);
    expect(usefulKnobs(need('G2'))).toContain('g2Framing');
    expect(usefulKnobs(G41)).not.toContain('g2Framing');
    expect(usefulKnobs(need('C-4.21'))).not.toContain('watchExtLayout');
  });
});

describe('each wish about a state that is converted', () => {
  const to = binaryFormat(WITH_BASES);
  const wished = (wishes: Wishes, base: { readonly base?: bigint } = { base: 3n }): string => {
    const made = to.write(stateWith(base), {});
    if (!made.ok) throw new Error(`assertion: ${made.failure.reason}`);
    const converted = convertFile(made.value.octets, to, to, { wishes, onLoss: 'silent' });
    return converted.ok ? hex(converted.files[0]?.octets ?? octetsOf('')) : `refused: ${converted.reason}`;
  };
  const EMPTY = wished({ txAtDump: 'force-drop' });

  it('txAtDump refuses while transactions are open, or drops them', () => {
    expect(wished({ txAtDump: 'carry' })).toBe(wished({}));
    expect(wished({ txAtDump: 'refuse' })).toBe('refused: 1 transactions are open, and txAtDump is refuse');
    expect(EMPTY.length).toBeLessThan(wished({}).length);
  });

  it('txAfterRestore leaves out what another outcome would need, and asks for what it needs itself', () => {
    expect(wished({ txAfterRestore: 'ENOENT' })).toBe(EMPTY);
    expect(wished({ txAfterRestore: 'commit' })).toBe(wished({}));
    expect(wished({ txAfterRestore: 'EAGAIN' })).not.toBe(wished({}));
    expect(wished({ txAfterRestore: 'EAGAIN' })).toBe(wished({ txAfterRestore: 'EAGAIN' }, {}));
    expect(wished({ txAfterRestore: 'commit' }, {})).toBe(
      'refused: transaction 7 of domain 5 has no conflict base: it cannot be committed',
    );
  });

  it('renumberDomid refuses, or rewrites', () => {
    const renumber = { from: 5, to: 77 };
    expect(wished({ renumber })).toMatch(/^refused: a guest may have kept its domid/);
    const done = wished({ renumber, renumberDomid: 'rewrite' });
    expect(done).toContain(hex(octetsOf('/local/domain/77/x')));
    expect(done).not.toContain(hex(octetsOf('/local/domain/5')));
    expect(wished({ renumber: { from: 6, to: 7 }, renumberDomid: 'rewrite' })).toBe(
      'refused: there is no domain 6 to renumber',
    );
  });

  it('are all here', () => {
    expect(Object.keys(WISHES)).toEqual(['txAtDump', 'txAfterRestore', 'renumberDomid']);
  });
});
