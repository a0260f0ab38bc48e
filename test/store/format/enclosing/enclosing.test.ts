import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Streams } from '../../../../sim/index.ts';
import { checkLibxl } from '../../../../store/format/enclosing/check.ts';
import { emptyLibxc, type LibxcImage } from '../../../../store/format/enclosing/libxc.ts';
import {
  decodeLibxl,
  encodeLibxl,
  imagesIn,
  type LibxlStream,
  withImage,
} from '../../../../store/format/enclosing/libxl.ts';
import { decodeXl, encodeXl, xlData } from '../../../../store/format/enclosing/xl.ts';
import { formatFailure } from '../../../../store/format/schema/cursor.ts';
import { has } from '../../../support/needs.ts';

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (octet) => Number.parseInt(octet, 16));
}
function ok<T>(result: { ok: true; value: T } | { ok: false; failure: Parameters<typeof formatFailure>[0] }): T {
  if (!result.ok) throw new Error(formatFailure(result.failure));
  return result.value;
}
const octets = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

const CONFIG = '{"c_info": {"type": "hvm", "name": "vm5"}}';
const SMALLEST_XL = hex(`
58 65 6e 20 73 61 76 65 64 20 64 6f 6d 61 69 6e 2c 20 78 6c 20 66 6f 72 6d 61 74 0a 20 00 20 0d
04 03 02 01 03 00 00 00 00 00 00 00 2f 00 00 00 2b 00 00 00 7b 22 63 5f 69 6e 66 6f 22 3a 20 7b
22 74 79 70 65 22 3a 20 22 68 76 6d 22 2c 20 22 6e 61 6d 65 22 3a 20 22 76 6d 35 22 7d 7d 00 4c
69 62 78 6c 46 6d 74 00 00 00 02 00 00 00 00 01 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff 58
45 4e 46 00 00 00 03 00 00 00 00 00 00 00 00 02 00 00 00 0c 00 00 00 04 00 00 00 16 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`);
const EMULATOR_PAIR = hex(`
02 00 00 00 2d 00 00 00 02 00 00 00 00 00 00 00 70 68 79 73 6d 61 70 2f 66 30 30 30 30 30 30 30
2f 73 74 61 72 74 5f 61 64 64 72 00 66 30 30 30 30 30 30 30 00 00 00 00`);
const EMBED_7 = hex(`
07 00 00 00 58 00 00 00 78 65 6e 73 74 6f 72 65 00 00 00 01 00 00 00 00 02 00 00 00 18 00 00 00
01 00 00 00 00 00 00 00 05 00 f4 7f 00 00 00 00 00 00 00 00 00 00 00 00 03 00 00 00 18 00 00 00
01 00 00 00 07 00 04 00 64 65 76 69 63 65 00 74 6f 6b 00 00 00 00 00 00 00 00 00 00 00 00 00 00`);
const LIBXL_HEADER = hex('4c 69 62 78 6c 46 6d 74 00 00 00 02 00 00 00 00');
const LIBXL_END = hex('00 00 00 00 00 00 00 00');

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A guest of HVM shape: policies, one page, one page that is only allocated, clock, parameters, context, device model. */
function hvmGuest(pairs: Uint8Array = new Uint8Array(0)): LibxlStream {
  const libxc: LibxcImage = {
    ...emptyLibxc(2),
    records: [
      { kind: 'X86_CPUID_POLICY', leaves: new Uint8Array(48).fill(1) },
      { kind: 'X86_MSR_POLICY', entries: new Uint8Array(16).fill(2) },
      { kind: 'STATIC_DATA_END' },
      { kind: 'PAGE_DATA', pfns: [{ pfn: 5n }, { pfn: (0xen << 60n) | 6n }], pages: new Uint8Array(4096).fill(7) },
      { kind: 'X86_TSC_INFO', mode: 1, khz: 2_400_000, nsec: 123_456_789_012n, incarnation: 1 },
      { kind: 'HVM_PARAMS', params: [{ index: 1n, value: 0xfeffcn }] },
      { kind: 'HVM_CONTEXT', context: new Uint8Array(21).fill(9) },
      { kind: 'END' },
    ],
  };
  return {
    options: 0,
    records: [
      { kind: 'LIBXC_CONTEXT', libxc },
      ...(pairs.length > 0 ? [{ kind: 'EMULATOR_XENSTORE_DATA', emulatorId: 2, index: 0, pairs } as const] : []),
      { kind: 'EMULATOR_CONTEXT', emulatorId: 2, index: 0, context: octets('a device model') },
      { kind: 'END' },
    ],
  };
}

