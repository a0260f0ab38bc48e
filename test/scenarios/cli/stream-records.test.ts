import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { save, savedBench } from '../../guests/save-helper/saved.ts';
import { xenarium } from '../../support/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'xenarium-records-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const bench = savedBench('pvh', { pages: 5, hot: 1, hotPeriodNs: 1_000_000, background: 0, burstsOf100: 0 });
save(bench);
const octets = bench.file.octets;
const file = join(dir, 'guest');
writeFileSync(file, octets);

describe('image records', () => {
  it('prints each record of each layer with its place; places and sizes add up to the file', () => {
    const { code, out, err } = xenarium('image', 'records', file);
    expect([code, err]).toEqual([0, '']);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    expect(lines.map(([, , layer, kind]) => `${layer} ${kind}`)).toEqual([
      'xl header',
      'libxl LIBXL_HEADER',
      'libxl LIBXC_CONTEXT',
      'libxc LIBXC_HEADER',
      'libxc DOMAIN_HEADER',
      'libxc X86_CPUID_POLICY',
      'libxc X86_MSR_POLICY',
      'libxc STATIC_DATA_END',
      ...Array.from({ length: 5 }, () => 'libxc PAGE_DATA'),
      'libxc X86_TSC_INFO',
      'libxc HVM_CONTEXT',
      'libxc HVM_PARAMS',
      'libxc END',
      'libxl END',
    ]);
    let at = 0;
    for (const [from, size] of lines) {
      expect(Number(from)).toBe(at);
      at += Number(size);
    }
    expect(at).toBe(octets.length);
    expect(out).toMatch(/PAGE_DATA +1024 pfns, 0 pages\n/);
    expect(out).toMatch(/HVM_PARAMS +1 = 0x1001, 17 = 0x1002\n/);
  });

  it('goes as far as a file does, and says where that is', () => {
    const short = join(dir, 'short');
    writeFileSync(short, octets.subarray(0, octets.length - 5));
    const { code, out, err } = xenarium('image', 'records', short);
    expect(code).toBe(1);
    expect(out).toMatch(/libxc +END\n$/);
    expect(err).toMatch(new RegExp(`offset ${octets.length - 8} `));
  });
});
