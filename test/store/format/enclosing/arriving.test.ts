import { describe, expect, it } from 'vitest';
import {
  type Arrived,
  type ArrivingStream,
  arrivingLibxc,
  arrivingLibxl,
} from '../../../../store/format/enclosing/arriving.ts';
import type { LibxcRecord } from '../../../../store/format/enclosing/layouts.ts';
import {
  DOMAIN_TYPE,
  libxcHeaderOctets,
  libxcRecordOctets,
  libxlHeaderOctets,
  libxlRecordOctets,
} from '../../../../store/format/enclosing/leaving.ts';
import { decodeLibxl, encodeLibxl, type LibxlStream } from '../../../../store/format/enclosing/libxl.ts';
import { isFailure } from '../../../../store/format/enclosing/stream.ts';
import type { FormatFailure } from '../../../../store/format/index.ts';

/** One of each record that a saver writes. */
const LIBXC: readonly LibxcRecord[] = [
  { kind: 'X86_CPUID_POLICY', leaves: new Uint8Array(48).fill(3) },
  { kind: 'STATIC_DATA_END' },
  { kind: 'PAGE_DATA', pfns: [{ pfn: 5n }, { pfn: (0xfn << 60n) | 6n }], pages: new Uint8Array(4096).fill(9) },
  { kind: 'X86_TSC_INFO', mode: 0, khz: 1, nsec: 2n, incarnation: 3 },
  { kind: 'HVM_CONTEXT', context: Uint8Array.of(1, 2, 3) },
  { kind: 'HVM_PARAMS', params: [{ index: 1n, value: 5n }] },
  { kind: 'END' },
];

function whole(): Uint8Array {
  const stream: LibxlStream = {
    options: 0,
    records: [
      { kind: 'LIBXC_CONTEXT', libxc: { version: 3, options: 0, type: 2, xenMajor: 4, xenMinor: 22, records: LIBXC } },
      { kind: 'EMULATOR_CONTEXT', emulatorId: 2, index: 0, context: Uint8Array.of(7) },
      { kind: 'END' },
    ],
  };
  const encoded = encodeLibxl(stream);
  if (!encoded.ok) throw new Error('assertion: not encoded');
  return encoded.value;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const octets = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

/** Read both layers of `octets`, `piece` at a time. */
function read(octets: Uint8Array, piece: number): { kinds: string[]; failure?: FormatFailure } {
  const kinds: string[] = [];
  const outer = arrivingLibxl();
  let at = 0;
  const drain = (stream: ArrivingStream<never, never>, base: number): FormatFailure | 'end' | 'inner' => {
    for (;;) {
      if (stream.wants === 0) return 'end';
      const take = Math.min(piece, stream.wants, octets.length - at);
      if (take === 0) {
        const failure = stream.endedEarly();
        return { ...failure, offset: base + failure.offset };
      }
      const got = stream.take(octets.subarray(at, at + take)) as
        | Arrived<{ kind: string }, { kind: string }>
        | undefined;
      at += take;
      if (got === undefined) continue;
      if (isFailure(got)) return { ...(got as FormatFailure), offset: base + (got as FormatFailure).offset };
      kinds.push(got.header?.kind ?? got.record?.kind ?? '');
      if (got.record?.kind === 'LIBXC_CONTEXT') return 'inner';
    }
  };
  for (;;) {
    const end = drain(outer as never, outer === undefined ? 0 : at - outer.taken);
    if (end === 'end') return { kinds };
    if (end !== 'inner') return { kinds, failure: end };
    const inner = drain(arrivingLibxc() as never, at);
    if (inner !== 'end' && inner !== 'inner') return { kinds, failure: inner };
  }
}

const KINDS = [
  'LIBXL_HEADER',
  'LIBXC_CONTEXT',
  'LIBXC_HEADER',
  'DOMAIN_HEADER',
  ...LIBXC.map(({ kind }) => kind),
  'EMULATOR_CONTEXT',
  'END',
];

describe('a stream as it comes', () => {
  it.each([1, 7, 8, 4096, 1 << 20])('gives the same records when %i octets come at a time', (piece) => {
    expect(read(whole(), piece)).toEqual({ kinds: KINDS });
  });

  it('says at every cut which octet is missing, and never reads on', () => {
    const octets = whole();
    for (let cut = 0; cut < octets.length; cut++) {
      const { failure } = read(octets.subarray(0, cut), 4096);
      expect(failure, `cut at ${cut}`).toBeDefined();
      expect(failure!.offset, `cut at ${cut}`).toBeLessThanOrEqual(cut);
    }
  });

  it('refuses a record that is too long before it takes any of it', () => {
    const stream = arrivingLibxc();
    stream.take(libxcHeaderOctets(DOMAIN_TYPE.HVM, { major: 4, minor: 22 }).subarray(0, 24));
    stream.take(libxcHeaderOctets(DOMAIN_TYPE.HVM, { major: 4, minor: 22 }).subarray(24));
    const got = stream.take(Uint8Array.of(9, 0, 0, 0, 1, 0, 0, 8));
    expect(got).toEqual({
      offset: 44,
      record: 0,
      name: 'libxc',
      path: 'length',
      reason: 'is 134217729, at most 134217728',
    });
    expect(stream.wants).toBe(0);
  });

  it('names a wrong field with its offset from the first octet of its own stream', () => {
    const octets = whole();
    octets[16 + 8 + 24 + 4] = 13; // page shift
    expect(read(octets, 3).failure).toMatchObject({ offset: 52, path: 'pageShift' });
  });
});

describe('a stream as it leaves', () => {
  it('is octet for octet what the whole one is', () => {
    const pieces = [
      libxlHeaderOctets(),
      libxlRecordOctets({ kind: 'LIBXC_CONTEXT' }),
      libxcHeaderOctets(DOMAIN_TYPE.HVM, { major: 4, minor: 22 }),
      ...LIBXC.map(libxcRecordOctets),
      libxlRecordOctets({ kind: 'EMULATOR_CONTEXT', emulatorId: 2, index: 0, context: Uint8Array.of(7) }),
      libxlRecordOctets({ kind: 'END' }),
    ];
    expect(join(pieces)).toEqual(whole());
    expect(decodeLibxl(join(pieces)).ok).toBe(true);
  });
});