describe('a saved guest', () => {
  it('the smallest xl file is read, and written as it was', () => {
    const file = ok(decodeXl(SMALLEST_XL));
    expect(file.data).toEqual(xlData(CONFIG));
    expect(file.stream.records.map(({ kind }) => kind)).toEqual(['LIBXC_CONTEXT', 'END']);
    expect(file.stream.records[0]?.libxc).toMatchObject({ version: 3, type: 2, xenMajor: 4, xenMinor: 22 });
    expect(ok(encodeXl(file))).toEqual(SMALLEST_XL);
  });

  it('what emulators keep in xenstore is read, and written as it was', () => {
    const bytes = joined(LIBXL_HEADER, EMULATOR_PAIR, LIBXL_END);
    const { end, ...stream } = ok(decodeLibxl(bytes));
    expect(end).toBe(bytes.length);
    expect(stream.records[0]).toMatchObject({
      emulatorId: 2,
      pairs: octets('physmap/f0000000/start_addr\0f0000000\0'),
    });
    expect(ok(encodeLibxl(stream))).toEqual(bytes);
  });

  it('a state image is an opaque record behind the memory and before the device model', () => {
    const image = EMBED_7.subarray(8);
    const stream = withImage(hvmGuest(octets('k\0v\0')), image);
    expect(stream.records.map(({ kind }) => kind)).toEqual([
      'LIBXC_CONTEXT',
      'XENSTORE_IMAGE',
      'EMULATOR_XENSTORE_DATA',
      'EMULATOR_CONTEXT',
      'END',
    ]);
    const bytes = ok(encodeLibxl(stream));
    const found = imagesIn(ok(decodeLibxl(bytes)));
    expect(found).toEqual([image]);
    expect(Buffer.from(bytes).includes(Buffer.from(EMBED_7))).toBe(true);
    expect(withImage(stream, image)).toEqual(stream);
  });

  it('has its image once in each checkpoint', () => {
    const { records } = hvmGuest();
    const context = { kind: 'EMULATOR_CONTEXT', emulatorId: 2, index: 0, context: octets('later') } as const;
    const checkpointed = {
      options: 0,
      records: [
        records[0]!,
        records[1]!,
        { kind: 'CHECKPOINT_END' },
        context,
        { kind: 'CHECKPOINT_END' },
        { kind: 'END' },
      ],
    } as LibxlStream;
    const kinds = withImage(checkpointed, octets('image')).records.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'XENSTORE_IMAGE')).toHaveLength(3);
    expect(kinds[1]).toBe('XENSTORE_IMAGE');
  });

  it.each([
    ['not a saved domain', (b: Uint8Array) => b.fill(0, 0, 1), /offset 0 .*magic/],
    ['a legacy stream', (b: Uint8Array) => b.fill(1, 36, 37), /offset 36 .*legacy/],
    ['unknown flags', (b: Uint8Array) => b.fill(7, 36, 37), /offset 36 .*0x7/],
    ['another byte order', (b: Uint8Array) => b.reverse().subarray(0), /magic/],
    ['another version of libxl', (b: Uint8Array) => b.fill(9, 106, 107), /offset 103 .*version/],
    ['no end', (b: Uint8Array) => b.subarray(0, b.length - 8), /offset 167 .*wants 4 octets, 0 left/],
    ['a length beyond the end', (b: Uint8Array) => b.fill(9, 163, 164), /length: is 9, 8 octets left/],
  ])('with %s is refused with offset and reason', (_what, damage, expected) => {
    const result = decodeXl(damage(SMALLEST_XL.slice()));
    expect(result.ok ? '' : formatFailure(result.failure)).toMatch(expected);
  });
});

const VERIFIER = '/usr/lib/xen-4.17/lib/python';
/** Reads names of files, writes a line for each: `ok`, or why it refuses. */
const VERIFY = `
import sys
sys.path.insert(0, '${VERIFIER}')
from xen.migration.libxl import VerifyLibxl
for name in sys.stdin.read().split():
    with open(name, 'rb') as f:
        try:
            VerifyLibxl(lambda text: None, f.read).verify()
            print('ok')
        except Exception as e:
            print(type(e).__name__, str(e).replace('\\n', ' '))
`;
const hasVerifier = has("Xen's stream verifier", 'python3') && existsSync(VERIFIER);
if (!hasVerifier) {
  if (process.env.XENARIUM_NO_SKIP !== undefined) throw new Error(`${VERIFIER} is absent`);
  console.warn("Xen's stream verifier: skipped, for want of its modules");
}

describe.skipIf(!hasVerifier)("Xen's own verifier", () => {
  const dir = mkdtempSync(join(tmpdir(), 'xenarium-verify-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function verify(files: readonly Uint8Array[]): string[] {
    const names = files.map((_, i) => join(dir, `${i}`));
    for (const [i, bytes] of files.entries()) writeFileSync(names[i]!, bytes);
    const { stdout, stderr } = spawnSync('python3', ['-c', VERIFY], { input: names.join('\n'), encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout.trimEnd().split('\n');
  }

  it('passes what this layer writes, but for the record that carries an image', () => {
    const image = EMBED_7.subarray(8);
    const empty: LibxlStream = {
      options: 0,
      records: [{ kind: 'LIBXC_CONTEXT', libxc: emptyLibxc() }, { kind: 'END' }],
    };
    const answers = verify([hvmGuest(), empty, withImage(empty, image)].map((one) => ok(encodeLibxl(one))));
    expect(answers).toEqual(['ok', 'ok', 'StreamError Unrecognised record type 7']);
    expect(checkLibxl(withImage(empty, image))).toEqual([
      { layer: 'libxl', record: 1, reason: 'a state image is in no released format' },
    ]);
  });

  it('agrees with this layer on damaged streams', () => {
    const whole = ok(encodeLibxl(hvmGuest()));
    const draw = new Streams('1').for('test/damage');
    const pageFrom = whole.indexOf(7, 200);
    const files = Array.from({ length: 1500 }, () => {
      const bytes = whole.slice();
      // Not inside the page, which nobody looks at, and not the byte order, which the verifier reads wrongly.
      let at = draw.below(bytes.length - 4096);
      if (at >= pageFrom) at += 4096;
      if (at === 15 || at === 16 + 8 + 17) at = 0;
      bytes[at] = draw.below(256);
      return bytes;
    });
    const answers = verify(files);
    const ours = files.map((bytes) => {
      const decoded = decodeLibxl(bytes);
      if (!decoded.ok) return formatFailure(decoded.failure);
      return checkLibxl(decoded.value)[0]?.reason ?? 'ok';
    });
    const apart = answers.flatMap((theirs, i) =>
      (theirs === 'ok') === (ours[i] === 'ok') ? [] : [`file ${i}: verifier "${theirs}", ours "${ours[i]}"`],
    );
    expect(apart).toEqual([]);
    expect(new Set(answers.map((answer) => answer === 'ok')).size).toBe(2);
  });
});
