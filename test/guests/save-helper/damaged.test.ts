import { describe, expect, it } from 'vitest';
import { destroyDomain, type RestoreFileEnd, restoreFromFile } from '../../../guests/libxl/index.ts';
import { SavedFile } from '../../../guests/save-helper/index.ts';
import { decodeXl } from '../../../store/format/enclosing/xl.ts';
import { pass, run } from '../../support/host.ts';
import { restore, type SavedBench, save, savedBench } from './saved.ts';

/** Where the tail of a file begins: behind the last page. */
function tailOf(octets: Uint8Array): number {
  const read = decodeXl(octets);
  if (!read.ok) throw new Error('assertion: not a saved domain');
  const image = read.value.stream.records.find(({ libxc }) => libxc !== undefined)?.libxc;
  const pages = image?.records.findLast((record) => record.kind === 'PAGE_DATA');
  if (pages?.kind !== 'PAGE_DATA') throw new Error('assertion: no pages');
  return pages.pages.byteOffset - octets.byteOffset + pages.pages.length;
}

/** Restore what `octets` hold; whatever comes of it, the host is as it was before, or has one guest more. */
function attempt(bench: SavedBench, octets: Uint8Array): RestoreFileEnd {
  const file = new SavedFile(octets);
  return run(bench, 'attempt', (me) => restoreFromFile(me, bench.xl, { file }));
}

const domains = ({ host }: SavedBench) => host.machine.domains().map(({ domid }) => domid);

describe('a file that is cut', () => {
  it.each(['pv', 'pvh', 'hvm'] as const)(
    'MIG-23, FP-32, INJ-M8: of a %s guest at each octet of its tail: nothing stays, and the file can be tried again',
    (type) => {
      const bench = savedBench(type, { pages: 6, hot: 2, hotPeriodNs: 1_000_000, background: 100, burstsOf100: 0 });
      save(bench);
      const octets = bench.file.octets;
      const tail = tailOf(octets);
      pass(bench, 100_000_000);
      const before = domains(bench);
      const told: number[] = [];
      // Of the page of a PV guest's shared_info, which nobody reads, each 499th octet.
      const isAlike = (at: number) => type === 'pv' && at - tail > 200 && octets.length - at > 400 && at % 499 !== 0;
      const cuts = Array.from({ length: octets.length - tail }, (_, i) => tail + i).filter((at) => !isAlike(at));
      for (const cut of cuts) {
        const { exit, load } = attempt(bench, octets.subarray(0, cut));
        expect([cut, exit, load?.built]).toEqual([cut, 1, undefined]);
        told.push(load?.failure?.offset ?? -1);
      }
      pass(bench, 100_000_000);
      expect(domains(bench)).toEqual(before);
      // Each says where it stands in the stream, and no cut was told as of an octet that was there.
      expect(told.every((offset, i) => offset >= 0 && offset <= (cuts[i] as number))).toBe(true);
      expect(told.length).toBeGreaterThan(200);
      expect(bench.file.octets).toEqual(octets);
      expect(restore(bench)).toMatchObject({ exit: 0, restored: { hasThreads: true } });
    },
    120_000,
  );

  it('FP-32: in its header, and in its configuration, it is refused with xl’s words', () => {
    const bench = savedBench('pvh', { pages: 2, hot: 1, hotPeriodNs: 1_000_000, background: 0, burstsOf100: 0 });
    save(bench);
    const octets = bench.file.octets;
    const says = (bytes: Uint8Array) => attempt(bench, bytes).says;
    expect(says(octets.subarray(0, 20))).toBe('file/stream truncated reading save file header');
    expect(says(octets.subarray(0, 70))).toBe('file/stream truncated reading optional data');
    const changed = (at: number, octet: number) => {
      const copy = octets.slice();
      copy[at] = octet;
      return copy;
    };
    expect(says(changed(3, 0))).toMatch(/wrong magic number/);
    expect(says(changed(32, 9))).toMatch(/wrong byte order/);
    expect(says(changed(36, 0x13))).toMatch(/0x10 which are not supported/);
    expect(says(changed(52, 0x7d))).toBe('Failed to parse configuration');
  });
});

describe('FP-31: a disk that is full', () => {
  it('at each of many octets: xl says so, the guest is resumed, and what was written stays', () => {
    const plan = { pages: 6, hot: 2, hotPeriodNs: 1_000_000, background: 100, burstsOf100: 0 };
    const whole = savedBench('pvh', plan);
    save(whole, { afterwards: 'resume' });
    const size = whole.file.size;
    const bench = savedBench('pvh', plan);
    const { domid } = bench.guest.os.domain;
    for (let roomBytes = 0; roomBytes < size; roomBytes += 1 + Math.floor(size / 60)) {
      const end = save(bench, { roomBytes });
      expect([roomBytes, end.exit]).toEqual([roomBytes, 1]);
      expect(end.guest).toBe(end.outcome === undefined ? 'untouched' : 'resumed');
      expect(bench.file.size).toBe(roomBytes);
      const writes = bench.memory.writes;
      pass(bench, 5_000_000);
      expect(bench.guest.os.domain.domid).toBe(domid);
      expect(bench.memory.writes).toBeGreaterThan(writes);
    }
    expect([...bench.memory.check()]).toEqual([]);
    expect(save(bench).exit).toBe(0);
    expect(restore(bench).exit).toBe(0);
  }, 60_000);
});

describe('INJ-M7: one octet that is another', () => {
  it('in each header and each record’s frame: refused with its place, or restored, and never an exception', () => {
    const bench = savedBench('hvm', { pages: 2, hot: 1, hotPeriodNs: 1_000_000, background: 0, burstsOf100: 0 });
    save(bench);
    const octets = bench.file.octets;
    const header = 48 + new DataView(octets.buffer, octets.byteOffset).getUint32(44, true);
    // The libxl header, LIBXC_CONTEXT, both libxc headers, and all that follows the pages.
    const places = [
      ...Array.from({ length: 16 + 8 + 24 + 16 + 8 }, (_, i) => header + i),
      ...Array.from({ length: octets.length - tailOf(octets) }, (_, i) => tailOf(octets) + i),
    ];
    pass(bench, 100_000_000);
    const before = domains(bench);
    const outcomes = { refused: 0, restored: 0 };
    for (const at of places) {
      const damaged = octets.slice();
      damaged[at] = (damaged[at] as number) ^ 0x40;
      const { exit, built, load } = attempt(bench, damaged);
      if (exit === 0) {
        outcomes.restored++;
        run(bench, 'destroy', (me) => destroyDomain(me, bench.xl, built!.domain.domid));
      } else {
        outcomes.refused++;
        expect(load?.failure?.reason, `octet ${at}`).toBeTruthy();
      }
    }
    pass(bench, 100_000_000);
    expect(domains(bench)).toEqual(before);
    expect(outcomes.refused + outcomes.restored).toBe(places.length);
    expect([outcomes.refused > 60, outcomes.restored > 0]).toEqual([true, true]); // opaque octets are nobody’s to judge
  }, 120_000);
});
